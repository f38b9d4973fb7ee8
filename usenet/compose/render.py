"""Plan and service files → the files of the stack. Pure and deterministic: the same plan gives the same bytes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache, lru_cache, partial
from typing import Any, cast

import yaml
from jinja2 import DictLoader, Environment, StrictUndefined, Template, TemplateError

from usenet.compose import shape
from usenet.compose.shape import Shape
from usenet.compose.text import Value, dump
from usenet.domain.errors import ConfigError
from usenet.domain.plan import Grant, Plan
from usenet.domain.reach import Probe, Publication

HEADER = "# Written by usenet from usenet.yaml. Don't edit: change usenet.yaml, then run usenet deploy.\n"
FILES = "usenet.files"  # a label
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BASE = '{% include "base.yaml.j2" %}\n'
_JINJA = re.compile(r"\{[{%#]")


@dataclass(frozen=True, slots=True)
class Stack:
    """Text by path below stack/, and a digest of all of it."""

    files: Mapping[str, str]
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """What to render with. `bodies` and `sources` (for messages) by service, `files` by path below stack/."""

    base: str
    bodies: Mapping[str, str]
    files: Mapping[str, str]
    sources: Mapping[str, str]


def render(plan: Plan, templates: Templates, *, start_interval: bool = False) -> Stack:
    """The compose file, the services' own files and plan.json. Raises ConfigError naming the service file."""
    compiled = _compiled(templates.base)
    brought = _by_service(templates.files)
    own = {
        name: {path: _file(path, grant, plan, templates, compiled) for path in brought.get(name, ())}
        for name, grant in sorted(plan.grants.items())
    }
    services: dict[str, Value] = {
        name: _labelled(_service(plan.grants[name], plan, templates, compiled, start_interval=start_interval), files)
        for name, files in own.items()
    }
    networks = shape.networks(plan)
    whole: Shape = {"name": plan.project, "services": services, **({"networks": networks} if networks else {})}
    files = {"compose.yaml": HEADER + dump(whole)}
    files |= {path: text for files in own.values() for path, text in files.items()}
    files["plan.json"] = _plan_text(plan, sorted([*files, "plan.json"]))
    return Stack(files, _digest(files))


class _Compiled(dict[str, Template]):
    """Text → template, compiled once: most services share one body."""

    def __init__(self, base: str) -> None:
        # The output is YAML and configuration, never HTML: tojson does the quoting.
        self._environment = Environment(
            loader=DictLoader({"base.yaml.j2": base}),
            undefined=StrictUndefined,
            trim_blocks=True,
            keep_trailing_newline=True,
            autoescape=False,  # noqa: S701
            optimized=False,  # each is compiled for one run: looking for constants costs more than it saves
            auto_reload=False,
        )
        self._environment.filters["tojson"] = partial(json.dumps, ensure_ascii=False)

    def body(self, text: str, **given: object) -> str:
        """A service's body, rendered. One that is the base and words without Jinja needs no template of its own."""
        own = text.removeprefix(_BASE)
        if own == text or _JINJA.search(own):
            return self[text].render(given)
        return self._environment.get_template("base.yaml.j2").render(given) + own

    def __missing__(self, text: str) -> Template:
        self[text] = self._environment.from_string(text)
        return self[text]


@lru_cache(maxsize=1)
def _compiled(base: str) -> _Compiled:
    """Kept for the next plan of this process."""
    return _Compiled(base)


def _plan_text(plan: Plan, files: list[str]) -> str:
    """One line for each key and each service: JSON's indenting encoder takes ten times as long."""
    top = {"files": files, **{key: value for key, value in _fields(plan).items() if key != "grants"}}
    lines = (f'"{key}": {_json(value)},\n' for key, value in top.items())
    grants = (f'"{name}": {_json(grant)}' for name, grant in plan.grants.items())
    return "{" + "".join(lines) + '"grants": {\n' + ",\n".join(grants) + "\n}}\n"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=_fields)


def _fields(value: Any) -> dict[str, Any]:
    return {name: _told(getattr(value, name)) for name in _names(value.__class__)}


def _told(value: Any) -> Any:
    """Named tuples, which JSON would take for lists, as what their fields say."""
    if isinstance(value, Probe):
        return value._asdict()
    if isinstance(value, tuple) and value and isinstance(value[0], Publication):
        return [one._asdict() for one in value]
    return value


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _by_service(paths: Iterable[str]) -> dict[str, list[str]]:
    """`files/<service>/…` by service."""
    found: dict[str, list[str]] = {}
    for path in paths:
        found.setdefault(path.split("/", 2)[1], []).append(path)
    return found


def _service(
    grant: Grant, plan: Plan, templates: Templates, compiled: _Compiled, *, start_interval: bool
) -> dict[str, Value]:
    where = templates.sources[grant.service]
    shaped = shape.service(grant, plan, start_interval=start_interval)
    try:
        text = compiled.body(templates.bodies[grant.service], image=grant.image, grant=shaped, service=grant.service)
        body = parse(text)
    except (TemplateError, yaml.YAMLError, ValueError) as failure:
        raise ConfigError(
            f"its body does not render: {failure}",
            where=where,
            hint='a body prints what was granted, for instance: {% include "base.yaml.j2" %}',
        ) from failure
    missing = [key for key in ("image", "cap_drop", "security_opt") if body.get(key) != shaped[key]]
    if missing:
        raise ConfigError(
            f"its body leaves out or changes {', '.join(missing)}",
            where=where,
            hint='begin the body with {% include "base.yaml.j2" %}',
        )
    return body


def _labelled(body: Shape, files: Mapping[str, str]) -> Shape:
    """The body with the digest of its rendered files, so that Compose makes the container anew when they change.

    A container keeps the file that it was started with: a rename puts the new one beside it, not into it.
    """
    if not files:
        return body
    labels, digest = body.get("labels") or {}, _digest(files)[:12]
    if isinstance(labels, dict):
        return {**body, "labels": {**labels, FILES: digest}}
    return {**body, "labels": [*cast("list[Value]", labels), f"{FILES}={digest}"]}


def parse(text: str) -> dict[str, Value]:
    """A rendered body as a mapping. A line `key: JSON` needs no YAML parser, and is a hundred times as fast without."""
    found: dict[str, Value] = {}
    for line in text.split("\n"):  # splitlines also splits at what JSON leaves as it is
        if not line.strip():
            continue
        key, colon, rest = line.partition(": ")
        try:
            value = json.loads(rest) if colon and key.replace("_", "").isalpha() else None
        except ValueError:
            value = None
        if value is None or key in found:
            return _parse_yaml(text)
        found[key] = value
    return found


def _parse_yaml(text: str) -> dict[str, Value]:
    loaded = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    if not isinstance(loaded, dict) or not all(isinstance(key, str) for key in loaded):
        raise ValueError("it must be a mapping of Compose keys")
    return {key: value for key, value in cast("dict[str, Value]", loaded).items() if value is not None}


def _file(path: str, grant: Grant, plan: Plan, templates: Templates, compiled: _Compiled) -> str:
    try:
        return compiled[templates.files[path]].render(plan=plan, grant=grant)
    except TemplateError as failure:
        raise ConfigError(
            f"the file {path} does not render: {failure}", where=templates.sources[grant.service]
        ) from failure


def _digest(files: Mapping[str, str]) -> str:
    total = hashlib.sha256()
    for path, text in sorted(files.items()):
        total.update(f"{path}\0{len(text)}\0{text}".encode())
    return total.hexdigest()
