"""Jellyfin is told of its card once, when that changes; what a person set stays."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usenet.domain.codecs import CODECS
from usenet.domain.hardware.jellyfin import edited
from usenet.domain.plan import Encoder

SOFTWARE = Encoder(kind="software")
VAAPI = Encoder(
    kind="vaapi",
    gpu="0000:00:02.0",
    device="/dev/dri/renderD128",
    decode=("mpeg2", "jpeg", "h264", "hevc", "hevc-10"),
    encode=("h264",),
)
NVENC = Encoder(kind="nvenc", gpu="0000:01:00.0")
# As a fresh Jellyfin 10.11 writes it, in part.
OWN = """<?xml version="1.0" encoding="utf-8"?>
<EncodingOptions xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <EncodingThreadCount>-1</EncodingThreadCount>
  <HardwareAccelerationType>{kind}</HardwareAccelerationType>
  <VaapiDevice>/dev/dri/renderD128</VaapiDevice>
  <EncoderPreset xsi:nil="true" />
  <HardwareDecodingCodecs>
    <string>h264</string>
    <string>vc1</string>
  </HardwareDecodingCodecs>
</EncodingOptions>
"""


def read(text: str) -> dict[str, object]:
    root = ET.fromstring(text)
    codecs = [one.text for one in root.findall("HardwareDecodingCodecs/string")]
    return {one.tag: one.text for one in root if one.tag != "HardwareDecodingCodecs"} | {"codecs": codecs}


def test_a_new_file_has_what_the_card_can_do_and_nothing_else() -> None:
    assert read(edited("", None, VAAPI)) == {
        "HardwareAccelerationType": "vaapi",
        "EnableHardwareEncoding": "true",
        "VaapiDevice": "/dev/dri/renderD128",
        "EnableDecodingColorDepth10Hevc": "true",
        "EnableDecodingColorDepth10Vp9": "false",
        "codecs": ["mpeg2video", "h264", "hevc"],
    }


def test_software_is_jellyfins_own_default() -> None:
    assert edited("", None, SOFTWARE) == ""


def test_what_could_not_be_probed_is_left_to_jellyfin() -> None:
    assert read(edited("", None, NVENC)) == {
        "HardwareAccelerationType": "nvenc",
        "EnableHardwareEncoding": "true",
        "codecs": [],
    }


def test_a_decoder_alone_does_not_encode() -> None:
    assert read(edited("", None, replace(NVENC, encode=())))["EnableHardwareEncoding"] == "false"


def test_the_rest_of_a_file_stays() -> None:
    found = read(edited(OWN.format(kind="none"), None, replace(VAAPI, kind="qsv")))
    assert found["EncodingThreadCount"] == "-1"
    assert (found["HardwareAccelerationType"], found["QsvDevice"]) == ("qsv", "/dev/dri/renderD128")
    assert found["codecs"] == ["mpeg2video", "h264", "hevc"]
    assert 'nil="true"' in edited(OWN.format(kind="none"), None, VAAPI)


def test_what_a_person_turned_off_or_chose_stays() -> None:
    off = OWN.format(kind="none")
    assert edited(off, VAAPI, VAAPI) == off
    by_hand = OWN.format(kind="amf")
    assert edited(by_hand, None, VAAPI) == edited(by_hand, VAAPI, NVENC) == by_hand


def test_another_card_and_none_any_more() -> None:
    ours = edited("", None, VAAPI)
    assert read(edited(ours, VAAPI, NVENC))["HardwareAccelerationType"] == "nvenc"
    assert read(edited(ours, VAAPI, SOFTWARE))["HardwareAccelerationType"] == "none"
    by_hand = OWN.format(kind="vaapi")
    assert edited(by_hand, SOFTWARE, replace(SOFTWARE)) == by_hand


def test_a_user_who_can_probe_less_changes_nothing() -> None:
    ours = edited("", None, replace(VAAPI, kind="qsv"))
    less = replace(VAAPI, kind="vaapi", decode=None, encode=None)
    assert edited(ours, replace(VAAPI, kind="qsv"), less) == ours


@pytest.mark.parametrize("text", ["<EncodingOptions>", "nonsense", "\0"])
def test_a_file_that_cant_be_read_is_left_alone(text: str) -> None:
    assert edited(text, None, VAAPI) == text


ENCODERS = st.builds(
    Encoder,
    kind=st.sampled_from(["software", "vaapi", "qsv", "nvenc", "v4l2m2m"]),
    gpu=st.sampled_from(["", "0000:00:02.0", "0000:01:00.0"]),
    device=st.sampled_from(["", "/dev/dri/renderD128", "/dev/video10"]),
    decode=st.none() | st.lists(st.sampled_from(CODECS), unique=True).map(tuple),
    encode=st.none() | st.lists(st.sampled_from(CODECS), unique=True).map(tuple),
)


@given(st.none() | ENCODERS, ENCODERS)
def test_a_second_look_changes_nothing(before: Encoder | None, now: Encoder) -> None:
    once = edited("", before, now)
    assert edited(once, now, now) == once
    assert once == "" or read(once)["HardwareAccelerationType"] == now.kind
