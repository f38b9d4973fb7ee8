"""What a plan would change of what each service may have, and why: `hardware optimize`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from usenet.domain.limits import Topic
from usenet.domain.plan import Limits, Plan

Value = int | float | str | None


@dataclass(frozen=True, slots=True)
class Allotted:
    """What one service may have; `encoder` is empty where none is wanted."""

    limits: Limits
    encoder: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """One value that differs. `now` is None where the service is not in the stack, or has no such limit."""

    service: str
    what: str
    now: Value
    then: Value
    because: str


def shifts(now: Mapping[str, Allotted], plan: Plan, reasons: Mapping[tuple[str, Topic], str]) -> tuple[Shift, ...]:
    """All that differs between what was written and what is planned; `reasons`: why these limits."""
    encoders = {c.about: c.because for c in plan.choices if c.about.endswith(".encoder")}
    found: list[Shift] = []
    for name, grant in plan.grants.items():
        then = Allotted(grant.limits, named(grant.encoder.kind, grant.encoder.gpu) if grant.encoder else "")
        for what, old, new in _pairs(now.get(name), then):
            encoder = encoders.get(f"{name}.encoder", "it wants none any more")
            because = encoder if what == "encoder" else reasons[name, "cpus" if what == "cpus" else "memory"]
            found.append(Shift(service=name, what=what, now=old, then=new, because=because))
    return tuple(found)


def named(kind: str, gpu: str) -> str:
    """How an encoder is told: `vaapi 0000:00:02.0`, or software."""
    return f"{kind} {gpu}".rstrip()


def _pairs(old: Allotted | None, new: Allotted) -> Iterator[tuple[str, Value, Value]]:
    before = _values(old) if old else {}
    for what, value in _values(new).items():
        if value != before.get(what):
            yield what, before.get(what), value


def _values(one: Allotted) -> dict[str, Value]:
    limits = one.limits
    return {
        "memory limit": limits.memory,
        "memory reserved": limits.reservation,
        "cpus": limits.cpus,
        "encoder": one.encoder or None,
    }
