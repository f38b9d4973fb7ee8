"""What the GPUs do now, and for which service."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from usenet.actions import ours
from usenet.adapters import engine, gpu_load, gpus, stack
from usenet.adapters.gpu_load import Program
from usenet.adapters.home import Home
from usenet.domain.errors import UsenetError
from usenet.domain.hardware.load import GpuLoad, Use, together
from usenet.domain.host import Gpu, Unseen


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """All cards over one interval, and each service that has one open."""

    cards: tuple[GpuLoad, ...]
    uses: tuple[Use, ...]
    unseen: tuple[Unseen, ...] = ()


def cards() -> tuple[tuple[Gpu, ...], tuple[Unseen, ...]]:
    """The cards of this machine, looked for once, and what could not be learnt of them."""
    return gpus.look()


def read(found: tuple[Gpu, ...], home: Home, seconds: float) -> Load:
    """What they do for `seconds`. Never fails: without a stack or an engine the programs are told by their names."""
    reading = gpu_load.read(found, seconds)
    names = _services(home) if any(one.container for one in reading.programs) else {}
    return Load(cards=reading.cards, uses=_uses(reading.programs, names), unseen=reading.unseen)


def _services(home: Home) -> dict[str, str]:
    """Container → service of this stack, or the name of a container that is not."""
    project = ""
    with suppress(UsenetError):
        project = stack.load(home).project
    with suppress(UsenetError):
        return {
            one.id: one.service if one.project == project and ours.made_here(one, home) else f"[{one.name}]"
            for one in engine.containers()
        }
    return {}


def _uses(programs: tuple[Program, ...], names: Mapping[str, str]) -> tuple[Use, ...]:
    grouped: dict[tuple[str, str], list[Program]] = {}
    for one in programs:
        who = names.get(one.container) or f"[{one.name}]"
        grouped.setdefault((who, one.pci), []).append(one)
    return tuple(
        Use(
            service=who,
            pci=pci,
            engines=together(one.engines for one in some),
            memory=sum(one.memory or 0 for one in some) if any(one.memory is not None for one in some) else None,
        )
        for (who, pci), some in sorted(grouped.items())
    )
