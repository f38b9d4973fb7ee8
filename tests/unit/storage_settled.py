"""What must hold on a machine in memory after a run that nobody disturbed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.unit.storage_kernel import DRIVES, HIDDEN, STACK, Disk, plain
from tests.unit.storage_model import Machine
from usenet.domain.storage.marker import read


def outside(machine: Machine) -> list[object]:
    """What is mounted where this stack has no business."""
    return [one for one in machine.mounts if not one.target.startswith((DRIVES, HIDDEN))]


def without_markers(state: Mapping[str, Any]) -> dict[str, Any]:
    """A killed removal may leave our marker on the drive, a killed addition too; neither is asked for again."""
    return {**state, "markers": {}}


def settled(machine: Machine) -> None:
    """After a run that nobody disturbed: what can be there is, what can't is not, and nothing is left to do."""
    assert not [one for one in machine.mounts if one.target.startswith(HIDDEN)]
    unsettled = {name for name in machine.settings if not right(machine, name)}
    for one in machine.mounts:
        name = one.target.removeprefix(DRIVES)
        if one.target.startswith(DRIVES) and name not in machine.settings:
            theirs = (found := read(one.of.marker)) and found.stack != STACK
            assert theirs or one.of in machine.open, f"{one} stays"
            unsettled.add(name)
    left = [
        step for step in machine.planned().steps if not place(step).startswith(tuple(DRIVES + n for n in unsettled))
    ]
    assert left == []
    check_fstab(machine)


def right(machine: Machine, name: str) -> bool:
    """Whether nothing more can be done for a drive. It must be shown if, and only if, it is the one."""
    drive, one = machine.settings[name], machine.top(DRIVES + name)
    if drive.path:
        found: list[Any] = [one for one in machine.directories.values() if one.served]
    else:
        found = [disk for disk in machine.devices if disk.uuid == drive.uuid]
    if len(found) > 1:  # a drive and its copy: the drive stays, the copy never does while both are there
        assert one is None or (one.of in found and machine.lives(one))
        assert one is None or one.of.serial == drive.serial or drive.serial not in {disk.serial for disk in found}
        return True
    marker = read(found[0].marker) if found else None
    known = drive.read_only or (marker is not None and (marker.stack, marker.uuid) == (STACK, drive.uuid))
    if found and marker is None and not known and drive.serial and found[0].serial == drive.serial:
        return False  # its marker was deleted: it may stay, and is not mounted anew
    if not found or not known:
        assert one is None, f"{name} is shown, and is away or another's"
        return bool(drive.uuid) and not found  # of a directory only the try tells
    if one is None and found[0] in machine.open:
        return False  # it is in use at the place that it had before
    assert one is not None, f"{name} is there and not shown"
    assert one.of is found[0]
    assert machine.lives(one)
    assert one.read_only or not drive.read_only or one.of in machine.open, f"{name} can be written"
    return one.read_only == drive.read_only


def place(step: object) -> str:
    return getattr(step, "target", getattr(step, "path", ""))


def check_fstab(machine: Machine) -> None:
    """The lines are of the drives and of nothing else, and none can stop a machine from starting."""
    lines = [[plain(word) for word in line.split(" ")] for line in machine.lines]
    for _, target, _, options, *rest in lines:
        assert "nofail" in options.split(",")
        assert rest == ["0", "0"]
        assert target.startswith(DRIVES) or "rshared" in options
    drives = {target: (source, "ro" in options.split(",")) for source, target, _, options, *_ in lines}
    wanted = {
        DRIVES + name: (drive.path or f"UUID={drive.uuid}", drive.read_only) for name, drive in machine.settings.items()
    }
    assert {target: held for target, held in drives.items() if target.startswith(DRIVES)} == wanted


def shown(machine: Machine) -> dict[str, str]:
    return {
        one.target.removeprefix(DRIVES): one.of.serial if isinstance(one.of, Disk) else one.of.path
        for one in machine.mounts
        if one.target.startswith(DRIVES)
    }
