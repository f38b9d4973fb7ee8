"""RTSP, RTMP, HLS, MPEG-TS and files, by libav as a demuxer and nothing more (PyAV; no decoder is ever opened)."""

from __future__ import annotations

import contextlib
import errno
import itertools
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from ..errors import BadSample, RecorderError, Unreachable
from ..timeline import CREDIBLE_NS
from ..tracks import Sample, Track
from .address import Address
from .arrival import Arrival
from .lane import Lane, codec_of
from .opening import begin
from .source import Retrack, heads

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream

log = logging.getLogger("usenet.recorder.source")

AT_ONCE = 0.005  # seconds: a packet that took less to read had been waiting for us
MOST_AHEAD = 5000  # samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds to connect, between two packets, and until the first key frame (some cameras send one in ten seconds)."""

    connect: float = 10.0
    packet: float = 10.0
    key: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How to ask. `transport` is RTSP's; `options` go to libav as they are; without `sound` only pictures are taken."""

    transport: Literal["tcp", "udp"] = "tcp"
    sound: bool = True
    patience: Patience = Patience()
    options: Mapping[str, str] = field(default_factory=dict)


class AvSource:
    """A `Source`. It begins at a key frame, and its first samples come in the order of time.

    Every sample of a live source says when it was taken: by RTCP's NTP time where the source sends it, else by arrival.
    """

    def __init__(self, address: Address | str, wishes: Wishes = Wishes()) -> None:
        self.address = address if isinstance(address, Address) else Address(address)
        self.live, self.behind_s = self.address.live, 0.0
        self._wishes = wishes
        self._container: InputContainer | None = None
        self._lanes: dict[int, Lane] = {}
        self._tracks: tuple[Track, ...] = ()
        self._held: list[Sample] = []
        self._rest: Iterator[Sample | Retrack] = iter(())
        self._arrival = Arrival({})
        self._waited = 0.0
        self._led, self._opened = False, False

    def __repr__(self) -> str:
        return f"AvSource({str(self.address)!r})"

    def open(self) -> tuple[Track, ...]:
        self._container = self._connect()
        if self.address.scheme in ("http", "https") and self._container.duration:
            self.live = False  # it has an end, so it is there as a whole
        self._lanes = self._chosen(self._container)
        self._arrival = Arrival({lane.number: lane.timescale for lane in self._lanes.values()})
        self._rest = self._read(self._container)
        tracks = self._look_ahead()
        if not tracks:
            raise Unreachable(f"{self.address}: nothing that can be recorded came")
        known = {track.id for track in tracks}
        self._held = [sample for sample in self._held if sample.track in known]
        first = self._arrival.first_ns(each for each in self._held if each.track in heads(tracks))
        self.behind_s = max(0.0, time.time() - first / 1e9) if self.live and first is not None else 0.0
        self._tracks, self._opened = tracks, True
        return tracks

    def samples(self) -> Iterator[Sample | Retrack]:
        held, self._held = self._held, []
        if not self.live:
            return begin(itertools.chain(held, self._rest), self._tracks)
        taken = (replace(each, wall_ns=each.wall_ns or self._arrival.taken_ns(each)) for each in held)
        return begin(itertools.chain(taken, self._rest), self._tracks)

    def close(self) -> None:
        container, self._container = self._container, None
        self._rest = iter(())
        if container is not None:
            with contextlib.suppress(Exception):  # what it says at its end is of no use to anybody
                container.close()

    def _connect(self) -> InputContainer:
        import av

        patience, began = self._wishes.patience, time.monotonic()
        try:
            return av.open(
                self.address.reveal(),
                options=self._options(),
                metadata_errors="ignore",
                timeout=(patience.connect, patience.packet),
            )
        except (av.FFmpegError, OSError) as error:
            raise self._failure(error, late=time.monotonic() - began >= patience.connect) from None

    def _options(self) -> dict[str, str]:
        if self.address.scheme not in ("rtsp", "rtsps"):
            return dict(self._wishes.options)
        silence = str(round(self._wishes.patience.packet * 1_000_000))
        ours = {"rtsp_transport": self._wishes.transport, "timeout": silence, "buffer_size": str(4 << 20)}
        return ours | dict(self._wishes.options)

    def _chosen(self, container: InputContainer) -> dict[int, Lane]:
        """Every stream that a file can hold; of HLS's variants the best one, as the others are the same again."""
        lanes: dict[int, Lane] = {}
        hls = container.format.name == "hls"
        best = [container.streams.best("video"), container.streams.best("audio")] if hls else list(container.streams)
        for stream in best:
            if stream is None or _is_cover(stream) or (stream.type == "audio" and not self._wishes.sound):
                continue
            try:
                lanes[stream.index] = Lane(stream.index + 1, stream)
            except BadSample as error:
                log.info("%s: stream %d is left out: %s", self.address, stream.index, error)
        if not lanes:
            there = ", ".join(codec_of(stream) or stream.type for stream in container.streams) or "no stream at all"
            raise RecorderError(f"{self.address}: nothing that can be recorded ({there})", code=3)
        return lanes

    def _look_ahead(self) -> tuple[Track, ...]:
        """Read until every track is known; of a live source also up to its first key frame, and to what is now."""
        until = time.monotonic() + self._wishes.patience.key
        tracks = self._known()
        for item in self._rest:
            if isinstance(item, Retrack):
                if self._led:  # already something else: what is held belongs to the tracks before
                    self._rest = itertools.chain((item,), self._rest)
                    return tracks
                continue
            tracks = self._known()
            if self._wanted(item):
                self._held.append(item)
            caught_up = not self.live or (self._led and self._waited > AT_ONCE)
            if (len(tracks) == len(self._lanes) and caught_up) or len(self._held) > MOST_AHEAD:
                break
            if time.monotonic() > until:
                break
        if self.live and not self._led:
            raise Unreachable(f"{self.address}: no key frame came in {self._wishes.patience.key:.0f} s")
        for lane in self._lanes.values():
            if lane.track is None:
                log.warning("%s: %s is left out: its settings never came", self.address, lane.codec)
        return tracks

    def _known(self) -> tuple[Track, ...]:
        return tuple(lane.track for lane in self._lanes.values() if lane.track is not None)

    def _wanted(self, sample: Sample) -> bool:
        """Pictures before the first key frame are of no use to anybody."""
        lane = next(each for each in self._lanes.values() if each.number == sample.track)
        pictures = any(each.kind == "video" for each in self._lanes.values())
        if lane.track is not None and sample.sync and (lane.kind == "video" or not pictures):
            self._led = True
        return self._led or not self.live or lane.kind != "video"

    def _read(self, container: InputContainer) -> Iterator[Sample | Retrack]:
        packets = container.demux([container.streams[index] for index in self._lanes])
        while (packet := self._next(packets)) is not None:
            lane = self._lanes.get(packet.stream_index)
            if lane is None or not packet.size:
                continue
            before = lane.track
            sample = lane.sample(packet)
            if before is not None and lane.track != before:
                yield Retrack(self._known())
            if sample is not None and (lane.track is not None or not self._opened):
                yield self._stamped(sample) if self.live else sample

    def _next(self, packets: Iterator[Packet[Stream]]) -> Packet[Stream] | None:
        import av

        began = time.monotonic()
        try:
            return next(packets, None)
        except (av.FFmpegError, OSError) as error:
            late = time.monotonic() - began >= self._wishes.patience.packet
            raise self._failure(error, late=late) from None
        finally:
            self._waited = time.monotonic() - began

    def _stamped(self, sample: Sample) -> Sample:
        now = time.time_ns()
        self._arrival.see(sample, now)
        if sample.wall_ns is not None and abs(sample.wall_ns - now) <= CREDIBLE_NS:
            return sample
        return replace(sample, wall_ns=self._arrival.taken_ns(sample) if self._opened else None)

    def _failure(self, error: Exception, *, late: bool) -> RecorderError:
        """Said without the password, and without libav's error, which holds the address with it."""
        import av

        if isinstance(error, av.ProtocolNotFoundError):
            why = f"{self.address}: this build of libav does not speak {self.address.scheme}"
            return RecorderError(why, hint="let MediaMTX take it in, and read it from there by RTSP", code=4)
        if isinstance(error, av.HTTPUnauthorizedError | av.HTTPForbiddenError):
            return RecorderError(f"{self.address}: it refuses us", hint="check its user and its password", code=4)
        unclear = getattr(error, "errno", 0) == errno.EIO  # libav's word for a name that nobody knows, too
        if unclear and self.address.host and (unknown := self.address.unknown()):
            hint = "look for a slip in the name, or write the address as numbers"
            return Unreachable(f"{self.address}: {unknown}", hint=hint)
        why = "no answer" if late else getattr(error, "strerror", None) or type(error).__name__
        return Unreachable(f"{self.address}: {self.address.clean(str(why))}")


def _is_cover(stream: Stream) -> bool:
    """A picture that belongs to a piece of music."""
    return bool(int(stream.disposition) & 0x400)  # AV_DISPOSITION_ATTACHED_PIC
