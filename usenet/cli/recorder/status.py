"""usenet recorder status: how the stack's cameras are now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from usenet.cli import console
from usenet.cli.places import home
from usenet.cli.recorder import app

_COLUMNS = ("camera", "state", "since", "file", "a power cut would cost", "gaps")


@app.command()
def status() -> None:
    """Ask the stack's recorder how its cameras are, and how much a power cut would cost now."""
    from usenet.actions.recorder import live

    found = live.status(home())
    console.show(found, lambda: _status(found))


def _status(found: Any) -> None:
    if not found["ready"]:
        console.line(f"not ready: {found['phase']}")
    if not found["cameras"]:
        console.line("no camera is set up; they are in config/recorder/recorder.yaml")
    else:
        console.table(_COLUMNS, [_camera(camera) for camera in found["cameras"]])
    for line in _notes(found):
        console.line(line)


def _camera(camera: Any) -> tuple[str, ...]:
    written = camera["segment"] if camera["state"] != "idle" else None
    return (
        camera["name"],
        f"{camera['state']}, until {_local(camera['until'])}" if camera["until"] else camera["state"],
        console.human_time(_ago(camera["since"])) if camera["since"] else "",
        written or "",
        f"{camera['durable_lag_s']:.1f} s" if written else "",
        f"{camera['gaps']}, {console.human_time(camera['gap_s'])} in all" if camera["gaps"] else "none",
    )


def _notes(found: Any) -> Iterator[str]:
    """What a person should know beside the table: why a camera, a drive or a storage is not well, and the room."""
    for camera in found["cameras"]:
        if camera["problem"]:
            yield f"{camera['name']}: {camera['problem'].removeprefix(camera['name'] + ': ')}"
        if camera["drops"]:
            yield f"{camera['name']}: {camera['drops']} samples were read and not kept: the drive is too slow"
    for one in found["places"]:
        used, free = console.human_bytes(one["used"]), console.human_bytes(one["free"])
        room = f"{used} of recordings ({one['recordings']}), {free} free"
        yield f"{one['directory']}: {one['error'] or room}"
    if pending := found["recovery"]["pending"]:
        yield f"{pending} that were cut off are still to be finished"
    for one in found["uploads"]:
        if one["waiting"]:
            yield f"{one['storage']}: {one['waiting']} wait to be uploaded{_because(one['last_error'])}"


def _because(error: str) -> str:
    return f": {error}" if error else ""


def _ago(since: str) -> float:
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds())


def _local(when: str) -> str:
    return f"{datetime.fromisoformat(when).astimezone():%H:%M:%S}"
