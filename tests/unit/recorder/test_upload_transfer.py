"""One segment on its way: in parts while it is recorded, whole when it is finished, called uploaded only when it is."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

import pytest

from usenet.recorder.errors import RecorderError, Unreachable
from usenet.recorder.upload.layout import journal_of
from usenet.recorder.upload.storage import Found, Refused, Taken, Wrong
from usenet.recorder.upload.transfer import Clearing, Outcome, Transfer
from usenet.recorder.upload.uploader import is_uploaded

from .uploads.memory import Counting, Disk, Memory, unreachable
from .uploads.segments import NAME, Growing, finished

KEY = f"cam/{NAME}"


def transfer(path: Path, storage: Memory, disk: Disk | None = None) -> Transfer:
    return Transfer(disk or Disk(), storage, path, KEY, 128)


def run(path: Path, storage: Memory, disk: Disk | None = None) -> Outcome:
    """Steps of a new transfer until there is nothing to do at once."""
    return to_the_end(transfer(path, storage, disk))


def to_the_end(each: Transfer) -> Outcome:
    while (outcome := each.step()) is Outcome.MORE:
        pass
    return outcome


def sent(storage: Memory) -> list[int]:
    return [int(call.split()[1]) for call in storage.calls if call.startswith("part ")]


def test_a_finished_segment_is_uploaded_and_asked_for_anew(tmp_path: Path) -> None:
    storage, path = Memory(), finished(tmp_path, 1000)
    assert not is_uploaded(path, ["memory"])
    assert run(path, storage) is Outcome.DONE
    assert storage.objects == {KEY: path.read_bytes()}
    assert is_uploaded(path, ["memory"])
    assert storage.calls[storage.calls.index("complete") :] == ["complete", "stat"]
    assert not storage.open


def test_a_second_run_sends_nothing(tmp_path: Path) -> None:
    storage, path = Memory(), finished(tmp_path, 1000)
    run(path, storage)
    storage.calls.clear()
    assert run(path, storage) is Outcome.DONE
    assert storage.calls == []


def test_a_live_segment_is_sent_from_its_second_part_on_and_its_head_last(tmp_path: Path) -> None:
    storage, growing = Memory(), Growing(tmp_path).grow(300)
    assert run(growing.path, storage) is Outcome.WAIT
    assert sent(storage) == [2, 3]
    growing.grow(200)
    assert run(growing.path, storage) is Outcome.WAIT
    assert sent(storage) == [2, 3, 4, 5]
    assert storage.objects == {}
    path = growing.finish()
    storage.calls.clear()
    assert run(path, storage) is Outcome.DONE
    assert sent(storage) == [6, 1]
    assert storage.objects == {KEY: path.read_bytes()}


def test_a_live_segment_with_nothing_new_is_not_asked_about(tmp_path: Path) -> None:
    storage, growing = Memory(), Growing(tmp_path).grow(300)
    each = transfer(growing.path, storage)
    while each.step() is Outcome.MORE:
        pass
    before = len(storage.calls)
    assert each.step() is Outcome.WAIT
    assert len(storage.calls) == before


def test_the_first_part_holds_a_head_that_is_longer_than_a_part(tmp_path: Path) -> None:
    storage, growing = Memory(), Growing(tmp_path, head=300).grow(800)
    run(growing.path, storage)
    assert sent(storage) == [2]  # of 384 bytes each: 768 of some 1150
    run(growing.finish(), storage)
    assert sent(storage) == [2, 3, 1]


def test_what_is_no_live_segment_waits(tmp_path: Path) -> None:
    storage, growing = Memory(), Growing(tmp_path).grow(1000)
    data = growing.part.read_bytes()
    for damaged in (data[:36] + b"free" + data[40:], data[:40], b"", bytes(2000)):
        growing.part.write_bytes(damaged)
        assert run(growing.path, storage) is Outcome.WAIT
    assert storage.calls == []


@pytest.mark.parametrize("tail", [0, 77], ids=["head", "tail"])
@pytest.mark.parametrize("lost", [1, 150, 700])
def test_after_a_crash_only_what_differs_is_sent_again(tmp_path: Path, tail: int, lost: int) -> None:
    storage, growing = Memory(), Growing(tmp_path).grow(1000)
    run(growing.path, storage)
    before = sent(storage)
    assert before == [2, 3, 4, 5, 6, 7, 8]
    path = growing.cut(lost).finish(tail=tail)
    storage.calls.clear()
    assert run(path, storage) is Outcome.DONE
    assert storage.objects == {KEY: path.read_bytes()}
    whole = range(2, (path.stat().st_size - tail) // 128 + 1)
    assert set(sent(storage)).isdisjoint(whole)
    assert not storage.open


def test_a_part_that_the_storage_lost_is_sent_again(tmp_path: Path) -> None:
    storage, growing = Memory(), Growing(tmp_path).grow(1000)
    run(growing.path, storage)
    del next(iter(storage.open.values()))[1][3]
    path = growing.finish()
    storage.calls.clear()
    assert run(path, storage) is Outcome.DONE
    assert sent(storage) == [3, 9, 1]
    assert storage.objects == {KEY: path.read_bytes()}


def test_a_part_that_is_lost_at_the_last_moment_is_sent_again(tmp_path: Path) -> None:
    storage, path = Memory(), finished(tmp_path, 1000)
    each = transfer(path, storage)

    def trouble(call: str) -> None:
        if call == "complete" and storage.calls.count("complete") == 1:
            del next(iter(storage.open.values()))[1][3]

    storage.trouble = trouble
    with pytest.raises(Wrong, match="part 3"):
        to_the_end(each)
    assert to_the_end(each) is Outcome.DONE
    assert sent(storage).count(3) == 2
    assert storage.objects == {KEY: path.read_bytes()}


def test_a_file_that_changes_between_two_steps_is_read_anew(tmp_path: Path) -> None:
    storage, path = Memory(), finished(tmp_path, 1000)
    each = transfer(path, storage)
    for _ in range(4):
        each.step()
    path.write_bytes(bytes(900))
    assert to_the_end(each) is Outcome.DONE
    assert storage.objects == {KEY: bytes(900)}


def test_bytes_that_change_behind_its_back_are_seen(tmp_path: Path) -> None:
    storage, path = Memory(), finished(tmp_path, 1000)
    each, seen = transfer(path, storage), path.stat()
    each.step()
    storage.trouble = Counting(0, unreachable)
    with pytest.raises(Unreachable):
        each.step()
    path.write_bytes(path.read_bytes()[:200] + b"something else" + path.read_bytes()[214:])
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    with pytest.raises(Wrong, match="changed while it was uploaded"):
        each.step()
    assert to_the_end(each) is Outcome.DONE
    assert storage.objects == {KEY: path.read_bytes()}


def test_a_live_segment_that_is_cut_while_it_is_read_sends_no_half_part(tmp_path: Path) -> None:
    class Cutting(Disk):
        def pread(self, handle: int, length: int, offset: int) -> bytes:
            if length == 128:
                growing.cut(600)
            return super().pread(handle, length, offset)

    storage, growing = Memory(), Growing(tmp_path).grow(500)
    assert run(growing.path, storage, Cutting()) is Outcome.WAIT
    assert sent(storage) == []


def test_an_upload_that_the_storage_forgot_begins_again(tmp_path: Path) -> None:
    storage, growing = Memory(), Growing(tmp_path).grow(1000)
    run(growing.path, storage)
    storage.open.clear()
    path = growing.finish()
    assert run(path, storage) is Outcome.DONE
    assert storage.objects == {KEY: path.read_bytes()}


def test_an_answer_that_was_lost_after_completion_costs_no_second_upload(tmp_path: Path) -> None:
    storage, path = Memory(), finished(tmp_path, 1000)

    def trouble(call: str) -> None:
        if call == "complete done":
            storage.trouble = lambda call: None
            raise Unreachable("the answer never came")

    storage.trouble = trouble
    with pytest.raises(Unreachable):
        run(path, storage)
    assert not is_uploaded(path, ["memory"])
    storage.calls.clear()
    assert run(path, storage) is Outcome.DONE
    assert storage.calls == ["stat"]


def test_a_wrong_checksum_is_never_verified(tmp_path: Path) -> None:
    storage, path = Memory(), finished(tmp_path, 1000)
    storage.told = lambda found: Found(found.size, {"parts": "something else"})
    with pytest.raises(Wrong):
        run(path, storage)
    assert not is_uploaded(path, ["memory"])
    storage.told = lambda found: Found(found.size - 1, found.checksums)
    with pytest.raises(Wrong):
        run(path, storage)
    assert not is_uploaded(path, ["memory"])
    storage.told = lambda found: found  # it only told something wrong for a while
    assert run(path, storage) is Outcome.DONE


def test_an_object_of_others_is_never_overwritten(tmp_path: Path) -> None:
    storage, path = Memory(), finished(tmp_path, 1000)
    storage.objects[KEY] = b"somebody's"
    with pytest.raises(Taken):
        run(path, storage)
    assert storage.objects == {KEY: b"somebody's"}
    assert "complete" not in storage.calls
    live = Growing(tmp_path / "live").grow(1000)
    with pytest.raises(Taken):
        run(live.path, storage)


def test_an_object_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    storage, growing = Memory(), Growing(tmp_path).grow(1000)
    run(growing.path, storage)
    storage.objects[KEY] = b"somebody's"
    with pytest.raises(Taken):
        run(growing.finish(), storage)
    assert storage.objects == {KEY: b"somebody's"}


def test_without_its_journal_what_is_there_already_is_recognised(tmp_path: Path) -> None:
    storage, path = Memory(), finished(tmp_path, 1000)
    run(path, storage)
    journal_of(path, "memory").unlink()
    storage.calls.clear()
    assert run(path, storage) is Outcome.DONE
    assert sent(storage) == []
    assert is_uploaded(path, ["memory"])


def test_a_file_that_changed_after_its_upload_is_not_called_uploaded(tmp_path: Path) -> None:
    storage, path = Memory(), finished(tmp_path, 1000)
    run(path, storage)
    kept = storage.objects[KEY]
    path.write_bytes(kept[:-1])
    assert not is_uploaded(path, ["memory"])
    with pytest.raises(Taken):
        run(path, storage)
    assert storage.objects[KEY] == kept


@pytest.mark.parametrize("asked", [0, 1], ids=["completion", "comparison"])
def test_a_file_that_changes_while_it_is_uploaded_is_not_called_uploaded(tmp_path: Path, asked: int) -> None:
    storage, path = Memory(), finished(tmp_path, 1000)

    def trouble(call: str) -> None:
        if call == "stat" and storage.calls.count("part 1") == 1 and storage.calls.count("complete") == asked:
            seen = path.stat()
            path.write_bytes(bytes(seen.st_size))
            os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns + 10**10))  # a clock of files may stand still so long

    storage.trouble = trouble
    with pytest.raises(Wrong, match="changed while it was uploaded"):
        run(path, storage)
    assert len(storage.objects) == asked
    storage.trouble = lambda call: None
    assert not is_uploaded(path, ["memory"])


def test_parts_grow_with_a_file_that_needs_more_than_there_may_be(tmp_path: Path) -> None:
    storage, path = Memory(), finished(tmp_path, 40 * 128 * 2)
    assert run(path, storage) is Outcome.DONE
    assert max(sent(storage)) <= storage.most
    assert storage.objects == {KEY: path.read_bytes()}


def test_a_live_segment_that_outgrew_its_parts_begins_again_and_leaves_nothing(tmp_path: Path) -> None:
    storage, growing = Memory(), Growing(tmp_path).grow(40 * 128 * 2)
    assert run(growing.path, storage) is Outcome.WAIT
    assert max(sent(storage)) == storage.most
    path = growing.finish()
    assert run(path, storage) is Outcome.DONE
    assert storage.objects == {KEY: path.read_bytes()}
    assert not storage.open


@pytest.mark.parametrize("at", range(4))
def test_a_full_drive_stops_the_journal_not_the_segment(tmp_path: Path, at: int) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, "full")

    storage, path, disk = Memory(), finished(tmp_path, 300), Disk()
    before = path.read_bytes()
    count = Counting(at, full)
    disk.trouble = lambda call: count(call) if call in ("pwrite", "allocate", "sync") else None
    with pytest.raises(OSError, match="full"):
        run(path, storage, disk)
    assert journal_of(path, "memory").exists() == (at > 1)  # without its room there is none
    assert not is_uploaded(path, ["memory"])
    assert path.read_bytes() == before
    assert run(path, storage) is Outcome.DONE
    assert storage.objects == {KEY: before}


def test_an_upload_that_began_ends_on_a_drive_that_filled_up(tmp_path: Path) -> None:
    storage, growing, disk = Memory(), Growing(tmp_path).grow(300), Disk()
    run(growing.path, storage, disk)
    room = journal_of(growing.path, "memory").stat().st_size
    assert run(growing.finish(), storage, disk) is Outcome.DONE
    assert journal_of(growing.path, "memory").stat().st_size == room


def test_clear_gives_up_what_the_journal_says_is_ours_and_nothing_else(tmp_path: Path) -> None:
    storage, growing = Memory(), Growing(tmp_path).grow(1000)
    others = storage.begin(KEY)
    run(growing.path, storage)
    Clearing(Disk(), storage, growing.path).step()
    assert len(storage.open) == 2  # it is still there: nothing was done
    growing.part.unlink()
    Clearing(Disk(), storage, growing.path).step()
    assert list(storage.open) == [others]
    assert not journal_of(growing.path, "memory").exists()


def test_clear_leaves_what_is_uploaded(tmp_path: Path) -> None:
    storage, path = Memory(), finished(tmp_path, 1000)
    run(path, storage)
    path.unlink()
    storage.calls.clear()
    Clearing(Disk(), storage, path).step()
    assert storage.calls == []
    assert KEY in storage.objects


def test_two_uploaders_do_not_meet(tmp_path: Path) -> None:
    storage, path = Memory(), finished(tmp_path, 1000)

    def trouble(call: str) -> None:
        storage.trouble = lambda call: None
        with pytest.raises(RecorderError, match="another process"):
            transfer(path, storage).step()

    storage.trouble = trouble
    assert run(path, storage) is Outcome.DONE


def test_a_refusal_leaves_everything_as_it_was(tmp_path: Path) -> None:
    storage, path = Memory(), finished(tmp_path, 1000)

    def refuse() -> None:
        raise Refused("no")

    for at in range(0, 30, 3):
        storage.trouble = Counting(at, refuse if at % 2 else unreachable)
        try:
            outcome = run(path, storage)
        except RecorderError:
            outcome = None
        assert is_uploaded(path, ["memory"]) == (outcome is Outcome.DONE)
    storage.trouble = lambda call: None
    assert run(path, storage) is Outcome.DONE
    assert storage.objects == {KEY: path.read_bytes()}


def test_what_is_uploaded_to_no_storage_is_not_uploaded(tmp_path: Path) -> None:
    storage, path = Memory(), finished(tmp_path, 1000)
    run(path, storage)
    assert not is_uploaded(path, [])
    assert not is_uploaded(path, ["memory", "other"])
    assert not is_uploaded(tmp_path / "none.mp4", ["memory"])


def test_nothing_is_said_in_vain(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "usenet.recorder.upload")
    run(finished(tmp_path, 1000), Memory())
    assert [record.message for record in caplog.records] == [f"{NAME}: uploaded to memory and checked there"]
