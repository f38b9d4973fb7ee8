"""Prove inside each container that what it was granted transcodes; what does not is remembered for the next plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from usenet.actions import catalog as catalogs
from usenet.actions import ours
from usenet.actions import plan as planning
from usenet.adapters import ffmpeg, measurements, stack, transcoders
from usenet.adapters.ffmpeg import Ffmpeg
from usenet.adapters.home import Home
from usenet.adapters.transcoders import Transcoder
from usenet.domain.errors import SystemFailure, UsenetError
from usenet.domain.hardware import proof, transcoding
from usenet.domain.hardware.benchmark import Offers
from usenet.domain.hardware.proof import EXTRA, OWN, Action, Finding, Proof, Record
from usenet.domain.hardware.transcoding import SOFTWARE
from usenet.domain.plan import Grant

SECONDS = 60.0  # for one decode or encode of two seconds of film
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found of each service, what is remembered now, and whether all of it is proven."""

    findings: tuple[Finding, ...]
    records: tuple[Record, ...]
    proven: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """An ffmpeg that can be asked, or the reason why there is none; for one service and its encoder."""

    of: Transcoder
    where: str
    ffmpeg: Ffmpeg | None
    obstacle: str = ""


def verify(home: Home, tell: Tell) -> Verified:
    """Try each service's encoder where it runs. ConfigError without a stack; SystemFailure without an engine."""
    with _trials(home, measurements.verified(home)) as trials:
        findings = tuple(_found(trial, tell) for trial in trials)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with measurements.changing(home):  # not while trying: another may have found more meanwhile
        before = measurements.verified(home)
        records = proof.recorded(before, findings, now)
        if records != before:
            measurements.keep_verified(home, records)
    return Verified(findings, records, proof.is_success(findings))


def commands(home: Home) -> tuple[list[str], ...]:
    """The exact command lines of the first codec of each service; each decode gets what was encoded before it."""
    with _trials(home, measurements.verified(home)) as trials:
        lines: list[list[str]] = []
        for trial in trials:
            offers = _offers(trial)
            if not (trial.ffmpeg and isinstance(offers, Offers)):
                continue
            device = trial.of.encoder
            for codec in proof.codecs(device, "encode"):
                name = transcoding.encoder(device.kind, codec, offers.encoders)
                lines += [trial.ffmpeg.command(proof.encoding(device, codec, name))] if name else []
            lines += [trial.ffmpeg.command(proof.decoding(device, codec)) for codec in proof.codecs(device, "decode")]
    return tuple(lines)


@contextmanager
def _trials(home: Home, records: tuple[Record, ...]) -> Iterator[tuple[Trial, ...]]:
    """Each service in its container; and once more with the card that it lost, in a container of its own."""
    planned = transcoders.planned(home)
    there = ours.containers(home, stack.load(home).project) if planned else {}
    running = {name: container for name, container in there.items() if container.state == "running"}
    known, _ = catalogs.load(home.path)
    trials: list[Trial] = []
    for one in planned:
        program = known[one.service].service.ffmpeg if one.service in known else ""
        if not program:
            trials.append(Trial(one, OWN, None, "its service file names no ffmpeg"))
        elif one.service not in running:
            trials.append(Trial(one, OWN, None, f"it does not run; start it: usenet services up {one.service}"))
        else:
            trials.append(Trial(one, OWN, ffmpeg.in_container(one, program, running[one.service].id)))
    lost = {r.service for r in records if r.reason} & {t.of.service for t in trials if t.of.encoder == SOFTWARE}
    trials += [
        Trial(one, EXTRA, ffmpeg.of_service(one, known[one.service].service.ffmpeg))
        for one in (_with_card(home, lost) if lost else ())
    ]
    try:
        yield tuple(trials)
    finally:
        for trial in trials:
            if trial.ffmpeg:
                trial.ffmpeg.remove_leftovers()


def _with_card(home: Home, lost: set[str]) -> list[Transcoder]:
    """What services that lost their card would be granted had it not failed; nothing where that can't be planned."""
    try:
        seen = planning.look(home)
        plan = planning.decide(replace(seen, observed=replace(seen.observed, disproved={})), available=True).plan
    except UsenetError:
        return []
    grants = [plan.grants[name] for name in sorted(lost) if name in plan.grants]
    return [_transcoder(one) for one in grants if one.encoder and one.encoder.gpu]


def _transcoder(grant: Grant) -> Transcoder:
    return Transcoder(
        service=grant.service,
        image=grant.image,
        user=grant.user,
        environment=grant.environment,
        groups=grant.groups,
        devices=grant.devices,
        gpus=grant.gpus,
        encoder=grant.encoder or SOFTWARE,
    )


def _found(trial: Trial, tell: Tell) -> Finding:
    offers = _offers(trial)
    if not (trial.ffmpeg and isinstance(offers, Offers)):
        return _finding(trial, "unproven", str(offers))
    proofs = tuple(_proofs(trial, trial.ffmpeg, offers, tell))
    state, reason = proof.concluded(proofs)
    return replace(_finding(trial, state, reason), proofs=proofs)


def _finding(trial: Trial, state: proof.State, reason: str) -> Finding:
    one = trial.of
    return Finding(
        service=one.service, encoder=one.encoder, image=one.image, state=state, where=trial.where, reason=reason
    )


def _offers(trial: Trial) -> Offers | str:
    """What the service's ffmpeg has, or why it can't be asked."""
    if not trial.ffmpeg:
        return trial.obstacle
    try:
        return ffmpeg.offers(trial.ffmpeg)
    except SystemFailure as failure:
        return failure.message


def _proofs(trial: Trial, one: Ffmpeg, offers: Offers, tell: Tell) -> Iterator[Proof]:
    """Encode each codec; then decode what was made, or, where the card does not make it, what software made."""
    device, made = trial.of.encoder, dict[str, bytes]()
    for codec in proof.codecs(device, "encode"):
        tell(f"{trial.of.service}: encode {codec} on {device.kind}")
        name = transcoding.encoder(device.kind, codec, offers.encoders)
        if not name:
            yield _untried("encode", codec, f"its ffmpeg has no {codec} encoder of the kind {device.kind}")
            continue
        code, data, log = ffmpeg.converted(one, proof.encoding(device, codec, name), seconds=SECONDS)
        result = proof.encoded(codec, name, code, log)
        made |= {codec: data} if result.state == "proven" else {}
        yield result
    for codec in proof.codecs(device, "decode"):
        tell(f"{trial.of.service}: decode {codec} on {device.kind}")
        data = made.get(codec) or _made_in_software(one, codec, offers)
        if not data:
            yield _untried("decode", codec, f"nothing in its image makes {codec} to try it with")
            continue
        code, _, log = ffmpeg.converted(one, proof.decoding(device, codec), data, seconds=SECONDS)
        yield proof.decoded(device, codec, code, log)


def _made_in_software(one: Ffmpeg, codec: str, offers: Offers) -> bytes:
    name = transcoding.encoder("software", codec, offers.encoders)
    if not name:
        return b""
    code, data, _ = ffmpeg.converted(one, proof.encoding(SOFTWARE, codec, name), seconds=SECONDS)
    return b"" if code else data


def _untried(action: Action, codec: str, reason: str) -> Proof:
    return Proof(action=action, codec=codec, state="untried", reason=reason)
