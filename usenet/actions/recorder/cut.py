"""A piece of what was recorded, cut out and joined into one file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from usenet.actions.recorder import a_new_file, told
from usenet.domain.errors import UsageError
from usenet.recorder.exporting import Exported, export
from usenet.recorder.sidecar import inventory

__all__ = ["Exported", "check", "chosen", "cut", "moment"]

_NS = 10**9


def moment(text: str, option: str) -> int | None:
    """Nanoseconds UTC of what a person typed: `2026-11-21T18:00`, in local time unless it says Z or +01:00."""
    if not text:
        return None
    try:
        when = datetime.fromisoformat(text).astimezone()
    except ValueError:
        hint = f'write it as "{datetime.now().astimezone():%Y-%m-%d %H:%M:%S}", with Z behind it for UTC'
        raise UsageError(f'{option}: "{text}" is no time', hint=hint) from None
    return round(when.timestamp() * _NS)


def check(out: Path, start_ns: int | None, end_ns: int | None) -> None:
    """UsageError where no such file can be made, whatever was recorded."""
    a_new_file(out)
    if start_ns is not None and end_ns is not None and start_ns >= end_ns:
        raise UsageError("--from is not before --to", hint="turn them round; a day begins at 00:00")


def cut(
    places: Sequence[Path], out: Path, *, start_ns: int | None, end_ns: int | None, exact: bool, close_gaps: bool
) -> Exported:
    """The recordings of `places` (files, or directories with everything below) between two times, as one new file."""
    sources = chosen(places, start_ns, end_ns)
    with told():
        return export(sources, out, start_ns=start_ns, end_ns=end_ns, exact=exact, close_gaps=close_gaps)


def chosen(places: Sequence[Path], start_ns: int | None, end_ns: int | None) -> list[Path]:
    """The files that can hold something of that time, in its order. UsageError where there is none, or two cameras."""
    found: list[Path] = []
    for place in places:
        found += [place] if place.is_file() else _below(place, start_ns, end_ns)
    if not found:
        raise UsageError("there is no recording of that time", hint="see what there is with: usenet recorder list")
    return found


def _below(place: Path, start_ns: int | None, end_ns: int | None) -> list[Path]:
    if not place.is_dir():
        raise UsageError(f"{place}: there is no such file or directory", hint="see: usenet recorder list")
    files = [path for path in place.iterdir() if inventory.NAME.fullmatch(path.name.removesuffix(inventory.LIVE))]
    rows = sorted((inventory.began(path.name).timestamp() * _NS, path) for path in files)
    if not rows and any(entry.is_dir() for entry in place.iterdir()):
        raise UsageError(f"{place} holds several cameras", hint=f"name one: {place}/CAMERA")
    ends = [*(began for began, _ in rows[1:]), float("inf")][: len(rows)]
    return [
        path
        for (began, path), end in zip(rows, ends, strict=True)
        if (end_ns is None or began < end_ns) and (start_ns is None or end > start_ns)
    ]
