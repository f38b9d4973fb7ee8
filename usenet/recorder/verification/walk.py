"""Every box of a file: whether it fits into its parent, belongs there, and stands where it should."""

from __future__ import annotations

from typing import Final

from ..boxes.box import Box
from ..errors import Damaged
from ..reader import At, Source
from ..reader.source import name
from .findings import Findings

_TOP: Final = b"file"
_CHILDREN: Final = {
    _TOP: b"ftyp moov moof mdat mfra sidx styp",
    b"moov": b"mvhd trak mvex iods",
    b"mvex": b"trex mehd",
    b"trak": b"tkhd edts mdia tref",
    b"edts": b"elst",
    b"mdia": b"mdhd minf",
    b"minf": b"vmhd smhd nmhd sthd dinf stbl",
    b"dinf": b"dref",
    b"stbl": b"stsd stts ctts stss stsc stsz stz2 stco co64",
    b"moof": b"mfhd traf",
    b"traf": b"tfhd tfdt trun",
}
_HOME: Final = {kind: parent for parent, kinds in _CHILDREN.items() for kind in kinds.split()}
_OPEN: Final = {b"moov", b"trak", b"edts", b"mdia", b"minf", b"dinf", b"stbl", b"mvex", b"moof", b"traf", b"udta"}
_FIRST: Final = {b"moof": b"mfhd", b"traf": b"tfhd", b"moov": b"mvhd", b"trak": b"tkhd"}
_ONCE: Final = {b"moov": (b"mvhd", b"mvex"), _TOP: (b"moov", b"ftyp"), b"trak": (b"tkhd", b"mdia"), b"moof": (b"mfhd",)}


class Walk:
    """Counts the boxes it has seen in `boxes`; what it finds goes to `findings`."""

    def __init__(self, source: Source, findings: Findings) -> None:
        self.boxes = 0
        self._source = source
        self._findings = findings
        self._seq = 0

    def file(self, *, torn: bool) -> None:
        """All of it; with `torn` a last box that is cut off is no finding."""
        try:
            self._row(_TOP, 0, self._source.size)
        except At as error:
            if not torn:
                self._findings.add(error.offset, error.message)

    def _row(self, parent: bytes, start: int, end: int) -> None:
        before: list[bytes] = []
        for each in self._source.boxes(start, end):
            self.boxes += 1
            self._place(parent, each, before)
            if each.kind in _OPEN and _HOME.get(each.kind, parent) == parent:
                self._inside(each)
            if each.kind == b"mfhd" and parent == b"moof":
                self._sequence(each)
            if len(before) < 64 and each.kind not in before:
                before.append(each.kind)
        if parent == _TOP and b"moov" not in before:
            self._findings.add(0, "the file has no moov box")

    def _inside(self, each: Box) -> None:
        """A box that does not fit into its parent ends the parent, not the walk."""
        try:
            self._row(each.kind, each.body, each.end)
        except At as error:
            self._findings.add(error.offset, f"in {name(each.kind)}: {error.message}")

    def _place(self, parent: bytes, each: Box, before: list[bytes]) -> None:
        if _HOME.get(each.kind, parent) != parent:
            self._say(each, f"box {name(each.kind)} does not belong into {name(parent)}")
        if each.kind in _ONCE.get(parent, ()) and each.kind in before:
            self._say(each, f"box {name(parent)} has a second {name(each.kind)}")
        if not before and parent in _FIRST and each.kind != _FIRST[parent]:
            self._say(each, f"box {name(parent)} begins with {name(each.kind)}, not with {name(_FIRST[parent])}")
        if each.kind == b"ftyp" and before and parent == _TOP:
            self._say(each, "box ftyp is not the first of the file")
        if each.kind == b"moof" and b"moov" not in before:
            self._say(each, "box moof stands before moov")

    def _sequence(self, each: Box) -> None:
        try:
            seq = int.from_bytes(self._source.body(each, 8)[4:8], "big")
        except Damaged as error:
            self._say(each, error.message)
            return
        if seq <= self._seq:
            self._say(each, f"fragment {seq} comes behind fragment {self._seq}")
        self._seq = seq

    def _say(self, each: Box, sentence: str) -> None:
        self._findings.add(each.start, sentence, sentence.split(" at ", maxsplit=1)[0])
