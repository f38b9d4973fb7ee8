"""Whether what services were given of the cards is still there: a few files are looked at, no program is run."""

from __future__ import annotations

import os
from collections.abc import Sequence

_EVERYONE = 0o006
_VERSION = "/sys/module/nvidia/version"
_WINDOWS = "/dev/dxg"  # in WSL the driver is Windows' own, and this kernel has none


def moved(nodes: Sequence[str], groups: Sequence[int], driver: str) -> str:
    """What changed since a service was given `nodes`, opened by the numbers in `groups`, of a card with `driver`.

    Empty if nothing did that can be seen so.
    """
    for path in nodes:
        try:
            found = os.stat(path)  # noqa: PTH116 - pathlib costs more, and status is asked often
        except OSError:
            return f"{path} of its GPU is gone"
        if found.st_gid not in groups and found.st_mode & _EVERYONE != _EVERYONE:
            return f"{path} of its GPU belongs to group {found.st_gid} now, it was given {_numbers(groups)}"
    return _nvidia(driver)


def _nvidia(driver: str) -> str:
    name, _, version = driver.partition(" ")
    if name != "nvidia":
        return ""
    try:
        with open(_VERSION) as file:  # noqa: PTH123
            now = file.read().strip()
    except OSError:
        return "" if os.path.exists(_WINDOWS) else "NVIDIA's driver is not loaded any more"  # noqa: PTH110
    return "" if not version or now == version else f"NVIDIA's driver was {version}, it is {now} now"


def _numbers(groups: Sequence[int]) -> str:
    return ", ".join(map(str, groups)) or "none"
