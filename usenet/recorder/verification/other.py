"""A second opinion: what libav finds in a file, packet by packet, beside what our reader finds."""

from __future__ import annotations

import io as pyio
from collections.abc import Callable, Iterator
from typing import Any, Final

from ..reader import Mp4, Mp4Sample, Mp4Track
from .findings import Findings

_KINDS: Final = {"video": "video", "audio": "audio"}
_TINY: Final = 64  # bytes of a sample of raw sound, of which libav makes packets as it likes


class _File(pyio.RawIOBase):
    """Bytes from `fetch` as a file that can be read and sought."""

    def __init__(self, fetch: Callable[[int, int], bytes], size: int) -> None:
        self._fetch, self._size, self._at = fetch, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self._at)
        data = self._fetch(self._at, left if size < 0 else min(size, left)) if left else b""
        self._at += len(data)
        return data


def check(movie: Mp4, fetch: Callable[[int, int], bytes], findings: Findings) -> None:
    """Pictures and sound only. Without PyAV nothing is checked, and that is said."""
    try:
        import av
    except ImportError:
        findings.skipped.append("other parser: PyAV is not installed")
        return
    version = getattr(av, "ffmpeg_version_info", "") or "of PyAV " + av.__version__
    tracks = [track for track in movie.tracks if track.kind in _KINDS and len(track)]
    try:
        with av.open(_File(fetch, movie.end), "r", format="mp4", metadata_errors="replace") as container:
            streams = {stream.id: stream for stream in container.streams if stream.type in _KINDS.values()}
            for track in tracks:
                if track.id not in streams:
                    findings.add(track.box.start, f"libav finds no track {track.id}")
            beside = {track.id: _Beside(track, findings) for track in tracks if track.id in streams}
            for packet in container.demux(*(streams[number] for number in beside)) if beside else ():
                if packet.size:
                    beside[packet.stream.id].take(packet)
            count = sum(each.finish() for each in beside.values())
    except (av.FFmpegError, ValueError, OverflowError) as error:
        findings.add(None, f"libav can't read the file: {error}")
        return
    findings.checked.append(f"other parser: libav {version} finds the same {count} packets")


class _Beside:
    """The packets of one stream against the samples of its track."""

    def __init__(self, track: Mp4Track, findings: Findings) -> None:
        self._track = track
        self._findings = findings
        self._rows: Iterator[Mp4Sample] = track.rows()
        self._raw = track.samples.uniform and track.samples.uniform <= _TINY
        self._bytes = self._count = 0
        self._early = max(0, -min(track.samples.shift, default=0))
        self._move: int | None = None

    def take(self, packet: Any) -> None:
        self._count += 1
        self._bytes += packet.size
        if self._raw:
            return
        row = next(self._rows, None)
        while row is not None and not row.shown and not self._same(row, packet):
            row = next(self._rows, None)  # libav may leave out what an edit list hides
        if row is None:
            self._say(None, f"libav has packets behind the last sample: {packet.size} bytes at {packet.pts}")
        elif not self._same(row, packet):
            move = self._move or 0
            told = f"{row.size} bytes at {row.pts}, libav {packet.size} at {(packet.pts or 0) - move}"
            self._say(row, f"sample {row.number + 1} has {told}")

    def _same(self, row: Mp4Sample, packet: Any) -> bool:
        """libav may move a whole track: to where its first picture is shown, or by its earliest offset."""
        if self._move is None:
            self._move = (packet.pts or 0) - row.pts
            if abs(self._move) > max(row.duration, 1) + self._early or row.size != packet.size:
                self._move = None
                return False
        return bool(row.size == packet.size and abs((packet.pts or 0) - row.pts - self._move) <= 1)

    def finish(self) -> int:
        rest = [row for row in self._rows if row.shown] if not self._raw else []
        total = self._track.samples.length(0, len(self._track))
        if rest:
            self._say(rest[0], f"libav ends before sample {rest[0].number + 1}, of {len(self._track)}")
        elif self._raw and self._bytes != total:
            self._say(None, f"libav finds {self._bytes} bytes, the tables have {total}")
        return self._count

    def _say(self, row: Mp4Sample | None, sentence: str) -> None:
        self._findings.add(
            row.offset if row else None, f"track {self._track.id}: {sentence}", f"libav {self._track.id}"
        )
