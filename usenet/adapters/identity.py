"""Who sits at this machine, and in which time zone."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from usenet.domain.settings import ZONE

_ZONES = "/zoneinfo/"
_DATABASES = ("usr/share/zoneinfo", "usr/lib/zoneinfo", "etc/zoneinfo")


def timezone(root: Path = Path("/")) -> str:
    """The machine's zone from /etc/localtime or /etc/timezone; Etc/UTC where neither names one."""
    link = root / "etc" / "localtime"
    if link.is_symlink():
        named = str(link.readlink()).rpartition(_ZONES)[2]
        if re.fullmatch(ZONE, named):
            return named
    try:
        named = (root / "etc" / "timezone").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return "Etc/UTC"
    return named if re.fullmatch(ZONE, named) else "Etc/UTC"


def knows_zone(name: str, root: Path = Path("/")) -> bool:
    """Whether the machine's time zone database has a zone of this name; True where there is no database to ask."""
    known = [root / place for place in _DATABASES if (root / place / "UTC").is_file()]
    return not known or any(_is_zone(place / name) for place in known)


def _is_zone(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return opened.read(4) == b"TZif"
    except OSError:
        return False


def user(env: Mapping[str, str] | None = None) -> tuple[int, int]:
    """The user and group that should own the data: who called sudo, else who runs us; 1000:1000 instead of root."""
    env = os.environ if env is None else env
    numbers = env.get("SUDO_UID", ""), env.get("SUDO_GID", "")
    if os.geteuid() == 0 and all(number.isdecimal() for number in numbers):
        uid, gid = map(int, numbers)
    else:
        uid, gid = os.geteuid(), os.getegid()
    return (uid, gid) if uid else (1000, 1000)


def written_out(path: str) -> str:
    """A path with the `~` at its front as the home directory of who runs us; any other as it is."""
    return str(Path(path).expanduser()) if path == "~" or path.startswith("~/") else path
