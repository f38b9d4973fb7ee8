"""What the golden files hold: plans and stacks on the saved hosts, as text that a person reviews."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tests import stacks
from usenet.domain.host import Host
from usenet.domain.images import registry
from usenet.domain.plan import Grant, Plan, by_reason
from usenet.domain.reach import Probe

FOLDER = Path(__file__).parent
FULL = ("intel-igpu", "nvidia-cdi", "pi4-cgroup-memory-off")
FIXED = "intel-igpu"
MIB = 2**20


def files() -> dict[str, str]:
    """Path below tests/golden → text, for every host and every service."""
    wanted = {f"hosts/{name}.txt": _host(host) for name, host in stacks.HOSTS.items()}
    for name in FULL:
        host = stacks.HOSTS[name]
        found = stacks.stack(host, stacks.plan(host, stacks.settings(stacks.sets()["default"])))
        wanted[f"stacks/{name}.yaml"] = found.files["compose.yaml"]
    wanted["no-registry.txt"] = _no_registry(stacks.HOSTS[FIXED])
    for name in stacks.catalog():
        wanted |= service(name, stacks.HOSTS[FIXED])
    return wanted


def there() -> dict[str, str]:
    """The golden files as they lie in tests/golden."""
    found = sorted(p for kind in ("txt", "yaml", "golden") for p in FOLDER.rglob(f"*.{kind}"))
    return {path.relative_to(FOLDER).as_posix(): path.read_text(encoding="utf-8") for path in found}


def service(name: str, host: Host) -> dict[str, str]:
    """One service with what it needs: its Compose text, its probe, and the files of its own."""
    plan = stacks.plan(host, stacks.settings((name,)))
    stack = stacks.stack(host, plan)
    grant = plan.grants[name]
    notes = [
        f"# {grant.title} on {FIXED}, alone with what it needs. Written by scripts/golden.",
        f"# probe: {_probe(grant.probe)}",
        *(f"# secret: {key}, {kind}" for key, kind in plan.secrets.items() if key in grant.secrets),
        *(f"# because: {text}" for text in _reasons(plan, (name, f"{name}."))),
    ]
    text = "\n".join(notes) + "\n" + _fragment(stack.files["compose.yaml"], name)
    own = {p: t for p, t in stack.files.items() if p.startswith(f"files/{name}/")}
    return {f"services/{name}.yaml": text} | {f"{path}.golden": text for path, text in own.items()}


def _fragment(compose: str, name: str) -> str:
    """The lines of one service, cut out of the text that is really written."""
    lines = compose.splitlines()
    begin = lines.index(f"  {name}:")
    end = next((n for n in range(begin + 1, len(lines)) if not lines[n].startswith("    ")), len(lines))
    return "\n".join(line.removeprefix("  ") for line in lines[begin:end]) + "\n"


def _host(host: Host) -> str:
    default = stacks.plan(host, stacks.settings(stacks.sets()["default"]))
    wide = stacks.plan(host, stacks.settings(stacks.sets()["current"]))
    return "\n".join(
        (
            "Written by scripts/golden. What this host gives to the default services, and to all current ones.",
            "",
            *_whole(default),
            "",
            *(line for grant in default.grants.values() for line in _block(grant, default)),
            f"All {len(wide.grants)} current services: what depends on the host.",
            *_whole(wide),
            *_columns([_row(grant) for _, grant in sorted(wide.grants.items())]),
            "",
        )
    )


def _whole(plan: Plan) -> Iterator[str]:
    """What holds for the whole stack."""
    services = tuple(f"{name}." for name in plan.grants)
    yield from (f"{c.about} = {c.value}: {c.because}" for c in plan.choices if not c.about.startswith(services))
    yield from (f"left out: {text}" for text in by_reason(plan.left_out))
    total = sum(grant.limits.reservation or 0 for grant in plan.grants.values())
    yield f"reserved = {total // MIB} MiB"
    yield "order = " + " | ".join(" ".join(wave) for wave in plan.waves)


def _block(grant: Grant, plan: Plan) -> Iterator[str]:
    """All that one service gets, a line each; what it does not get is left out."""
    yield f"{grant.service} ({grant.group}, {grant.role})"
    told = {
        "image": grant.image,
        "ports": " ".join(f"{p.address}:{p.host}→{p.container}/{p.protocol}" for p in grant.ports),
        "networks": " ".join(grant.networks),
        "limits": _limits(grant),
        "devices": " ".join(grant.devices),
        "groups": " ".join(map(str, grant.groups)),
        "gpu": _gpus(grant),
        "user": grant.user,
        "environment": " ".join(f"{k}={v}" for k, v in sorted(grant.environment.items())),
        "capabilities": " ".join(grant.capabilities),
        "binds": ", ".join(
            f"{b.source}→{b.target}" + (" ro" if b.read_only else "") + (f" {b.propagation}" if b.propagation else "")
            for b in grant.binds
        ),
        "after": " ".join(n for n in (*grant.needs, *grant.after) if n in plan.grants),
        "check": " ".join(grant.check) or ("the image's own" if grant.self_checking else ""),
        "probe": _probe(grant.probe),
    }
    yield from (f"  {key:<12} {value}" for key, value in told.items() if value)
    yield from (f"  because      {text}" for text in _reasons(plan, (f"{grant.service}.",)))
    yield ""


def _reasons(plan: Plan, about: tuple[str, ...]) -> Iterator[str]:
    for choice in plan.choices:
        if choice.about == about[0] or choice.about.startswith(about[-1]):
            yield f"{choice.about} = {choice.value}: {choice.because}"


def _row(grant: Grant) -> tuple[str, ...]:
    given = [*grant.devices, *(f"group {gid}" for gid in grant.groups), _gpus(grant)]
    environment = [f"{k}={v}" for k, v in grant.environment.items() if k.startswith(("LIBVA", "NVIDIA"))]
    return grant.service, _limits(grant), " ".join(filter(None, (*given, *environment)))


def _columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _limits(grant: Grant) -> str:
    allowed = grant.limits
    least = f"{allowed.reservation // MIB}.." if allowed.reservation else "up to "
    memory = "no memory limit" if allowed.memory is None else f"{least}{allowed.memory // MIB} MiB"
    return f"{memory}, {allowed.cpus:g} cpus"


def _gpus(grant: Grant) -> str:
    return f"{grant.gpus.driver} {' '.join(grant.gpus.ids)}" if grant.gpus else ""


def _probe(probe: Probe) -> str:
    if probe.kind == "running":
        return f"nothing to ask; running is all that can be known, within {probe.start_period} s"
    scheme = probe.scheme if probe.kind == "http" else "tcp"
    asked = "" if probe.method == "GET" else f"{probe.method} "
    codes = f" answers {' or '.join(map(str, probe.status))}" if probe.status else ""
    where = f"{probe.address or 'the container'}:{probe.port}"
    return f"{asked}{scheme}://{where}{probe.path}{codes} within {probe.start_period} s"


def _no_registry(host: Host) -> str:
    """The plan where no registry answers: what is built here, and what is left out."""
    silent = {registry(service.image): False for service in stacks.catalog().services.values()}
    plan = stacks.plan(host, stacks.settings(stacks.sets()["current"]), reachable=silent)
    lines = [
        f"Written by scripts/golden. All current services on {FIXED} where no registry answers.",
        "",
        *_whole(plan),
        "",
        *(line for grant in plan.grants.values() for line in _block(grant, plan)),
    ]
    return "\n".join(lines)
