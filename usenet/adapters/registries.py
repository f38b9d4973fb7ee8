"""Registries, asked through the engine: do they answer, and an image pulled, or why not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

from usenet.adapters import engine, shell
from usenet.domain.errors import SystemFailure
from usenet.domain.images import registry
from usenet.domain.pulls import Why, answered, hint, why

Report = Callable[[str], None]

HOUR = 3600
ANSWER_WITHIN = 12


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a pull failed, and the engine's own words."""

    why: Why
    said: str


def reachable(registries: Iterable[str]) -> Mapping[str, bool]:
    """Registry → whether it answers the engine. All are asked at the same time, each once in the life of a process."""
    names = sorted(set(registries))
    with ThreadPoolExecutor(max(len(names), 1)) as pool:
        return dict(zip(names, pool.map(_answers, names), strict=True))


@cache
def _answers(name: str) -> bool:
    # An image that every copy of the Hub has; elsewhere one that is not there, since any answer is one.
    probe = "library/debian:bookworm-slim" if name == "docker.io" else "usenet/probe:none"
    try:
        engine.request(f"/distribution/{name}/{probe}/json", timeout=ANSWER_WITHIN)
    except SystemFailure as refusal:
        return answered(refusal.message)
    return True


def pull(reference: str, report: Report, *, service: str = "SERVICE") -> None:
    """Pull an image. Raises SystemFailure with the reason in plain words and a cure."""
    report(f"pulling {reference}")
    if refusal := pull_or_why(reference):
        raise failure(refusal, reference, service)


def failure(refusal: Refusal, reference: str, service: str) -> SystemFailure:
    """The refusal in plain words, with a cure."""
    place = registry(reference)
    sentence = {
        Why.UNREACHABLE: f"{place} does not answer, so {reference} can't be pulled",
        Why.NOT_FOUND: f"{place} has no image {reference}",
        Why.DENIED: f"{place} does not give {reference} to this machine",
        Why.LIMITED: f"{place} gives no more images for now: {reference} is not pulled",
        Why.DISK_FULL: f"no space left for the image {reference}",
        Why.NO_ENGINE: f"no container engine answers, so {reference} can't be pulled",
        Why.OTHER: f"{reference} can't be pulled: {refusal.said}",
    }[refusal.why]
    return SystemFailure(sentence, hint=hint(refusal.why, reference=reference, registry=place, service=service))


def pull_or_why(reference: str) -> Refusal | None:
    """Pull an image; None, or why it could not be."""
    done = shell.run(pull_command(reference), timeout=HOUR)
    if done.ok:
        return None
    said = (done.err.strip() or done.out.strip() or "the engine said nothing").splitlines()[-1]
    said = said.removeprefix("Error response from daemon: ")
    return Refusal(why(said), said)


def pull_command(reference: str) -> list[str]:
    """The command line of a pull."""
    return ["docker", "pull", "--quiet", reference]
