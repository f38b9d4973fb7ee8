"""Jellyfin's encoding options: what its encoding.xml must say so that it uses the card that it was given.

Source: Jellyfin 10.11, MediaBrowser.Model (EncodingOptions, HardwareAccelerationType). Options that the file does not
have keep Jellyfin's defaults.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from usenet.domain.plan import Encoder

_TYPE = "HardwareAccelerationType"
_CODECS = "HardwareDecodingCodecs"
_NAMES = {"mpeg2": "mpeg2video"}  # the others have ffmpeg's name already
_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'


def edited(text: str, before: Encoder | None, now: Encoder) -> str:
    """The file for the card given `now`; `before`: what was given when the stack was last written; empty: no file.

    The same text where nothing is to be changed: the card is the same, so that what a person set stays; the person
    chose a way of acceleration before we gave any; or the file can't be read.
    """
    fresh = not text.strip()
    if fresh and now.kind == "software":
        return text
    if not fresh and before and _same(before, now):
        return text
    try:
        root = ET.fromstring(text) if not fresh else ET.Element("EncodingOptions")  # noqa: S314 - our own service's file
    except ET.ParseError:
        return text
    if _chosen_by_hand(root, before):
        return text
    for name, value in _values(now).items():
        _child(root, name).text = value
    if now.decode is not None:
        _list(root, [_NAMES.get(codec, codec) for codec in now.decode if not codec.endswith("-10") and codec != "jpeg"])
    ET.indent(root)
    return f"{_HEAD}{ET.tostring(root, encoding='unicode')}\n"


def _same(before: Encoder, now: Encoder) -> bool:
    """The kind may differ by what could be probed, which is not the same for every user."""
    known = now.encode is not None and before.encode is not None
    return (before.gpu, before.device) == (now.gpu, now.device) and (before.kind == now.kind or not known)


def _chosen_by_hand(root: ET.Element, before: Encoder | None) -> bool:
    """Whether the file names another way than the one that we gave, or one that we never gave."""
    current = (root.findtext(_TYPE) or "none").strip()
    ours = before.kind if before and before.kind != "software" else "none"
    return current not in ("none", ours)


def _values(now: Encoder) -> dict[str, str]:
    if now.kind == "software":
        return {_TYPE: "none"}
    values = {_TYPE: now.kind, "EnableHardwareEncoding": _word(now.encode is None or bool(now.encode))}
    if now.kind in ("vaapi", "qsv"):
        values["VaapiDevice"] = now.device
    if now.kind == "qsv":
        values["QsvDevice"] = now.device
    if now.decode is not None:
        values["EnableDecodingColorDepth10Hevc"] = _word("hevc-10" in now.decode)
        values["EnableDecodingColorDepth10Vp9"] = _word("vp9-10" in now.decode)
    return values


def _word(on: bool) -> str:
    return "true" if on else "false"


def _child(root: ET.Element, name: str) -> ET.Element:
    found = root.find(name)
    return ET.SubElement(root, name) if found is None else found


def _list(root: ET.Element, codecs: list[str]) -> None:
    parent = _child(root, _CODECS)
    parent.clear()
    for codec in codecs:
        ET.SubElement(parent, "string").text = codec
