"""Show, change and check usenet.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any

from usenet.actions import catalog
from usenet.adapters import files, identity, settings
from usenet.adapters.home import SETTINGS, Home
from usenet.adapters.settings import Change, Problem
from usenet.domain import asked, ports
from usenet.domain.errors import ValidationError
from usenet.domain.schema import schema
from usenet.domain.secret import REDACTED
from usenet.domain.service import Service
from usenet.domain.settings import Settings

__all__ = ["Change", "Checked", "Shown", "change", "check", "difference", "get", "refuse", "schema", "show"]
refuse = settings.refuse


@dataclass(frozen=True, slots=True)
class Shown:
    """The settings in force; `defaults` are the paths (`user/uid`) that the file doesn't set."""

    path: str
    settings: Mapping[str, Any]
    defaults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with usenet.yaml, and what is only worth a word."""

    path: str
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...] = ()


def show(home: Home) -> Shown:
    """Every setting in force."""
    own = settings.load(home)
    values = own.model_dump(mode="json", exclude_none=True)
    written = own.model_dump(mode="json", exclude_unset=True)
    for service in values["services"].values():
        for key in [key for key, value in service.items() if value == {}]:
            del service[key]
    return Shown(str(home.settings), values, tuple(_missing(values, written)))


def _missing(values: Mapping[str, Any], written: Any, path: str = "") -> Iterator[str]:
    for key, value in values.items():
        there = isinstance(written, Mapping) and key in written
        if isinstance(value, Mapping) and value:
            yield from _missing(value, written[key] if there else {}, f"{path}{key}/")
        elif not there:
            yield path + key


def get(home: Home, path: str) -> Any:
    """The value in force at a path. ValidationError for a path that means nothing."""
    return settings.get(home, path)


def change(home: Home, path: str, value: str | None, *, dry_run: bool) -> Change:
    """Set a path, or unset it with None, under the lock. ValidationError when the settings refuse the value."""
    if value is not None and path == "data":
        value = identity.written_out(value)
    verb = f"config {'unset' if value is None else 'set'} {path}"
    with nullcontext() if dry_run else files.lock(home.require().path, verb):
        if value is None:
            return settings.unset(home, path, dry_run=dry_run)
        return settings.set(home, path, value, dry_run=dry_run)


def difference(made: Change) -> str:
    """The change as a unified diff, without secrets that were written into the file; empty if there is none."""
    before, after = made.before.splitlines(), made.after.splitlines()
    lines = "\n".join(unified_diff(before, after, SETTINGS, f"{SETTINGS} (new)", lineterm=""))
    for secret in settings.plain_secrets(made.before) | settings.plain_secrets(made.after):
        lines = lines.replace(secret, REDACTED)
    return lines


def check(home: Home) -> Checked:
    """Everything wrong with usenet.yaml: its form, its values, services that nobody knows, ports that none has."""
    problems = settings.problems(home)
    if problems:
        return Checked(str(home.settings), tuple(problems))
    known, warnings = catalog.load(home.path)
    own = settings.load(home)
    wrong, retired = [], []
    for name, its in own.services.items():
        place = settings.place(home, ("services", name))
        if name not in known:
            meant = " or ".join(known.closest(name))
            hint = f"did you mean {meant}?" if meant else "see them all with: usenet services list"
            wrong.append(Problem(place, f"services/{name}", f'expected a service that exists, found "{name}"', hint))
            continue
        wrong += _ports(home, name, ports.without_effect(known[name].service, its))
        if why := known[name].service.retired:
            instead = known[name].service.replaced_by
            retired.append(f"{place}: {name} is retired: {why}" + (f"; use {instead}" if instead else ""))
    wrong = wrong or list(_together(home, own, known.services))
    return Checked(str(home.settings), tuple(wrong), (*warnings, *retired))


def _together(home: Home, own: Settings, known: Mapping[str, Service]) -> Iterator[Problem]:
    """What the services contradict each other in, whatever the machine: a need that is off, two on one port."""
    try:
        names, _ = asked.services(own, known)
        ports.check({name: ports.publications(name, known[name], own) for name in names}, ())
    except ValidationError as failure:
        path = failure.where.removeprefix(f"{SETTINGS}: ")
        place = settings.place(home, path.split("/")) if path else SETTINGS
        yield Problem(place, path, failure.message, failure.hint)


def _ports(home: Home, name: str, without_effect: Mapping[int, str]) -> Iterator[Problem]:
    for port, said in without_effect.items():
        location = ("services", name, "ports", str(port))
        yield Problem(
            settings.place(home, location),
            "/".join(location),
            f'{said}, found "{port}"',
            f"take it out: usenet config unset {'.'.join(location)}",
        )
