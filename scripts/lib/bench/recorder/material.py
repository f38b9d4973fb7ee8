"""What is recorded: eight seconds of 1080p at 4 Mbit/s with sound, made once a run and repeated from memory."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from bench.timing import run

FRAMES, RATE = 240, 30
SOUNDS, SOUND = 375, 1024  # AAC frames of 1,024 samples at 48 kHz: exactly as long as the pictures
SECONDS = FRAMES / RATE
VIDEO, AUDIO = 1, 2

_SOURCE = """-f lavfi -i testsrc2=s=1920x1080:r=30,noise=alls=12:allf=t
    -f lavfi -i sine=r=48000 -t 8.1"""
_CODING = """-c:v libx264 -preset ultrafast -tune zerolatency -g 60 -keyint_min 60 -sc_threshold 0
    -b:v 4M -minrate 4M -maxrate 4M -bufsize 4M -c:a aac -b:a 64k -ac 1"""


class Piece(NamedTuple):
    """One coded picture or sound; times in ticks of its track: 15,360 or 48,000 per second."""

    track: int
    dts: int
    duration: int
    sync: bool
    data: bytes


SCALES = {VIDEO: 15360, AUDIO: 48000}


@dataclass(frozen=True, slots=True)
class Material:
    """`entries`: the sample entry boxes, by track. `settings`: what they say of the codecs, as FLV wants it."""

    file: Path
    pieces: tuple[Piece, ...]
    entries: dict[int, bytes]
    settings: dict[int, bytes]

    @property
    def bytes(self) -> int:
        return sum(len(piece.data) for piece in self.pieces)

    def repeated(self, seconds: float) -> Iterator[Piece]:
        """The pieces in order of time, again and again, until so many seconds of media have come."""
        again = 0
        while True:
            shift = {track: round(again * SECONDS * scale) for track, scale in SCALES.items()}
            for piece in self.pieces:
                dts = piece.dts + shift[piece.track]
                if piece.track == VIDEO and dts >= seconds * SCALES[VIDEO]:
                    return
                yield piece._replace(dts=dts)
            again += 1

    def thin(self) -> Material:
        """The same pieces with an eighth of their bytes: for what never looks into them."""
        return replace(self, pieces=tuple(p._replace(data=p.data[: len(p.data) // 8 + 1]) for p in self.pieces))

    def sums(self) -> list[int]:
        """CRC-32 of each picture, by which it is known in what a player was handed."""
        return [zlib.crc32(piece.data) for piece in self.pieces if piece.track == VIDEO]


def make(folder: Path) -> Material:
    """Encode it, and lay it down so that `load` needs no other library to read it."""
    import av

    file = folder / "encoded.mp4"
    run(["ffmpeg", "-v", "error", "-y", *_SOURCE.split(), *_CODING.split(), str(file)])
    pieces: list[Piece] = []
    with av.open(str(file)) as source:
        tracks = {stream.index: VIDEO if stream.type == "video" else AUDIO for stream in source.streams}
        settings = {tracks[s.index]: bytes(s.codec_context.extradata or b"") for s in source.streams}
        seen = {VIDEO: 0, AUDIO: 0}
        for packet in source.demux():
            if packet.dts is None or packet.dts < 0:
                continue
            track = tracks[packet.stream_index]
            number, seen[track] = seen[track], seen[track] + 1
            if number < (FRAMES if track == VIDEO else SOUNDS):
                step = SCALES[VIDEO] // RATE if track == VIDEO else SOUND
                pieces.append(Piece(track, number * step, step, packet.is_keyframe, bytes(packet)))
    pieces.sort(key=lambda piece: (piece.dts / SCALES[piece.track], piece.track))
    made = Material(folder / "source.mp4", tuple(pieces), _entries(file.read_bytes()), settings)
    _lay_down(folder, made)
    _repeatable(file, made)
    return made


def load(folder: Path) -> Material:
    """What `make` left in this folder, in a process of its own."""
    told = json.loads((folder / "material.json").read_text())
    data, at, pieces = (folder / "material.bin").read_bytes(), 0, []
    for track, dts, duration, sync, size in told["pieces"]:
        pieces.append(Piece(track, dts, duration, sync, data[at : at + size]))
        at += size
    boxes = [{int(key): bytes.fromhex(value) for key, value in told[name].items()} for name in ("entries", "settings")]
    return Material(folder / "source.mp4", tuple(pieces), *boxes)


def _lay_down(folder: Path, made: Material) -> None:
    (folder / "material.bin").write_bytes(b"".join(piece.data for piece in made.pieces))
    told = {
        "pieces": [[*piece[:4], len(piece.data)] for piece in made.pieces],
        "entries": {track: entry.hex() for track, entry in made.entries.items()},
        "settings": {track: entry.hex() for track, entry in made.settings.items()},
    }
    (folder / "material.json").write_text(json.dumps(told))


def _repeatable(encoded: Path, made: Material) -> None:
    """The same pieces as MP4: each repetition by ffmpeg begins exactly where the one before ended."""
    import av

    from bench.recorder.libav import packets

    with av.open(str(encoded)) as source, av.open(str(made.file), "w") as sink:
        tracks = {VIDEO: sink.add_stream_from_template(source.streams.video[0])}
        tracks[AUDIO] = sink.add_stream_from_template(source.streams.audio[0])
        for packet in packets(made, SECONDS, tracks):
            sink.mux(packet)


def _entries(data: bytes) -> dict[int, bytes]:
    from usenet.recorder.boxes.box import boxes, find

    moov, found = find(data, "moov"), {}
    assert moov
    for trak in (each for each in boxes(data, moov.body, moov.end) if each.kind == b"trak"):
        stsd = find(data, "mdia/minf/stbl/stsd", trak.body, trak.end)
        assert stsd
        (size,) = struct.unpack_from(">I", data, stsd.body + 8)
        entry = data[stsd.body + 8 : stsd.body + 8 + size]
        found[AUDIO if entry[4:8] == b"mp4a" else VIDEO] = entry
    return found


class Tag(NamedTuple):
    """One piece as FLV, which every recorder here reads from a pipe; `due`: seconds after the first."""

    due: float
    picture: bool
    data: bytes


def flv(material: Material, seconds: float) -> Iterator[Tag]:
    """A whole FLV stream, piece by piece: what each recorder was given is known to the byte."""
    head = b"FLV\x01\x05" + struct.pack(">II", 9, 0)
    head += _tag(9, 0, b"\x17\x00\x00\x00\x00" + material.settings[VIDEO])
    yield Tag(0.0, False, head + _tag(8, 0, b"\xaf\x00" + material.settings[AUDIO]))
    for piece in material.repeated(seconds):
        due = piece.dts / SCALES[piece.track]
        if piece.track == VIDEO:
            body = (b"\x17" if piece.sync else b"\x27") + b"\x01\x00\x00\x00" + piece.data
            yield Tag(due, True, _tag(9, round(due * 1000), body))
        else:
            yield Tag(due, False, _tag(8, round(due * 1000), b"\xaf\x01" + piece.data))


def _tag(kind: int, milliseconds: int, body: bytes) -> bytes:
    at = struct.pack(">I", milliseconds)
    head = bytes([kind]) + struct.pack(">I", len(body))[1:] + at[1:] + at[:1] + b"\0\0\0"
    return head + body + struct.pack(">I", 11 + len(body))
