"""How much memory and processor each service may have: profiles and their arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from usenet.domain.errors import ValidationError
from usenet.domain.host import Host
from usenet.domain.plan import Choice, Limits
from usenet.domain.service import Load, Service
from usenet.domain.settings import Settings

GIB = 2**30
MINIMUM = 16 * 2**20
SMALLEST = 6 * 2**20  # engines refuse a container with a smaller limit or reservation
SHARES = {"dedicated": 1.0, "high_performance": 0.75, "balanced": 0.5, "light": 0.25, "development": 0.1}
# From (memory in GiB, threads) upwards, the largest profile first.
AUTOMATIC = ((32, 16, "dedicated"), (16, 8, "high_performance"), (8, 4, "balanced"), (0, 0, "light"))
Topic = Literal["memory", "cpus"]
CPU_PARTS: Mapping[Load, float] = {"light": 0.25, "normal": 0.5, "heavy": 1.0}


def profile(host: Host, settings: Settings) -> tuple[float, Choice]:
    """The part of the machine that the stack may have, and why. ValidationError: custom without a share."""
    if settings.profile == "custom":
        if settings.share is None:
            raise ValidationError(
                "profile custom needs a share of the machine",
                where="usenet.yaml: share",
                hint="usenet config set share 0.6",
            )
        return settings.share, Choice("profile", f"custom {settings.share:.0%}", "set in usenet.yaml")
    if settings.profile != "auto":
        return SHARES[settings.profile], Choice("profile", settings.profile, "set in usenet.yaml")
    gib, threads = host.memory.total / GIB, host.cpu.threads
    name = next(p for memory, cpus, p in AUTOMATIC if gib >= memory * 0.95 and threads >= cpus)
    return SHARES[name], Choice("profile", name, f"{gib:.1f} GiB of memory and {threads} threads")


def limits(host: Host, settings: Settings, services: Mapping[str, Service], share: float) -> dict[str, Limits]:
    """Memory and processor limits. Σ reservations ≤ share of the host; reservation ≤ limit ≤ share of the host.

    A reservation is what the service wants, scaled down for all alike when the share does not hold them.
    One too small for the engine is left out. A limit leaves four times what is wanted, so that a leak in one service
    can't take the machine.
    """
    if not _limits_memory(host):
        return {name: Limits(cpus=_cpus(host, share, s.wants.load)) for name, s in services.items()}
    allowed = max(int(host.memory.total * share), MINIMUM)
    wants = {name: _wanted(name, service, settings) for name, service in services.items()}
    scale = min(1.0, allowed / max(1, sum(wants.values())))
    result = {}
    for name, service in services.items():
        reservation = int(wants[name] * scale)
        own = _set_limit(name, settings)
        limit = min(own, host.memory.total) if own else min(max(MINIMUM, 4 * wants[name]), allowed)
        result[name] = Limits(
            memory=_whole(max(limit, reservation)),
            reservation=_whole(reservation) if reservation >= SMALLEST else None,
            cpus=_cpus(host, share, service.wants.load),
        )
    return result


def reasons(
    host: Host, settings: Settings, services: Mapping[str, Service], share: float
) -> dict[tuple[str, Topic], str]:
    """Why each service gets the limits that `limits` gives it, in a sentence."""
    allowed = max(int(host.memory.total * share), MINIMUM)
    together = sum(_wanted(name, service, settings) for name, service in services.items())
    squeezed = f", scaled: all want {_gib(together)} of {_gib(allowed)}" if together > allowed else ""
    part = f"{share:.0%} of {host.cpu.threads} threads"
    found: dict[tuple[str, Topic], str] = {}
    for name, service in services.items():
        wants = f"wants {_gib(service.wants.memory)}{squeezed}"
        own = _set_limit(name, settings)
        at_most = f"limit set to {_gib(own)} in usenet.yaml" if own else f"at most 4 times that, or {_gib(allowed)}"
        found[name, "memory"] = f"{wants}; {at_most}" if _limits_memory(host) else "the kernel can't limit memory"
        found[name, "cpus"] = f"{service.wants.load} load: {CPU_PARTS[service.wants.load]:g} of {part}, at least 0.25"
    return found


def _limits_memory(host: Host) -> bool:
    return host.engine is None or host.engine.memory_limit


def _gib(amount: int) -> str:
    return f"{amount / GIB:.1f} GiB" if amount >= GIB else f"{amount // 2**20} MiB"


def _wanted(name: str, service: Service, settings: Settings) -> int:
    return min(_set_limit(name, settings) or service.wants.memory, service.wants.memory)


def _set_limit(name: str, settings: Settings) -> int | None:
    own = settings.services.get(name)
    return own.memory if own else None


def _whole(amount: int) -> int:
    return amount // 2**20 * 2**20


def _cpus(host: Host, share: float, load: Load) -> float:
    threads = host.cpu.threads
    return round(min(float(threads), max(0.25, threads * share * CPU_PARTS[load])), 2)
