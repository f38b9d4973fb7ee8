"""A chunk as fragment, as record of the index and as rows of the final tables: three forms of the same samples."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usenet.recorder import fragment, index
from usenet.recorder.align import from_sync
from usenet.recorder.boxes.box import boxes, find
from usenet.recorder.errors import Damaged
from usenet.recorder.fragment import Chunk
from usenet.recorder.pending import Pending
from usenet.recorder.policy import Flush
from usenet.recorder.tables import Table

from .takes import AUDIO, VIDEO

Samples = list[tuple[int, int, bool, int]]  # step, cts, sync, size

SAMPLES = st.lists(
    st.tuples(st.integers(1, 9000), st.integers(-5000, 5000) | st.just(0), st.booleans(), st.integers(1, 30)),
    min_size=1,
    max_size=20,
)


def pending(*tracks: Samples) -> tuple[Chunk, bytes]:
    """What the writer makes of samples, one list a track."""
    rows = Pending([VIDEO, AUDIO], Flush("bytes"))
    for number, samples in enumerate(tracks, 1):
        dts = 0
        for step, cts, sync, size in samples:
            dts += step
            rows.add(number, bytes([number]) * size, dts, cts, 0, sync, 5)
    chunk, payload = rows.chunk(4, 1000, 2)
    moof, length = fragment.write(chunk, 77)
    assert len(moof) == length
    return chunk._replace(moof_len=length), moof + struct.pack(">I4s", 8 + chunk.payload_len, b"mdat") + b"".join(
        payload
    )


@given(SAMPLES, SAMPLES)
def test_a_fragment_says_what_was_written(video: Samples, audio: Samples) -> None:
    chunk, data = pending(video, audio)
    assert fragment.read(data[: chunk.moof_len], 1000, 77) == chunk


@given(SAMPLES, SAMPLES)
def test_a_record_says_what_was_written(video: Samples, audio: Samples) -> None:
    chunk, _ = pending(video, audio)
    data = memoryview(index.record(chunk, 77))
    [(at, row)] = index.records(data, 0, 1000, 77, 4)
    assert tuple(index.runs(data, at, row)) == chunk.runs
    assert (row.seq, row.off, row.end, row.durable) == (4, 1000, chunk.end, 2)


@given(SAMPLES, st.data())
def test_no_changed_byte_of_a_header_goes_unseen(video: Samples, data: st.DataObject) -> None:
    chunk, whole = pending(video)
    moof = bytearray(whole[: chunk.moof_len])
    moof[data.draw(st.integers(0, len(moof) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Damaged):
        fragment.read(moof, 1000, 77)


def test_a_fragment_of_another_place_or_file_is_none_of_ours() -> None:
    chunk, whole = pending([(1, 0, True, 1)])
    for off, nonce in ((1001, 77), (1000, 78)):
        with pytest.raises(Damaged, match="another"):
            fragment.read(whole[: chunk.moof_len], off, nonce)


def column(stbl: bytes, kind: str, form: str) -> list[tuple[int, ...]]:
    box = find(stbl, kind)
    if box is None:
        return []
    size = struct.calcsize(form)
    (count,) = struct.unpack_from(">I", stbl, box.body + 4)
    return [struct.unpack_from(form, stbl, box.body + 8 + at * size) for at in range(count)]


@given(st.lists(SAMPLES, min_size=1, max_size=6))
def test_the_final_tables_hold_every_sample(chunks: list[Samples]) -> None:
    table, dts, off = Table(1), 0, 5000
    wanted_dts, wanted_cts, wanted_sync, sizes, last = [], [], [], [], 0
    for samples in chunks:
        rows = Pending([VIDEO], Flush("bytes"))
        for step, cts, sync, size in samples:
            dts += step
            rows.add(1, bytes(size), dts, cts, 0, sync, 0)
            wanted_dts.append(dts)
            wanted_cts.append(cts)
            wanted_sync.append(sync)
            sizes.append(size)
        chunk, _ = rows.chunk(1, 0, 0)
        table.add(off, chunk.runs[0])
        off, last = off + 10_000, len(samples)
    stbl = b"".join(table.stbl(b"", 7))
    steps = [delta for count, delta in column(stbl, "stts", ">II") for _ in range(count)]
    assert [wanted_dts[0] + sum(steps[:at]) for at in range(len(steps))] == wanted_dts
    offsets = [offset for count, offset in column(stbl, "ctts", ">Ii") for _ in range(count)]
    assert (offsets or [0] * len(sizes)) == wanted_cts
    marked = {number for (number,) in column(stbl, "stss", ">I")}
    assert (
        all(wanted_sync)
        if find(stbl, "stss") is None
        else marked == {at for at, sync in enumerate(wanted_sync, 1) if sync}
    )
    assert [at for (at,) in column(stbl, "co64", ">Q")] == [5007 + 10_000 * at for at in range(len(chunks))]
    box = find(stbl, "stsz")
    assert box is not None
    assert struct.unpack_from(f">{len(sizes)}I", stbl, box.body + 12) == tuple(sizes)
    assert table.end == wanted_dts[-1] + steps[-1]
    assert last


@given(SAMPLES)
def test_an_aligned_run_is_the_rest_from_its_first_sync_sample(video: Samples) -> None:
    chunk, _ = pending(video)
    run = chunk.runs[0]
    first = next((at for at, sample in enumerate(video) if sample[2]), None)
    skipped, rest = from_sync(run)
    if first is None:
        assert rest is None
        return
    assert rest is not None
    assert skipped == sum(size for *_, size in video[:first])
    assert rest.base == run.base + sum(step for step, *_ in video[1 : first + 1])
    assert rest.samples == len(video) - first
    assert rest.sizes == run.sizes[4 * first :]


def test_boxes_that_do_not_fit_are_damage() -> None:
    for data in (
        b"\0\0\0\x07moov",
        b"\0\0\0\x10moov",
        b"\0\0\0",
        b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x09",
        b"\0\0\0\x01mdat",
    ):
        with pytest.raises(Damaged):
            list(boxes(data))
    assert [box.kind for box in boxes(b"\0\0\0\x08free\0\0\0\0mdatrest")] == [b"free", b"mdat"]
