"""A grant in Compose's words: the long syntax of every key, nothing decided."""

from __future__ import annotations

from usenet.compose.text import Value
from usenet.domain.plan import Bind, Grant, Plan
from usenet.domain.reach import Publication
from usenet.domain.settings import referred

Shape = dict[str, Value]


def service(grant: Grant, plan: Plan, *, start_interval: bool) -> Shape:
    """The keys of one Compose service; a key with nothing to say is left out.

    `start_interval`: whether the engine knows it (API 1.44); older ones refuse to start with it.
    """
    shape: Shape = {
        "image": grant.image,
        "pull_policy": "never" if grant.build else "missing",
        # A first process that has no handler of SIGTERM yet ignores it, and would be killed 30 s later.
        "init": True if grant.build else "",
        "user": grant.user,
        "group_add": [str(gid) for gid in grant.groups],
        "environment": {key: _environment(value) for key, value in sorted(grant.environment.items())},
        "ports": [_port(port) for port in grant.ports] if grant.network == "stack" else [],
        "volumes": [_bind(bind) for bind in grant.binds],
        "devices": [f"{path}:{path}" for path in grant.devices],
        "network_mode": "host" if grant.network == "host" else "",
        "networks": list(grant.networks) if grant.network == "stack" else [],
        "depends_on": _depends_on(grant, plan),
        "healthcheck": _healthcheck(grant, start_interval=start_interval),
        "cap_drop": ["ALL"],
        "cap_add": list(grant.capabilities),
        "security_opt": ["no-new-privileges:true"],
        "deploy": _deploy(grant),
        "restart": "unless-stopped",
        "stop_grace_period": "30s",
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
    }
    return {key: value for key, value in shape.items() if value not in ("", [], {})}


def networks(plan: Plan) -> Shape:
    """Compose's top-level `networks`: those that someone joins besides the default one, closed to the outside."""
    joined = {name for grant in plan.grants.values() if grant.network == "stack" for name in grant.networks}
    return {name: {"internal": True} for name in sorted(joined - {"default"})}


def literal(text: str) -> str:
    """`$` doubled, so that Compose reads the text as it is."""
    return text.replace("$", "$$")


def _environment(value: str) -> str:
    """Only a whole `${NAME}` refers to .env, and Compose stops when it is missing; any other `$` is literal."""
    if name := referred(value):
        return f"${{{name}:?is missing in .env: run usenet deploy once}}"
    return literal(value)


def _port(port: Publication) -> Shape:
    return {
        "target": port.container,
        "published": str(port.host),
        "host_ip": port.address,
        "protocol": port.protocol,
        "mode": "host",
    }


def _bind(bind: Bind) -> Shape:
    # Compose drops the label unless the engine may make the path; with a colon the path would come apart there.
    labelled = bind.relabel and ":" not in bind.source + bind.target
    options: Shape = {"create_host_path": labelled, **({"selinux": "z"} if labelled else {})}
    if bind.propagation:
        options["propagation"] = bind.propagation
    return {
        "type": "bind",
        "source": literal(bind.source),
        "target": literal(bind.target),
        **({"read_only": True} if bind.read_only else {}),
        "bind": options,
    }


def _depends_on(grant: Grant, plan: Plan) -> Shape:
    return {
        name: {"condition": "service_healthy" if plan.grants[name].self_checking else "service_started"}
        for name in sorted({*grant.needs, *grant.after})
        if name in plan.grants
    }


def _healthcheck(grant: Grant, *, start_interval: bool) -> Shape:
    if not grant.check:
        return {}
    soon: Shape = {"start_interval": "2s"} if start_interval else {}
    return {
        "test": [literal(part) for part in grant.check],
        "interval": "15s",
        "timeout": "10s",
        "retries": 4,
        "start_period": f"{grant.start_period}s",
        **soon,
    }


def _deploy(grant: Grant) -> Shape:
    limits: Shape = {}
    reservations: Shape = {}
    if grant.limits.memory is not None:
        limits["memory"] = str(grant.limits.memory)
    if grant.limits.cpus is not None:
        limits["cpus"] = str(grant.limits.cpus)
    if grant.limits.reservation is not None:
        reservations["memory"] = str(grant.limits.reservation)
    if grant.gpus:
        wanted: list[Value] = ["gpu"] if grant.gpus.driver == "cdi" else ["gpu", "video", "compute", "utility"]
        device: Shape = {"driver": grant.gpus.driver, "capabilities": wanted, "device_ids": list(grant.gpus.ids)}
        reservations["devices"] = [device]
    parts: Shape = {"limits": limits, "reservations": reservations}
    parts = {key: value for key, value in parts.items() if value}
    return {"resources": parts} if parts else {}
