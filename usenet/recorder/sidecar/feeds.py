"""A camera of the configuration, read from its address and written to the first place that may be written to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from usenet.recorder.errors import RecorderError
from usenet.recorder.recorder import RecorderStatus
from usenet.recorder.sidecar.ground import Ground
from usenet.recorder.sidecar.post import Report
from usenet.recorder.sidecar.wishes import Camera
from usenet.recorder.sidecar.writing import Writing
from usenet.recorder.sources import avsource
from usenet.recorder.sources.address import Address
from usenet.recorder.sources.avsource import AvSource
from usenet.recorder.sources.camera import Camera as Reader
from usenet.recorder.sources.camera import gathering
from usenet.recorder.sources.source import Retrack, Source
from usenet.recorder.tracks import Movie, Sample, Track


class CameraFeed:
    """See `post.Feed`."""

    def __init__(self, camera: Camera, grounds: Sequence[Ground]) -> None:
        self._camera, self._grounds = camera, grounds
        self._writing: Writing | None = None
        self._reader = Reader(
            camera.name, self._source, self._record, failed=lambda _: True, gather=gathering(camera.flush)
        )

    @property
    def report(self) -> Report:
        writing, reader = self._writing, self._reader.status
        status = writing.status if writing else RecorderStatus(None)
        return Report(
            connected=reader.state == "recording",
            segment=status.segment.name if status.segment else "",
            held=writing.problem if writing else "",
            problem=reader.last_error if reader.state != "recording" else "",
            codecs=reader.codecs,
            width=reader.width,
            height=reader.height,
            fps=reader.fps,
            bytes=reader.bytes,
            frames=reader.frames,
            gaps=reader.gaps,
            gap_s=reader.gap_s,
            reconnects=reader.reconnects,
            drops=reader.dropped + (writing.bad if writing else 0),
            waiting_bytes=reader.waiting_bytes,
            durable_lag_s=status.durable_lag_s,
            reserve_left=status.reserve_left,
        )

    def start(self) -> None:
        self._reader.start()

    def stop(self) -> list[Path]:
        self._reader.stop()
        return self._writing.close() if self._writing else []

    def rotate(self) -> None:
        if self._writing:
            self._writing.roll()

    def _record(self, tracks: tuple[Track, ...]) -> Writing:
        title = self._camera.title or self._camera.name
        self._writing = Writing(self._camera, self._grounds, tracks, Movie(title=title))
        return self._writing

    def _source(self) -> Source:
        """Asked for each connection: the address may have been changed in its file."""
        try:
            address = Address(_url(self._camera))
        except RecorderError as error:
            return _Nowhere(error)
        return AvSource(address, avsource.Wishes(transport=self._camera.transport, sound=self._camera.audio))


class _Nowhere:
    """A camera whose address can't be read now."""

    live, behind_s = True, 0.0

    def __init__(self, error: RecorderError) -> None:
        self._error = error

    def open(self) -> tuple[Track, ...]:
        raise self._error

    def samples(self) -> Iterator[Sample | Retrack]:
        raise self._error

    def close(self) -> None: ...


def _url(camera: Camera) -> str:
    if camera.url_file is None:
        return camera.url
    try:
        text = camera.url_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise RecorderError(f"{camera.url_file}: the address can't be read", hint="see whose file it is") from error
    if not text:
        raise RecorderError(f"{camera.url_file}: no address is in it", hint="write it on one line: rtsp://…")
    return text
