"""The images of the stack: where each stands, and getting, saving and loading them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from usenet.actions.deploy import chosen
from usenet.actions.plan import Decision, Situation, decide
from usenet.adapters import images
from usenet.domain import asked
from usenet.domain.errors import SystemFailure, UsageError, UsenetError, ValidationError
from usenet.domain.images import made_here
from usenet.domain.plan import LeftOut
from usenet.domain.pulls import Why

_OF_THE_REGISTRY = (Why.NOT_FOUND, Why.DENIED, Why.LIMITED, Why.UNREACHABLE)
Say = Callable[[str], None]
Source = Literal["pull", "build", ""]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """Where the image of one service stands. `source` is empty and `state` says why, where it can't be had."""

    service: str
    reference: str
    present: bool
    size: int | None
    source: Source
    state: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """An image to get: `build` names its recipe, empty where it is pulled."""

    service: str
    reference: str
    build: str = ""


@dataclass(frozen=True, slots=True)
class Saved:
    """A file of images; bytes."""

    file: str
    size: int
    references: tuple[str, ...]


def rows(situation: Situation) -> tuple[Image, ...]:
    """The image of every service that is on, in the order of the plan; then those that can't be had."""
    plan = decide(situation, available=True).plan
    sizes = images.sizes() if situation.observed.images else {}
    here = [_row(Wanted(g.service, g.image, g.build), sizes) for g in plan.grants.values()]
    gone = [
        Image(
            service=out.service, reference="", present=False, size=None, source="", state=f"can't be had: {out.because}"
        )
        for out in plan.left_out
    ]
    return (*here, *gone)


def _row(image: Wanted, sizes: Mapping[str, int]) -> Image:
    source: Source = "build" if image.build else "pull"
    present = image.reference in sizes
    return Image(
        service=image.service,
        reference=image.reference,
        present=present,
        size=sizes.get(image.reference),
        source=source,
        state="present" if present else f"to {source}",
    )


def of_stack(decision: Decision, names: Sequence[str] = (), group: str = "") -> tuple[Wanted, ...]:
    """The images of the stack's services, or of those named and what they need; each image once."""
    services = chosen(decision.plan, names, group) if names or group else tuple(decision.plan.grants)
    grants = [decision.plan.grants[name] for name in services]
    return tuple({g.image: Wanted(g.service, g.image, g.build) for g in reversed(grants)}.values())[::-1]


def buildable() -> tuple[str, ...]:
    """The services that have a recipe."""
    return tuple(images.buildable())


def to_build(names: Sequence[str], *, fresh: bool) -> tuple[Wanted, ...]:
    """The images of these services to make, in a stack or not. ValidationError for a service without a recipe.

    What is in the engine's store is left out, unless `fresh`.
    """
    return _absent([Wanted(name, images.built_reference(name), name) for name in dict.fromkeys(names)], fresh)


def of_stack_to_build(situation: Situation, *, fresh: bool) -> tuple[Wanted, ...]:
    """The same for what this stack has made here."""
    return _absent([w for w in of_stack(decide(situation, available=True)) if w.build], fresh)


def _absent(wanted: Sequence[Wanted], fresh: bool) -> tuple[Wanted, ...]:
    try:
        there = images.sizes()
    except SystemFailure:
        return tuple(wanted)  # no engine: that is said where an engine is needed
    return tuple(w for w in wanted if fresh or w.reference not in there)


def to_pull(situation: Situation, names: Sequence[str]) -> tuple[Wanted, ...]:
    """The images to pull: of these services, on or not; with none named, those that this stack pulls or would pull.

    ValidationError for an unknown service, and for one whose image is only made here.
    """
    if not names:
        plan = decide(situation, available=True).plan
        pulled = [g.service for g in plan.grants.values() if not g.build]
        lost = [out.service for out in plan.left_out if not made_here(_reference(situation, out.service))]
        names = [*pulled, *lost]
    services = situation.catalog.services
    for name in names:
        asked.known(name, services)
        if made_here(_reference(situation, name)):
            cure = f"make it with: usenet images build {name}"
            raise ValidationError(f"no registry has the image of {name}: it is only made here", hint=cure)
    return tuple(Wanted(name, _reference(situation, name)) for name in dict.fromkeys(names))


def _reference(situation: Situation, name: str) -> str:
    own = situation.settings.services.get(name)
    return (own and own.image) or situation.catalog.services[name].image


def get(wanted: Sequence[Wanted], say: Say, *, fresh: bool = False) -> tuple[Wanted, ...]:
    """Build or pull each; those that were got.

    One that fails does not keep the others: SystemFailure names all that failed, at the end.
    """
    failures: list[UsenetError] = []
    done: list[Wanted] = []
    base = images.base(say) if any(w.build for w in wanted) else ""
    for image in wanted:
        try:
            if image.build:
                images.build(image.build, tag=image.reference, base=base, report=say, fresh=fresh)
            else:
                images.pull(image.reference, say, service=image.service)
            done.append(image)
        except SystemFailure as failure:
            say(f"failed: {failure}")
            failures.append(failure)
    if failures:
        raise SystemFailure("; ".join(map(str, failures)), hint=failures[0].hint)
    return tuple(done)


def pulled(situation: Situation, decision: Decision, say: Say) -> Situation:
    """Pull what is absent now; the situation with what came and, for each image that its registry refused, why.

    SystemFailure where it is not the registry that is in the way, such as a full disk.
    """
    came, refused = set(situation.observed.images), {}
    for image in of_stack(decision):
        if image.build or image.reference in came:
            continue
        say(f"pulling {image.reference}")
        refusal = images.pull_or_why(image.reference)
        if refusal is None:
            came.add(image.reference)
            continue
        told = images.failure(refusal, image.reference, image.service)
        if refusal.why not in _OF_THE_REGISTRY:
            raise told
        refused[image.reference] = told.message
    return replace(situation, observed=replace(situation.observed, images=frozenset(came), refused=refused))


def commands(wanted: Sequence[Wanted], *, fresh: bool = False) -> tuple[list[str], ...]:
    """The command lines that `get` runs."""
    base = images.likely_base() if any(w.build for w in wanted) else ""
    return tuple(
        images.build_command(w.build, tag=w.reference, base=base, fresh=fresh)
        if w.build
        else images.pull_command(w.reference)
        for w in wanted
    )


@dataclass(frozen=True, slots=True)
class ToSave:
    """What a file of the whole stack holds, why some services are not in it, and the command line."""

    references: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    command: list[str]


def to_save(situation: Situation, file: Path) -> ToSave:
    """The images of the whole stack. UsageError for a stack without any."""
    decision = decide(situation, available=True)
    references = tuple(w.reference for w in of_stack(decision))
    if not references:
        raise UsageError("this stack has no image to save", hint="see: usenet images list")
    return ToSave(references, decision.plan.left_out, images.save_command(references, file))


def save(references: Sequence[str], file: Path) -> Saved:
    """Save images to a file. Raises what adapters.images.save raises."""
    return Saved(str(file), images.save(references, file), tuple(references))


def load(file: Path) -> tuple[str, ...]:
    """Load a saved file; the references that came in. Raises what adapters.images.load raises."""
    return images.load(file)


def contents(file: Path) -> tuple[tuple[str, ...], list[str]]:
    """The references in a saved file, and the command line that loads it."""
    return images.contents(file), images.load_command(file)
