"""Which service starts after which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from usenet.domain.errors import ValidationError


def waves(before: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """Group names so that each comes after all of `before[name]`; names outside the mapping are ignored.

    Every name is in the earliest wave it can be in, sorted by name. ValidationError names a circle.
    """
    waiting = {name: {b for b in others if b in before} for name, others in before.items()}
    result: list[tuple[str, ...]] = []
    while waiting:
        ready = tuple(sorted(name for name, others in waiting.items() if not others))
        if not ready:
            raise ValidationError(
                f"these services wait for each other in a circle: {', '.join(_circle(waiting))}",
                hint="take one of them out of `needs` or `after` in its service file",
            )
        result.append(ready)
        done = set(ready)
        waiting = {name: others - done for name, others in waiting.items() if name not in done}
    return tuple(result)


def _circle(waiting: Mapping[str, set[str]]) -> list[str]:
    path = [min(waiting)]
    while (following := min(waiting[path[-1]])) not in path:
        path.append(following)
    return [*path[path.index(following) :], following]


def closure(names: Sequence[str], needs: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """`names` and all that they need, directly or not, in the order found."""
    found = list(names)
    for name in found:
        found.extend(n for n in needs.get(name, ()) if n not in found)
    return tuple(dict.fromkeys(found))
