"""What `hardware verify` tries in a container, what its result proves, and what a failure means for the next plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from usenet.domain import encoders
from usenet.domain.errors import ValidationError
from usenet.domain.hardware import measured, transcoding
from usenet.domain.hardware.benchmark import DEEP
from usenet.domain.hardware.transcoding import FORMATS, RATE
from usenet.domain.host import Host
from usenet.domain.plan import Encoder, Observed
from usenet.domain.service import Service
from usenet.domain.settings import ServiceSettings, Settings
from usenet.domain.tuning import image

OWN, EXTRA = "its container", "a container made to try it"
PICTURES = 48
KILLED = 137  # what an engine says of a process that got SIGKILL
_ENGINE = (125, 126, 127)  # what an engine says where it could not start a program
_DAEMON = ("Error response from daemon", "Error: No such container", "Cannot connect to the Docker daemon")
HEIGHT = 720
Action = Literal["encode", "decode"]
State = Literal["proven", "partly", "failed", "unproven", "untried"]
_TALK = ("-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+info", "-benchmark", "-progress", "pipe:2")
_LIMIT = ("-timelimit", "60")  # of processor time: nothing of ours stays behind in the container


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One decode or encode that was tried. `how`: by which it is known who did it; `reason`: why it is not proven."""

    action: Action
    codec: str
    state: State
    fps: float = 0.0
    how: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A service with what was proven of its encoder. `where`: OWN, or EXTRA: made for this alone."""

    service: str
    encoder: Encoder
    image: str
    state: State
    where: str
    reason: str = ""
    proofs: tuple[Proof, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The last time that a card was tried for a service; an empty `reason`: it worked."""

    service: str
    gpu: str
    driver: str
    image: str
    reason: str
    time: str


def codecs(device: Encoder, action: Action) -> tuple[str, ...]:
    """What must work: all that was probed of the card; H.264 where nobody could be asked, and for software."""
    known = device.encode if action == "encode" else device.decode
    return ("h264",) if known is None else tuple(codec for codec in (*FORMATS, *DEEP) if codec in known)


def encoding(device: Encoder, codec: str, name: str) -> tuple[str, ...]:
    """ffmpeg's arguments: two seconds of moving shapes, encoded by `name` to stdout."""
    seen = ("-f", "lavfi", "-i", f"testsrc2=size={HEIGHT * 16 // 9}x{HEIGHT}:rate={RATE}")
    chain = transcoding.filters(device, codec, on_card=False)
    held = (*chain, "-frames:v", str(PICTURES), *_LIMIT)
    before = transcoding.reading(device, codec, on_card=False)
    return (*_TALK, *before, *seen, *held, *transcoding.encoding(name, HEIGHT, "pipe:1"))


def decoding(device: Encoder, codec: str) -> tuple[str, ...]:
    """ffmpeg's arguments: decode what comes on stdin, on the card, where it must stay."""
    return (*_TALK, *transcoding.decoding(device, codec, "pipe:0"))


def encoded(codec: str, name: str, code: int, log: str) -> Proof:
    """What an encode with `name` proves, by ffmpeg's own stream mapping."""
    done, by = measured.pictures(log), measured.mapping(log)
    if code or done < PICTURES:
        return _failed("encode", codec, code, log, done)
    if not by or by.encoder != name:
        return Proof(action="encode", codec=codec, state="failed", reason=f"{by.encoder if by else 'nobody'} did it")
    return Proof(action="encode", codec=codec, state="proven", fps=_fps(done, log), how=name)


def decoded(device: Encoder, codec: str, code: int, log: str) -> Proof:
    """What a decode proves: on a card, that its pictures passed a filter that takes none from elsewhere."""
    done, by = measured.pictures(log), measured.mapping(log)
    if code or done < PICTURES:
        return _failed("decode", codec, code, log, done)
    name = by.decoder if by and by.decoder != "native" else f"ffmpeg's own {transcoding.family(codec)}"
    if device.kind == "v4l2m2m" and name != f"{transcoding.family(codec)}_v4l2m2m":
        return Proof(action="decode", codec=codec, state="failed", reason=f"{name} did it")
    chain = transcoding.filters(device, codec, on_card=True)[1].split("=")[0]
    how = name if device.kind in ("software", "v4l2m2m") else f"{chain} took its pictures from the card"
    return Proof(action="decode", codec=codec, state="proven", fps=_fps(done, log), how=how)


def _failed(action: Action, codec: str, code: int, log: str, done: int) -> Proof:
    if code == KILLED:  # not the card's fault
        reason = "it was killed, as by the container's limit of memory; give it more, then try again"
        return Proof(action=action, codec=codec, state="unproven", reason=reason)
    if code in _ENGINE or log.startswith(_DAEMON):  # such as a container that ended meanwhile
        return Proof(action=action, codec=codec, state="unproven", reason=measured.why(log))
    why = measured.why(log) if code else f"{done} of {PICTURES} pictures"
    return Proof(action=action, codec=codec, state="failed", reason=why)


def _fps(done: int, log: str) -> float:
    cost = measured.cost(log)
    return round(done / cost.clock, 1) if cost and cost.clock else 0.0


def concluded(proofs: Sequence[Proof]) -> tuple[State, str]:
    """What all that was tried means for the card, and why.

    It failed when none of the codecs that it should encode was encoded, or none of those it should decode was
    decoded: then the service is better off without. One codec that fails beside others that work leaves it the card;
    one that the image has no means to try is told, and proves nothing either way.
    """
    of = {action: [p for p in proofs if p.action == action] for action in ("encode", "decode")}
    bare = [tried for tried in of.values() if tried and not any(p.state == "proven" for p in tried)]
    for tried in bare:
        if failed := [p for p in tried if p.state == "failed"]:
            return "failed", _told(failed[:1])
    if bare or not proofs:
        return "unproven", _told([p for tried in bare for p in tried]) or "nothing could be tried"
    broken = [p for p in proofs if p.state in ("failed", "unproven")]
    return ("partly", _told(broken)) if broken else ("proven", "")


def _told(proofs: Iterable[Proof]) -> str:
    return "; ".join(f"{p.action} {p.codec}: {p.reason}" for p in proofs)


def is_success(findings: Iterable[Finding]) -> bool:
    """Whether all is proven; true of nothing too."""
    return all(finding.state == "proven" for finding in findings)


def recorded(before: Iterable[Record], findings: Iterable[Finding], time: str) -> tuple[Record, ...]:
    """The records after a run: of each service the last time that its card answered the question either way."""
    records = {record.service: record for record in before}
    for one in findings:
        if one.encoder.gpu and one.state != "unproven":
            records[one.service] = Record(
                service=one.service,
                gpu=one.encoder.gpu,
                driver=one.encoder.driver,
                image=one.image,
                reason=one.reason if one.state == "failed" else "",
                time=time,
            )
    return tuple(records[name] for name in sorted(records))


def disproved(
    records: Iterable[Record], host: Host, settings: Settings, services: Mapping[str, Service], observed: Observed
) -> dict[str, str]:
    """Service → why its card is not to be granted: the same card, driver and image failed when they were tried."""
    found = {}
    for one in records:
        if not one.reason or one.service not in services:
            continue
        wish = (settings.services.get(one.service) or ServiceSettings()).gpu
        with suppress(ValidationError):  # a wish that can't be met is told by the plan
            card = encoders.grant(one.service, host, wish).encoder
            same = card and (card.gpu, card.driver) == (one.gpu, one.driver)
            if same and image(one.service, services[one.service], settings, observed).reference == one.image:
                found[one.service] = f"verify failed on {one.gpu} ({one.driver}), {one.reason}"
    return found
