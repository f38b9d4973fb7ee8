"""One change of usenet.yaml: edited, checked, then written atomically."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from usenet.adapters import files
from usenet.adapters.home import Home
from usenet.adapters.settings import edit
from usenet.adapters.settings.explain import Problem, nearest
from usenet.adapters.settings.load import content, load, problems_in
from usenet.adapters.settings.schema import keys_at
from usenet.domain.errors import ValidationError


@dataclass(frozen=True, slots=True)
class Change:
    """The text before and after; `remaining` is what was wrong before and still is."""

    before: str
    after: str
    remaining: tuple[Problem, ...] = ()


def get(home: Home, path: str) -> Any:
    """The value in force at `path`, defaults included. ValidationError for a path that the settings don't know."""
    keys = edit.keys_of(path)
    value: Any = load(home).model_dump(mode="json")
    for depth, key in enumerate(keys):
        if not isinstance(value, dict) or key not in value:
            known = list(value) if isinstance(value, dict) else list(keys_at(keys[:depth]))
            meant = nearest(key, known)
            hint = f'did you mean "{meant}"?' if meant else "see all with: usenet config show"
            raise ValidationError(f'expected a key that is set or has a default, found "{key}"', hint=hint, where=path)
        value = value[key]
    return value


def set(home: Home, path: str, value: edit.Value, *, dry_run: bool = False) -> Change:  # noqa: A001 - the verb's name
    """Write `value` at `path`, with everything else left as it is.

    ValidationError when the settings refuse the value; what was wrong elsewhere before doesn't hinder the change.
    """
    return _apply(home, lambda source: edit.with_value(source, path, value), dry_run)


def unset(home: Home, path: str, *, dry_run: bool = False) -> Change:
    """Take `path` out of the file, so that its default holds; no change if it is not there."""
    return _apply(home, lambda source: edit.without(source, path), dry_run)


def together(home: Home, values: Mapping[str, edit.Value | None], *, dry_run: bool = False) -> Change:
    """Write each value at its path, or take the path out for None: all in one write, so that nobody sees a part."""

    def edited(source: str) -> str:
        for path, value in values.items():
            source = edit.without(source, path) if value is None else edit.with_value(source, path, value)
        return source

    return _apply(home, edited, dry_run)


def enable(home: Home, names: Sequence[str], *, dry_run: bool = False) -> Change:
    """Turn services on."""
    return _apply(home, lambda source: edit.enabled(source, names), dry_run)


def disable(home: Home, names: Sequence[str], *, dry_run: bool = False) -> Change:
    """Turn services off; what is set for them stays in the file."""
    return _apply(home, lambda source: edit.disabled(source, names), dry_run)


def _apply(home: Home, edited: Callable[[str], str], dry_run: bool) -> Change:
    before = content(home.require().settings)
    after = edited(before)
    known = {(p.path, p.message) for p in problems_in(before)}
    wrong = problems_in(after)
    for problem in wrong:
        if (problem.path, problem.message) not in known:
            hint = "see: usenet config schema" if "config unset" in problem.hint else problem.hint
            raise ValidationError(problem.message, hint=hint, where=problem.path)
    if not dry_run and after != before:
        files.write(home.settings, after)
    return Change(before, after, tuple(wrong))
