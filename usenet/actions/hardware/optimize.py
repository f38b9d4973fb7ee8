"""Give the services what this machine has: another profile, or the same one on a machine that changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from usenet.actions import ours
from usenet.actions import plan as planning
from usenet.actions.hardware import Looking
from usenet.actions.plan import Decision, Situation
from usenet.adapters import files, settings, stack
from usenet.adapters.home import Home
from usenet.domain import limits
from usenet.domain.errors import UsageError, UsenetError
from usenet.domain.hardware.optimize import Allotted, Shift, named, shifts
from usenet.domain.plan import Choice, Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimized:
    """What the machine should be shared out like, against what was written last. `edits`: settings that change."""

    profile: Choice
    edits: Mapping[str, str]
    shifts: tuple[Shift, ...]
    situation: Situation
    decision: Decision


def edits(profile: str, share: float | None) -> dict[str, str]:
    """The settings that the words of the verb stand for. UsageError where they don't fit together."""
    if share is not None and profile != "custom":
        raise UsageError(
            "--share goes with --profile custom", hint="usenet hardware optimize --profile custom --share 0.6"
        )
    wanted = {"profile": profile} if profile else {}
    return wanted | ({"share": f"{share:g}"} if share is not None else {})


def look(home: Home, wanted: Mapping[str, str], *, available: bool, begun: Looking | None = None) -> Optimized:
    """Plan with the settings as they would be; changes nothing. ValidationError: a profile that there isn't."""
    change = settings.together(home, wanted, dry_run=True)
    situation = planning.look(home, draft=change.after, begun=begun)
    decision = planning.decide(situation, available=available)
    share, profile = limits.profile(situation.host, situation.settings)
    services = {name: situation.catalog[name].service for name in decision.plan.grants}
    reasons = limits.reasons(situation.host, situation.settings, services, share)
    return Optimized(
        profile=profile,
        edits=wanted if change.after != change.before else {},
        shifts=shifts(written(home), decision.plan, reasons),
        situation=situation,
        decision=decision,
    )


def written(home: Home) -> dict[str, Allotted]:
    """What each service of the stack was given when it was last written; empty where it never was."""
    try:
        grants = json.loads((home.stack / stack.PLAN).read_bytes())["grants"]
        return {name: _allotted(grant) for name, grant in grants.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # `deploy` writes it anew, so all of it differs


def _allotted(grant: Mapping[str, object]) -> Allotted:
    own, encoder = grant["limits"], grant.get("encoder")
    if not isinstance(own, dict):
        raise TypeError
    shown = named(encoder["kind"], encoder["gpu"]) if isinstance(encoder, dict) else ""
    return Allotted(Limits(**own), shown)


def save(home: Home, found: Optimized) -> None:
    """Write the settings that change, under the lock. UsenetError where usenet.yaml is not what was looked at."""
    with files.lock(home.path, "hardware optimize"):
        if settings.together(home, found.edits, dry_run=True).after != found.situation.text:
            raise UsenetError(f"{home.settings} was changed meanwhile", hint="run the same again")
        settings.together(home, found.edits)


def running(home: Home, found: Optimized) -> tuple[str, ...]:
    """The services of the plan whose container runs: those that a new limit is to reach now."""
    there = ours.containers(home, found.decision.plan.project)
    return tuple(n for n in found.decision.plan.grants if n in there and there[n].state == "running")
