"""Which services of a stack the words of a command line mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from usenet.domain.errors import ValidationError

Names = Callable[[], Iterable[str]]


def services(names: Sequence[str], group: str, groups: Mapping[str, str], catalog: Names = tuple) -> tuple[str, ...]:
    """Those named, as typed, then those of the group, each once; all where neither is given.

    `groups`: service of the stack → its group. ValidationError for a name or a group that the stack hasn't; `catalog`
    is asked for all the names that there are, to tell one that is off from one that is misspelled.
    """
    for name in names:
        if name not in groups:
            raise _absent(name, groups, catalog())
    inside = [name for name, its in groups.items() if its == group]
    if group and not inside:
        there = ", ".join(sorted(set(groups.values())))
        raise ValidationError(f"no service of this stack is in group {group!r}", hint=f"there are: {there}")
    return tuple(dict.fromkeys((*names, *inside))) if names or group else tuple(groups)


def unknown(name: str, names: Iterable[str], *, where: str = "") -> ValidationError:
    """There is no such service; the nearest of `names` may have been meant."""
    from difflib import get_close_matches  # only for a name that is wrong

    near = get_close_matches(name, list(names), n=2)
    meant = f"did you mean {' or '.join(near)}? " if near else ""
    return ValidationError(f"there is no service {name!r}", where=where, hint=f"{meant}see: usenet services list")


def _absent(name: str, groups: Iterable[str], catalog: Iterable[str]) -> ValidationError:
    known = frozenset(catalog)
    if name in known:
        return ValidationError(f"{name} is off", where="this stack", hint=f"usenet services enable {name}")
    return unknown(name, (*groups, *(known - {*groups})), where="this stack")
