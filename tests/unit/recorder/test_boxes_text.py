"""Subtitles and timed metadata: what goes into a sample comes out of it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usenet.recorder.boxes import meta, text
from usenet.recorder.boxes.box import boxes, find
from usenet.recorder.errors import BadSample, Damaged

WORDS = st.text(st.characters(exclude_categories=["Cs"]))


@given(WORDS)
def test_a_cue_of_timed_text_is_read_as_it_was_written(words: str) -> None:
    assert text.read_tx3g(text.tx3g_cue(words)) == words
    assert text.read_tx3g(text.tx3g_cue(words) + b"\0\0\0\x0cstyl\0\0\0\0") == words


def test_timed_text_has_a_style_and_a_font_and_takes_a_header_as_it_is() -> None:
    entry = text.tx3g(1, 1000).entry
    assert entry[4:8] == b"tx3g"
    assert [inner.kind for inner in boxes(entry, 16 + 30)] == [b"ftab"]
    header = entry[16:].replace(b"Sans-Serif", b"Monospaced")
    assert text.tx3g(1, 1000, header).entry[16:] == header
    with pytest.raises(Damaged, match="30 bytes or more"):
        text.tx3g(1, 1000, header[:29])
    with pytest.raises(BadSample, match="65536 bytes"):
        text.tx3g_cue("x" * 65536)


@given(st.lists(st.binary()), st.binary(), st.binary())
def test_cues_of_webvtt_are_read_as_they_were_written(cues: list[bytes], identifier: bytes, layout: bytes) -> None:
    sample = b"".join(text.wvtt_cue(cue, identifier=identifier, layout=layout) for cue in cues)
    assert text.read_wvtt(sample) == cues
    assert text.read_wvtt(text.NO_CUE + sample) == cues


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        (b"", b"WEBVTT"),
        (b"\xef\xbb\xbfWEBVTT\n\nSTYLE\n::cue {}\n\n", b"WEBVTT\n\nSTYLE\n::cue {}"),
        (b"STYLE\n::cue {}", b"WEBVTT\n\nSTYLE\n::cue {}"),
    ],
)
def test_webvtt_keeps_what_stands_above_its_cues(header: bytes, kept: bytes) -> None:
    entry = text.wvtt(1, 1000, header).entry
    (inner,) = boxes(entry, 16)
    assert (inner.kind, entry[inner.body : inner.end]) == (b"vttC", kept)


@given(st.binary(max_size=40))
def test_samples_of_any_bytes_are_read_or_damaged(data: bytes) -> None:
    for read in (text.read_tx3g, text.read_wvtt):
        with contextlib.suppress(Damaged):
            read(data)
    with contextlib.suppress(Damaged):
        text.tx3g(1, 1000, bytes(30) + data)


def test_metadata_says_what_its_samples_are() -> None:
    entry = meta.mett(1, 1000, meta.ONVIF).entry
    assert entry[4:8] == b"mett"
    assert entry[16:] == b"\0application/vnd.onvif.metadata+xml\0"
    entry = meta.urim(1, 1000, meta.KLV).entry
    (inner,) = boxes(entry, 16)
    assert entry[inner.body + 4 : inner.end] == meta.KLV.encode() + b"\0"
    assert find(entry, "uri ", 16) == inner
    with pytest.raises(BadSample, match="can't stand"):
        meta.mett(1, 1000, "text\0plain")
