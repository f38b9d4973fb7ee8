"""What of a grant is no longer as it was when the stack was written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from usenet.domain.plan import Encoder, Gpus, Grant

CURE = "usenet deploy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What one service was given of the cards when the stack was last written."""

    service: str
    encoder: Encoder
    devices: tuple[str, ...]
    groups: tuple[int, ...]
    gpus: Gpus | None


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing that changed since, in words."""

    service: str
    said: str


def drifts(written: Iterable[Granted], planned: Iterable[Grant]) -> tuple[Drift, ...]:
    """What differs between what services were given and what they would be given now.

    What was probed may differ from one user to the next, so only what reaches a container is compared.
    """
    now = {grant.service: grant for grant in planned}
    return tuple(
        Drift(old.service, said) for old in written if old.service in now for said in _of(old, now[old.service])
    )


def _of(old: Granted, new: Grant) -> Iterator[str]:
    encoder = new.encoder or Encoder(kind="software")
    if old.encoder.gpu != encoder.gpu:
        yield f"was given {_named(old.encoder)}, would be given {_named(encoder)} now"
        return
    if old.encoder.driver != encoder.driver:
        yield f"the driver of {encoder.gpu} was {old.encoder.driver}, it is {encoder.driver} now"
    if gone := [path for path in old.devices if path not in new.devices]:
        yield f"{', '.join(gone)} is {', '.join(p for p in new.devices if p not in old.devices) or 'gone'} now"
    if old.groups != new.groups:
        yield f"the groups of its devices were {_numbers(old.groups)}, they are {_numbers(new.groups)} now"
    if old.gpus != new.gpus:
        yield f"the engine was asked for {_asked(old.gpus)}, it would be asked for {_asked(new.gpus)} now"


def _named(encoder: Encoder) -> str:
    return f"the card at {encoder.gpu}" if encoder.gpu else "no card"


def _numbers(groups: tuple[int, ...]) -> str:
    return ", ".join(map(str, groups)) or "none"


def _asked(gpus: Gpus | None) -> str:
    return f"{', '.join(gpus.ids)} by {gpus.driver}" if gpus else "no card"
