"""Drives pulled in the middle of writing are looked at, and used read-only, without a byte written to them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

import pytest

from tests.integration.conftest import Stack
from tests.integration.drives import Bench, Loop, call, mounted, put, share
from usenet.adapters.storage import mounting
from usenet.domain.storage import kinds

pytestmark = pytest.mark.engine


def pulled(bench: Bench, kind: str) -> Loop:
    """A drive as it is when it is pulled in the middle: its journal holds what is not in its place yet."""
    drive, place = bench.drive(kind), bench.folder / f"pulled-{kind}"
    place.mkdir()
    put(drive, "old", "a film", kind)
    call("mount", drive.device, str(place))
    try:
        for number in range(20):
            with (place / f"film-{number}").open("wb") as film:
                film.write(b"x" * 4096)
                os.fsync(film.fileno())
        return bench.twin(drive)
    finally:
        call("umount", str(place))
        drive.unplug()


def content(drive: Loop) -> str:
    os.sync()
    return hashlib.sha256(drive.image.read_bytes()).hexdigest()


@pytest.fixture(params=["ext4", "xfs", "btrfs"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_look_writes_nothing(bench: Bench, kind: str) -> None:
    drive = pulled(bench, kind)
    before = content(drive)
    given = kinds.options(kind, kind, uid=1000, gid=1000, umask="002", read_only=True)
    assert not mounting.peek(drive.device, kind, given).marker
    assert content(drive) == before


def test_a_read_only_drive_is_never_written_to(bench: Bench, make_stack: Callable[..., Stack], kind: str) -> None:
    stack, drive = bench.keep(make_stack()), pulled(bench, kind)
    share(stack)
    stack.settings({})
    before = content(drive)
    stack.run("storage", "add", drive.device, "--name", "films", "--read-only")
    place = stack.home / "data" / "drives" / "films"
    assert mounted()[str(place)] == drive.device
    assert (place / "old").read_text() == "a film"
    call("umount", str(place))
    assert content(drive) == before
