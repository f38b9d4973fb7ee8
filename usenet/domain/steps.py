"""What will be done, in order, as values that can be printed before anything happens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from posixpath import commonpath

from usenet.domain.binds import data_directories
from usenet.domain.plan import Plan


@dataclass(frozen=True, slots=True)
class MakeDirectories:
    """Each made only where missing; what is there keeps its owner and mode. Parents come first."""

    paths: tuple[str, ...]
    uid: int
    gid: int
    mode: int


@dataclass(frozen=True, slots=True)
class MakeSecrets:
    """Names missing in .env, and how each is made."""

    kinds: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class GetImage:
    """Pull `reference`, or make it from templates/images/`build`."""

    service: str
    reference: str
    build: str


@dataclass(frozen=True, slots=True)
class WriteStack:
    """Paths below stack/ whose text changes, and those that go."""

    changed: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WriteEncoding:
    """Tell an application of the card that its service is given: the whole text of a file of its configuration."""

    service: str
    path: str
    text: str
    encoder: str


@dataclass(frozen=True, slots=True)
class Create:
    """Make the containers of these, anew where something changed, and start none; remove those of `off`.

    `alone`: leave what they depend on as it is.
    """

    services: tuple[str, ...]
    off: tuple[str, ...] = ()
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """Start the containers of these."""

    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Until each answers its probe."""

    services: tuple[str, ...]


Step = MakeDirectories | MakeSecrets | GetImage | WriteStack | WriteEncoding | Create | Start | Wait


def describe(step: Step) -> str:  # noqa: PLR0911 - one for each step
    """One line for a person."""
    match step:
        case MakeDirectories(paths, uid, gid, mode):
            what = f"directory {paths[0]}" if len(paths) == 1 else f"{len(paths)} directories in {commonpath(paths)}"
            return f"make {what} for {uid}:{gid}, mode {mode:04o}"
        case MakeSecrets(kinds):
            return f"make {len(kinds)} secrets in .env: {', '.join(kinds)}"
        case GetImage(service, reference, build):
            return f"{'build' if build else 'pull'} image {reference} for {service}"
        case WriteStack(changed, removed):
            parts = [f"write stack/{c}" for c in changed] + [f"remove stack/{r}" for r in removed]
            return ", ".join(parts)
        case WriteEncoding(service, path, _, encoder):
            return f"tell {service} to transcode by {encoder}: {path}"
        case Create(services, off):
            made = [f"create {', '.join(services)}"] if services else []
            return ", ".join(made + ([f"remove {', '.join(off)} (off)"] if off else []))
        case Start(services):
            return f"start {', '.join(services)}"
        case Wait(services):
            return f"wait until healthy: {', '.join(services)}"


def directories(plan: Plan) -> tuple[MakeDirectories, ...]:
    """The data tree (2775, so that the group is inherited) and each service's own directories (0750)."""
    bound = {bind.source for grant in plan.grants.values() for bind in grant.binds if bind.directory}
    inside = {path for path in bound if path.startswith(plan.data.rstrip("/") + "/")} | {*data_directories(plan.data)}
    own = bound - inside
    return tuple(
        MakeDirectories(tuple(sorted(paths)), plan.uid, plan.gid, mode)
        for paths, mode in ((inside, 0o2775), (own, 0o750))
        if paths
    )


def starts(plan: Plan, names: frozenset[str], off: tuple[str, ...] = ()) -> tuple[Step, ...]:
    """Create `names` (every service of the plan when empty) and remove `off`; then start and wait, wave by wave."""
    chosen = [tuple(n for n in wave if not names or n in names) for wave in plan.waves]
    together = tuple(n for wave in chosen for n in wave)
    return (
        *([create(plan, together, among=together, off=off)] if together or off else []),
        *(step for wave in chosen if wave for step in (Start(wave), Wait(wave))),
    )


def create(plan: Plan, names: tuple[str, ...], *, among: Iterable[str], off: tuple[str, ...] = ()) -> Create:
    """The step that creates `names`: alone if they depend on a service that is not `among` those to be created."""
    before = {b for n in names for b in (*plan.grants[n].needs, *plan.grants[n].after) if b in plan.grants}
    return Create(names, off=off, alone=not before <= {*among})
