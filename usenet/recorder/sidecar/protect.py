"""Recordings that nobody may delete by rule: a file beside the recording says so, and why."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

SUFFIX = ".protected"


def flag(recording: Path) -> Path:
    """`X.mp4` → `X.mp4.protected`, which also holds while the recording is still called `X.mp4.part`."""
    return recording.with_name(recording.name.removesuffix(".part") + SUFFIX)


def protect(recording: Path, reason: str, when: str) -> None:
    """Durable when it returns. Once more with another reason: the newer one stands."""
    target = flag(recording)
    beside = target.with_name(target.name + ".new")
    text = json.dumps({"reason": reason, "since": when}, ensure_ascii=False) + "\n"
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    try:
        os.write(handle, text.encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    beside.replace(target)
    _sync(target.parent)


def release(recording: Path) -> bool:
    """Take the protection away, durably. False where there was none."""
    try:
        flag(recording).unlink()
    except FileNotFoundError:
        return False
    _sync(recording.parent)
    return True


def reason(recording: Path) -> str | None:
    """Why a recording is protected; None where it is not. A flag that can't be read still protects."""
    target = flag(recording)
    if not os.path.lexists(target):
        return None
    with suppress(OSError, ValueError, TypeError, KeyError):
        return str(json.loads(target.read_text(encoding="utf-8"))["reason"])
    return ""


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
