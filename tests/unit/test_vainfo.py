"""What vainfo prints, read: any text at all, both of its forms, and answers that are none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.gpu_bed import Bed, printed
from usenet.adapters import vainfo
from usenet.domain.codecs import CODECS
from usenet.domain.errors import SystemFailure

PROFILES = [
    *("None", "MPEG2Simple", "MPEG2Main", "VC1Simple", "VC1Main", "VC1Advanced", "JPEGBaseline", "VP8Version0_3"),
    *("H264ConstrainedBaseline", "H264Main", "H264High", "H264High10", "H264StereoHigh", "HEVCMain", "HEVCMain10"),
    *("HEVCMain12", "HEVCMain422_10", "HEVCSccMain10", "VP9Profile0", "VP9Profile1", "VP9Profile2", "AV1Profile0"),
]
ENTRYPOINTS = ["VLD", "EncSlice", "EncSliceLP", "EncPicture", "FEI", "Stats", "VideoProc"]
line = st.one_of(
    st.text(max_size=60),
    st.builds(
        "{}VAProfile{}{}VAEntrypoint{}".format,
        st.sampled_from(["", " ", "      ", "\t", "x"]),
        st.one_of(st.sampled_from(PROFILES), st.text(max_size=8)),
        st.sampled_from(["/", ":", " : ", ":\t", "  :  ", ""]),
        st.one_of(st.sampled_from(ENTRYPOINTS), st.text(max_size=8)),
    ),
    st.sampled_from(["    VAConfigAttribRTFormat : VA_RT_FORMAT_YUV420_10", "vainfo: Driver version: x", ""]),
)


@given(st.lists(line).map("\n".join))
def test_no_text_breaks_the_reading_and_only_known_codecs_come_out(text: str) -> None:
    told = vainfo.parse(text)
    for codecs in (told.decode, told.encode):
        assert codecs is not None
        assert list(codecs) == [codec for codec in CODECS if codec in codecs]


@given(st.dictionaries(st.sampled_from(PROFILES), st.lists(st.sampled_from(ENTRYPOINTS), min_size=1, unique=True)))
def test_both_forms_tell_the_same(profiles: dict[str, list[str]]) -> None:
    brief = printed("a driver", {one: " ".join(entries) for one, entries in profiles.items()})
    whole = printed(
        "a driver", {one: " ".join(f"{each}:YUV420" for each in entries) for one, entries in profiles.items()}
    )

    assert vainfo.parse(brief) == vainfo.parse(whole)
    assert vainfo.parse(brief).by == "vainfo: a driver"


@pytest.mark.parametrize(
    ("profiles", "decode", "encode"),
    [
        ({"H264High": "VLD EncSliceLP"}, ("h264",), ("h264",)),
        ({"JPEGBaseline": "EncPicture"}, (), ("jpeg",)),
        ({"H264Main": "VLD", "H264StereoHigh": "VLD"}, (), ()),  # what files are in is High
        ({"HEVCMain10": "VLD", "HEVCMain": "EncSlice"}, ("hevc-10",), ("hevc",)),
        ({"H264High": "FEI Stats", "None": "VideoProc"}, (), ()),
        ({"AV1Profile0": "VLD EncSlice"}, ("av1",), ("av1",)),  # the short form does not tell of ten bits
        ({"AV1Profile0": "VLD:YUV420,YUV420_10 EncSlice:YUV420"}, ("av1", "av1-10"), ("av1",)),
        ({"H264High": "VLD:YUV420,YUV420_10", "AV1Profile0": "VLD:YUV420"}, ("h264", "av1"), ()),
    ],
)
def test_a_profile_and_an_entrypoint_are_a_codec(
    profiles: dict[str, str], decode: tuple[str, ...], encode: tuple[str, ...]
) -> None:
    told = vainfo.parse(printed("a driver", profiles))
    assert (told.decode, told.encode) == (decode, encode)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 1", "vainfo failed with code 1: it said nothing"),
        ("echo 'Failed to open the given device!' >&2; exit 2", "code 2: Failed to open the given device!"),
        (
            "echo 'libva error: x init failed' >&2; echo 'the end,exit' >&2; exit 3",
            "code 3: libva error: x init failed",
        ),
        ("echo 'Usage: vainfo --help'", "nothing that tells of a driver"),
        ("exit 0", "nothing that tells of a driver"),
    ],
)
def test_an_answer_that_is_none(script: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Bed(tmp_path, monkeypatch).tool("vainfo", script)
    with pytest.raises(SystemFailure) as failure:
        vainfo.ask("/dev/dri/renderD128")
    assert failure.value.message.endswith(said)
