"""What drives say of themselves (SMART), and the errors that their filesystems counted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import repeat
from pathlib import Path
from typing import Any

from usenet.adapters import shell
from usenet.domain.errors import SystemFailure
from usenet.domain.storage.health import Smart

SYS = Path("/sys")
PATIENCE = 15.0  # a busy drive behind a slow bridge
_ASLEEP = "Device is in "  # "... STANDBY mode, exit(2)"
_NO_DISKS = ("sr", "fd")  # what is in them can be taken out, and looking spins it
_CLOSED = 0x02  # of smartctl's exit code: the drive did not open
# Numbers of ATA attributes that are 0 on a drive as it should be, and of an NVMe's log.
_ATA = {5: "moved sectors", 187: "errors it could not mend", 197: "sectors it can't read", 198: "sectors it lost"}
_NVME = {"media_errors": "errors it could not mend"}


def disks(sys: Path = SYS) -> tuple[str, ...]:
    """The physical drives of the machine, by the kernel's names: known at once, before anything has been looked at."""
    found = (one for one in sorted(sys.glob("block/*")) if (one / "device").exists())
    return tuple("/dev/" + one.name.replace("!", "/") for one in found if not one.name.startswith(_NO_DISKS))


def ask(devices: Iterable[str], patience: float = PATIENCE) -> dict[str, Smart]:
    """What each device says, all asked at once; one that sleeps, and is left to, or says nothing in time is unknown."""
    wanted = tuple(dict.fromkeys(devices))
    if not wanted:
        return {}
    with ThreadPoolExecutor(min(len(wanted), 64)) as pool:
        return dict(zip(wanted, pool.map(_one, wanted, repeat(patience)), strict=True))


def _one(device: str, patience: float) -> Smart:
    try:
        done = shell.run(("smartctl", "--json", "-a", "--nocheck=standby", device), timeout=patience)
    except SystemFailure as failure:
        missing = " (package smartmontools)" if "not installed" in failure.message else ""
        return Smart(verdict="unknown", why=failure.message + missing)
    return read(done.out, done.code)


def read(printed: str, code: int) -> Smart:
    """smartctl's JSON and exit code as a fact; unknown, with why, whatever it holds."""
    try:
        told = json.loads(printed)
        return _read(told, code)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Smart(verdict="unknown", why="smartctl printed something else than its JSON")


def _read(told: Mapping[str, Any], code: int) -> Smart:
    passed = told.get("smart_status", {}).get("passed")
    if passed is None:
        return Smart(verdict="unknown", why=_why(told, code))
    nvme = told.get("nvme_smart_health_information_log", {})
    return Smart(
        verdict="passed" if passed else "failing",
        temperature=told.get("temperature", {}).get("current"),
        hours=told.get("power_on_time", {}).get("hours"),
        worn=nvme.get("percentage_used"),
        signs=tuple(_signs(told, nvme)),
    )


def _signs(told: Mapping[str, Any], nvme: Mapping[str, Any]) -> Iterator[str]:
    for row in told.get("ata_smart_attributes", {}).get("table", ()):
        if (word := _ATA.get(row["id"])) and (count := row["raw"]["value"]):
            yield f"{count} {word}"
    for key, word in _NVME.items():
        if count := nvme.get(key):
            yield f"{count} {word}"
    spare, least = nvme.get("available_spare"), nvme.get("available_spare_threshold")
    if spare is not None and least is not None and spare <= least:
        yield f"{spare} % of its spare blocks are left"


def _why(told: Mapping[str, Any], code: int) -> str:
    said = [str(one["string"]) for one in told.get("smartctl", {}).get("messages", ())]
    if any("Permission denied" in one for one in said):
        return "only root can ask it"
    if any(one.startswith(_ASLEEP) for one in said):
        return "it sleeps"
    if code & _CLOSED and said:
        return said[0]
    if told.get("smart_support", {}).get("available") is False:
        return "it has no SMART"
    return "it, or the bridge that it is behind, has no SMART" if said else "it says nothing of its health"


def filesystem_errors(device: str, type_: str, uuid: str, sys: Path = SYS) -> int | None:
    """Errors that a mounted filesystem has counted since it was last mended; None for one that counts none."""
    if type_ == "btrfs":
        found = [_counted(path) for path in (sys / "fs/btrfs" / uuid / "devinfo").glob("*/error_stats")]
        return sum(one for one in found if one) if found else None
    with suppress(OSError, ValueError):
        name = Path(device).resolve().name  # of a mapped device the kernel's: dm-0
        return int((sys / "fs/ext4" / name / "errors_count").read_text())
    return None


def _counted(path: Path) -> int:
    total = 0
    with suppress(OSError, ValueError):
        total = sum(int(line.split()[1]) for line in path.read_text().splitlines() if line)
    return total
