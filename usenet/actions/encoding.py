"""Tells applications of the cards that their services are given, in a file of their own configuration."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from usenet.adapters import beneath, transcoders
from usenet.adapters.home import Home
from usenet.compose.catalog import Catalog
from usenet.domain.errors import ConfigError
from usenet.domain.hardware import jellyfin
from usenet.domain.plan import Encoder, Plan
from usenet.domain.steps import WriteEncoding

_LIMIT = 2**20


def steps(home: Home, plan: Plan, catalog: Catalog) -> Iterator[WriteEncoding]:
    """A step for each application whose card is another than when the stack was last written.

    They come before the stack is written: until then what was given before is known.
    """
    wanted = {n: g.encoder for n, g in plan.grants.items() if g.encoder and catalog[n].service.encoding}
    before = _before(home) if wanted else {}
    for name, encoder in wanted.items():
        path = home.path / "config" / name / catalog[name].service.encoding
        now = _text(home, path)
        text = now if now is None else jellyfin.edited(now, before.get(name), encoder)
        if text is not None and text != now:
            yield WriteEncoding(name, str(path), text, encoder.kind)


def write(home: Home, step: WriteEncoding, plan: Plan) -> None:
    """Write the file for the owner of the stack. SystemFailure where it can't be written.

    The directory is the application's too: a link that it put there must not lead us elsewhere.
    """
    owner = (plan.uid, plan.gid) if os.geteuid() == 0 else None
    beneath.write(home.path, str(Path(step.path).relative_to(home.path)), step.text.encode(), owner=owner, mode=0o640)


def _before(home: Home) -> dict[str, Encoder]:
    try:
        return {one.service: one.encoder for one in transcoders.planned(home)}
    except ConfigError:
        return {}


def _text(home: Home, path: Path) -> str | None:
    """The file; empty where there is none, None where it can't be read or is no such file."""
    try:
        found = beneath.read(home.path, str(path.relative_to(home.path)), _LIMIT)
        return None if found is None else found.decode()
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        return None
