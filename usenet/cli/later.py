"""Modules of Python that others import and seldom use: a stand-in until something is asked of them.

`dataclasses` imports `inspect` (with `ast`, `dis` and `tokenize`) for classes without a docstring; `urllib.parse`
imports `ipaddress` for addresses in brackets. Together they cost a sixth of `services status`. importlib's LazyLoader
would do, but Python 3.11 loads its modules at the import statement. From Python 3.12 on `dataclasses` asks `inspect`
for every class, so that there is nothing to win with it.
"""

from __future__ import annotations

import sys
from _thread import RLock
from types import ModuleType

NAMES = ("inspect", "ipaddress")
_ALONE = RLock()


class Later(ModuleType):
    """Imported when an attribute is asked for; from then on it has all of the module's own."""

    def __getattr__(self, wanted: str) -> object:
        import importlib

        with _ALONE:
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
            real = importlib.import_module(self.__name__)
        self.__dict__.update(real.__dict__)
        return getattr(real, wanted)


def postpone() -> None:
    """Before anything else is imported: what is there already stays."""
    for name in NAMES:
        sys.modules.setdefault(name, Later(name))
