"""What a movie tells of itself: title, place and tags, as boxes and read back from them."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from .boxes.box import Box, Buffer, box, boxes, find, full
from .errors import Damaged
from .tracks import Movie

_PLACE = b"\xa9xyz"
_TITLE = b"\xa9nam"
_TAG = b"----"
_HANDLER = full(b"hdlr", 0, 0, bytes(4), b"mdir", b"appl", bytes(8), b"\0")


def write(movie: Movie) -> list[bytes]:
    """Boxes for a moov: title and tags as iTunes's list, which libav, GStreamer and MediaInfo read, and the place."""
    items = [box(_TITLE, _data(movie.title))] if movie.title else []
    for key, value in movie.tags:
        named = full(b"mean", 0, 0, b"com.apple.iTunes") + full(b"name", 0, 0, key.encode())
        items.append(box(_TAG, named, _data(value)))
    udta = [full(b"meta", 0, 0, _HANDLER, box(b"ilst", *items))] if items else []
    if movie.location:
        place = movie.location.encode()
        udta.append(box(_PLACE, struct.pack(">HH", len(place), 0x15C7), place))
    return [box(b"udta", *udta)] if udta else []


def _data(value: str) -> bytes:
    return box(b"data", struct.pack(">II", 1, 0), value.encode())


def read(data: Buffer) -> Movie:
    """From a buffer with a moov, live or finished; without its time of creation. Damaged if a box does not fit."""
    moov = find(data, "moov")
    if moov is None:
        raise Damaged("there is no moov")
    title, place, tags = "", "", []
    for each in _told(data, moov):
        if each.kind == _PLACE:
            place = _text(data, each.body + 4, each.end)
        elif each.kind == _TITLE:
            title = _inner(data, each, "data", 8)
        elif each.kind == _TAG:
            tags.append((_inner(data, each, "name", 4), _inner(data, each, "data", 8)))
    return Movie(title=title, location=place, tags=tuple(tags))


def _told(data: Buffer, moov: Box) -> Iterator[Box]:
    """The boxes in udta, and in place of its `meta` those in the list there."""
    for udta in (each for each in boxes(data, moov.body, moov.end) if each.kind == b"udta"):
        for each in boxes(data, udta.body, udta.end):
            if each.kind != b"meta":
                yield each
                continue
            items = find(data, "ilst", min(each.body + 4, each.end), each.end)
            if items is not None:
                yield from boxes(data, items.body, items.end)


def _inner(data: Buffer, item: Box, kind: str, skip: int) -> str:
    found = find(data, kind, item.body, item.end)
    return _text(data, found.body + skip, found.end) if found else ""


def _text(data: Buffer, start: int, end: int) -> str:
    return bytes(data[start:end]).decode(errors="replace")
