"""What a movie tells of itself: title, place and tags, as boxes and read back from them."""

from __future__ import annotations

import struct
from itertools import chain

from .boxes.box import Buffer, box, boxes, find, full
from .errors import Damaged
from .tracks import Movie

_PLACE = b"\xa9xyz"
_u32 = struct.Struct(">I")


def write(movie: Movie) -> list[bytes]:
    """Boxes for a moov. Title and tags as QuickTime metadata keys; title and place where older readers look, too."""
    pairs = [("title", movie.title)] * bool(movie.title) + list(movie.tags)
    udta = []
    if movie.title:
        udta.append(_itunes(movie.title))
    if movie.location:
        place = movie.location.encode()
        udta.append(box(_PLACE, struct.pack(">HH", len(place), 0x15C7), place))
    out = [box(b"udta", *udta)] if udta else []
    return [*out, _keys(pairs)] if pairs else out


def _itunes(title: str) -> bytes:
    hdlr = full(b"hdlr", 0, 0, bytes(4), b"mdir", b"appl", bytes(8), b"\0")
    data = box(b"data", struct.pack(">II", 1, 0), title.encode())
    return full(b"meta", 0, 0, hdlr, box(b"ilst", box(b"\xa9nam", data)))


def _keys(pairs: list[tuple[str, str]]) -> bytes:
    hdlr = full(b"hdlr", 0, 0, bytes(4), b"mdta", bytes(12), b"\0")
    keys = full(b"keys", 0, 0, _u32.pack(len(pairs)), *(box(b"mdta", key.encode()) for key, _ in pairs))
    values = [
        box(_u32.pack(at), box(b"data", struct.pack(">II", 1, 0), value.encode()))
        for at, (_, value) in enumerate(pairs, 1)
    ]
    return full(b"meta", 0, 0, hdlr, keys, box(b"ilst", *values))


def read(data: Buffer) -> Movie:
    """From a buffer with a moov, live or finished; without its time of creation. Damaged if a box does not fit."""
    moov = find(data, "moov")
    if moov is None:
        raise Damaged("there is no moov")
    pairs = list(
        chain.from_iterable(
            _pairs(data, at.body, at.end) for at in boxes(data, moov.body, moov.end) if at.kind == b"meta"
        )
    )
    title = next((value for key, value in pairs if key == "title"), "")
    return Movie(
        title=title, location=_place(data, moov.body, moov.end), tags=tuple(p for p in pairs if p[0] != "title")
    )


def _pairs(data: Buffer, start: int, end: int) -> list[tuple[str, str]]:
    """Keys and values of a `meta` box in the form of `write`; others have none."""
    keys, values = find(data, "keys", start + 4, end), find(data, "ilst", start + 4, end)
    if keys is None or values is None:
        return []
    names = [_text(data, key.body, key.end) for key in boxes(data, keys.body + 8, keys.end)]
    out = []
    for value in boxes(data, values.body, values.end):
        number, held = int.from_bytes(value.kind, "big"), find(data, "data", value.body, value.end)
        if held is not None and 0 < number <= len(names):
            out.append((names[number - 1], _text(data, held.body + 8, held.end)))
    return out


def _place(data: Buffer, start: int, end: int) -> str:
    for udta in boxes(data, start, end):
        if udta.kind == b"udta":
            for each in boxes(data, udta.body, udta.end):
                if each.kind == _PLACE:
                    return _text(data, each.body + 4, each.end)
    return ""


def _text(data: Buffer, start: int, end: int) -> str:
    return bytes(data[start:end]).decode(errors="replace")
