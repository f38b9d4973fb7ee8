"""From a decision to a running stack: directories, secrets, images, files, containers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from usenet.actions import encoding, ours, starting
from usenet.actions.plan import Decision, Situation
from usenet.adapters import engine, files, images, secrets, settings, stack
from usenet.adapters.home import Home
from usenet.domain import meant, order, steps
from usenet.domain.errors import ConfigError, SystemFailure, UsenetError, ValidationError
from usenet.domain.plan import Plan
from usenet.domain.starting import Progress
from usenet.domain.steps import Create, GetImage, MakeDirectories, MakeSecrets, Step, WriteEncoding, WriteStack

Say = Callable[[str], None]
Watch = Callable[[Mapping[str, Progress]], None]


@dataclass(frozen=True, slots=True)
class Deployed:
    """What came of it; `steps` are those that were needed besides starting, `warnings` what is wrong with drives."""

    steps: tuple[Step, ...]
    services: tuple[Progress, ...]
    warnings: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[Progress, ...]:
        return tuple(p for p in self.services if p.state in ("failed", "skipped"))


def preparation(situation: Situation, decision: Decision) -> tuple[Step, ...]:
    """What must be done before anything starts, only as far as it is not done already."""
    plan, home = decision.plan, situation.home
    result: list[Step] = []
    for wanted in steps.directories(plan):
        if missing := tuple(path for path in wanted.paths if not Path(path).is_dir()):
            result.append(replace(wanted, paths=missing))
    if made := secrets.ensure(home, plan.secrets, dry_run=True).made:
        result.append(MakeSecrets({name: plan.secrets[name] for name in made}))
    absent: dict[str, GetImage] = {}
    for grant in plan.grants.values():
        if grant.image not in situation.observed.images:
            absent.setdefault(grant.image, GetImage(grant.service, grant.image, grant.build))
    result += absent.values()
    result += encoding.steps(home, plan, situation.catalog)
    if write := _difference(home, decision):
        result.append(write)
    return tuple(result)


def _difference(home: Home, decision: Decision) -> WriteStack | None:
    try:
        before = stack.load(home).files
    except ConfigError:
        before = ()
    wanted = decision.stack.files
    now = stack.on_disk(home, {*wanted, *before})
    changed = tuple(sorted(path for path, text in wanted.items() if now.get(path) != text))
    removed = tuple(sorted(path for path in now if path not in wanted))
    return WriteStack(changed, removed) if changed or removed else None


def prepare(situation: Situation, decision: Decision, say: Say) -> tuple[Step, ...]:
    """Carry out the preparation, saying each step; stops at the first that fails. The caller holds the lock."""
    todo = preparation(situation, decision)
    base = ""
    for step in todo:
        say(steps.describe(step))
        match step:
            case MakeDirectories(paths, uid, gid, mode):
                for path in paths:
                    files.make_directory(Path(path), uid, gid, mode)
            case MakeSecrets():
                secrets.ensure(situation.home, decision.plan.secrets)
            case GetImage(service, reference, ""):
                images.pull(reference, say, service=service)
            case GetImage(_, reference, build):
                base = base or images.base(say)
                images.build(build, tag=reference, base=base, report=say)
            case WriteEncoding():
                encoding.write(situation.home, step, decision.plan)
            case WriteStack(_, removed):
                stack.write(situation.home, decision.stack.files, removed)
            case _:
                raise AssertionError(f"{step} is not part of the preparation")
    return todo


def up(
    situation: Situation,
    decision: Decision,
    names: Sequence[str] = (),
    *,
    say: Say,
    watch: Watch,
    timeout: float | None = None,
) -> Deployed:
    """Prepare, then start `names` (none: all) until each is healthy or known not to be.

    Raises, before anything is written: SystemFailure without engine or Compose, ValidationError where another stack
    has this name, UsenetError where usenet.yaml is no longer what was decided from. `timeout`: seconds for each
    service instead of its own start period.
    """
    home, plan = situation.home, decision.plan
    require_engine(situation)
    with files.lock(home.path, "services up"):
        ours.require_alone(home, plan.project)
        if settings.content(home.settings) != situation.text:
            raise UsenetError(
                f"{home.settings} was changed while this looked at the machine", hint="run the same again"
            )
        if absent := not_given(home, plan):
            secrets.ensure(home, plan.secrets)  # with a line for each, to be filled in
            raise absent
        done = prepare(situation, decision, say)
        secrets.ensure(home, plan.secrets)  # stack/.env points at it, also where no service has a secret
        waits, warnings = _drives(situation, plan, say)
        result = starting.start(home, plan, names, watch=watch, timeout=timeout, waits=waits)
    return Deployed(done, result, warnings)


def _drives(situation: Situation, plan: Plan, say: Say) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """Mount the drives of the stack; service → why it waits for one that is away, and warnings."""
    if not situation.settings.storage.drives:
        return {}, ()
    from usenet.actions.storage.present import present
    from usenet.domain.storage.steps import describe

    services = {name: situation.catalog[name].service for name in plan.grants}
    found = present(situation.home, situation.settings, services, lambda step: say(describe(step)))
    return found.waits, found.warnings


def require_free(home: Home) -> None:
    """UsenetError at once where another process is changing this stack: what it does now would look like trouble."""
    files.require_free(home.path)


def require_engine(situation: Situation) -> None:
    """SystemFailure, with the reason and the cure, where no engine answers or it has no Compose."""
    if situation.host.engine is None:
        engine.facts()  # raises, with the reason and the cure
    elif not situation.host.engine.compose:
        raise SystemFailure(
            "Docker Compose is not installed", hint="install docker-compose-plugin, or run: scripts/start"
        )


def not_given(home: Home, plan: Plan) -> ConfigError | None:
    """What is wrong where a secret that only the person has is absent: Compose would stop with less helpful words."""
    empty = secrets.ensure(home, plan.secrets, dry_run=True).missing
    if not empty:
        return None
    who = sorted({g.service for g in plan.grants.values() for name in g.secrets if name in empty})
    return ConfigError(
        f"{', '.join(empty)} must be filled in by you: {', '.join(who)} can't run without",
        where=str(home.env),
        hint=f"edit {home.env}, or: usenet services disable {' '.join(who)}",
    )


def chosen(plan: Plan, names: Sequence[str], group: str, known: Iterable[str] = ()) -> tuple[str, ...]:
    """The services meant and all that they come after: those named, those of a group; none for all. ValidationError.

    As with Compose's own `up`: a container made without what it depends on would be made anew the next time.
    `known`: the names of the whole catalog, to tell what is off from what there isn't.
    """
    if not (names or group):
        return ()
    for out in plan.left_out:
        if out.service in names:
            raise ValidationError(f"{out.service} is left out: {out.because}", where="this stack")
    wanted = meant.services(names, group, {n: g.group for n, g in plan.grants.items()}, lambda: known)
    before = {n: [b for b in (*g.needs, *g.after) if b in plan.grants] for n, g in plan.grants.items()}
    return order.closure(wanted, before)


def commands(situation: Situation, plan: Plan, todo: Sequence[Step]) -> list[list[str]]:
    """The command line of each step; empty for those that are no command."""
    return [_command(situation.home, plan, step) for step in todo]


def todo(situation: Situation, decision: Decision, names: Sequence[str]) -> tuple[Step, ...]:
    """Every step of `up`, for a dry run."""
    off = starting.off(situation.home, decision.plan) if situation.host.engine else ()
    return (*preparation(situation, decision), *steps.starts(decision.plan, frozenset(names), off))


def _command(home: Home, plan: Plan, step: Step) -> list[str]:
    match step:
        case MakeDirectories(paths, uid, gid, mode):
            return ["install", "-d", "-o", str(uid), "-g", str(gid), "-m", f"{mode:04o}", *paths]
        case GetImage(_, reference, ""):
            return ["docker", "pull", reference]
        case GetImage(_, reference, build):
            return images.build_command(build, tag=reference, base=images.likely_base())
        case Create():
            return starting.command(home, plan, step)
        case _:
            return []
