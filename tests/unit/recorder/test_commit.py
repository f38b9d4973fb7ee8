"""The commit's two slots, and the lease in it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from usenet.recorder import commit as commits
from usenet.recorder.commit import SLOT, Commit
from usenet.recorder.errors import Busy
from usenet.recorder.io import Files
from usenet.recorder.lease import Lease
from usenet.recorder.recovery import recover

from .test_segment import crashed


def written(path: Path, states: list[str]) -> None:
    io = Files()
    handle = io.open(str(path), "new")
    commit = Commit("recording", "07", 4096, Lease.mine())
    for state in states:
        commit = commits.write(io, handle, replace(commit, state=state))  # type: ignore[arg-type]
    io.close(handle)


def newest(path: Path) -> Commit | None:
    io = Files()
    handle = io.open(str(path), "read")
    found = commits.read(io, handle)
    io.close(handle)
    return found


def test_the_newest_slot_counts_and_a_torn_one_leaves_the_other(tmp_path: Path) -> None:
    path = tmp_path / "x.commit"
    written(path, ["recording", "sealing", "poisoned"])
    found = newest(path)
    assert found is not None
    assert (found.state, found.generation, found.lease) == ("poisoned", 3, Lease.mine())
    data = bytearray(path.read_bytes())
    data[SLOT + 30] ^= 1
    path.write_bytes(data)
    found = newest(path)
    assert found is not None
    assert found.state == "sealing"
    data[30] ^= 1
    path.write_bytes(data)
    assert newest(path) is None


def lease(path: Path, **more: object) -> None:
    """The commit of a segment says that another wrote it."""
    found = newest(path)
    assert found is not None
    io = Files()
    handle = io.open(str(path), "write")
    commits.write(io, handle, replace(found, lease=replace(Lease.mine(), **more)))  # type: ignore[arg-type]
    io.close(handle)


class Unlocked(Files):
    """A filesystem without locks."""

    def lock(self, handle: int) -> bool:
        return True


def test_without_locks_a_living_recorder_is_known_by_its_lease(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    crashed(path)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        started = int(Path(f"/proc/{other.pid}/stat").read_text().rpartition(")")[2].split()[19])
        lease(tmp_path / "x.mp4.commit", pid=other.pid, started=started)
        with pytest.raises(Busy):
            recover(path, io=Unlocked())
        other.communicate(b"\n")
    assert recover(path, io=Unlocked()).state == "finished"


@pytest.mark.parametrize("other", [{"boot": "another"}, {"started": 1}, {"host": "elsewhere"}])
def test_a_stale_lease_holds_nobody_up(tmp_path: Path, other: dict[str, object]) -> None:
    path = tmp_path / "x.mp4"
    crashed(path)
    lease(tmp_path / "x.mp4.commit", **{"pid": os.getppid(), **other})
    assert recover(path).state == "finished"
