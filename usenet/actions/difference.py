"""A decision against what is on disk and what runs."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import unified_diff

from usenet.actions import ours
from usenet.actions.plan import Decision
from usenet.adapters import compose, stack
from usenet.adapters.home import Home
from usenet.domain.errors import UsenetError

SHOWN = "compose.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """`text`: unified difference of the files that people read; service names otherwise. `unknown`: why not."""

    text: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    unknown: str = ""

    @property
    def same(self) -> bool:
        return not (self.text or self.missing or self.changed or self.extra or self.unknown)


def find(home: Home, decision: Decision) -> Difference:
    """Compare; never fails: what can't be looked at is in `unknown`."""
    text = _text(home, decision)
    try:
        running = ours.containers(home, decision.plan.project)
        hashes = compose.hashes(home.path, decision.plan.project, decision.stack.files[SHOWN]) if running else {}
    except UsenetError as failure:
        return Difference(text=text, unknown=str(failure))
    planned = decision.plan.grants
    return Difference(
        text=text,
        missing=tuple(n for n in planned if n not in running or running[n].state != "running"),
        changed=tuple(n for n in planned if n in running and hashes.get(n) != running[n].hash),
        extra=tuple(sorted(n for n in running if n not in planned)),
    )


def _text(home: Home, decision: Decision) -> tuple[str, ...]:
    wanted = {path: text for path, text in decision.stack.files.items() if path != stack.PLAN}
    now = stack.on_disk(home, wanted)
    lines: list[str] = []
    for path, text in sorted(wanted.items()):
        if path in now:
            names = (f"stack/{path} (on disk)", f"stack/{path} (planned)")
            lines += unified_diff(now[path].splitlines(), text.splitlines(), *names, lineterm="")
        else:
            lines.append(f"new: stack/{path}, {len(text.splitlines())} lines")
    return tuple(lines)
