"""Plans and stacks of the shipped catalog on the saved hosts, decided as the product decides them."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args

from usenet.actions import catalog as catalogs
from usenet.actions.plan import engine_api
from usenet.adapters import hosts, recipes
from usenet.compose.catalog import Catalog
from usenet.compose.render import Stack, render
from usenet.domain.host import Host
from usenet.domain.plan import Observed, Plan
from usenet.domain.service import Group
from usenet.domain.settings import DEFAULT_SERVICES, ProfileName, Settings
from usenet.domain.tuning import tune

HOME = "/srv/usenet"
FOLDER = Path(__file__).parent / "hosts"
HOSTS: dict[str, Host] = {path.stem: hosts.load(path) for path in sorted(FOLDER.glob("*.json"))}
PROFILES: tuple[ProfileName, ...] = get_args(ProfileName)
# The digests of recipes are left out: a changed recipe is no changed plan.
BUILDABLE = {name: f"usenet/{name}:bookworm" for name in recipes.buildable()}
# What a plan must hold true of whatever these are; each combination takes the next.
VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"publish": "lan", "data": "/pool", "user": {"uid": 1234, "gid": 99, "umask": "0007"}},
    {"publish": "192.168.7.5", "data": "/mnt/Films $HOME ${X} 'n' \"more\": yes", "timezone": "Europe/Berlin"},
    {"images": "build", "name": "other-stack", "data": "/mnt/pool"},
    {"images": "pull", "user": {"uid": 0, "gid": 0}},
)


@cache
def catalog() -> Catalog:
    """The shipped catalog."""
    found, warnings = catalogs.load()
    assert not warnings
    return found


@cache
def sets() -> dict[str, tuple[str, ...]]:
    """Name → services: the default, each group, all that are not retired, all, and some at random."""
    known = catalog().services
    current = tuple(name for name, service in known.items() if not service.retired)
    chance = random.Random(20)
    return {
        "default": DEFAULT_SERVICES,
        **{g: names for g in get_args(Group) if (names := tuple(n for n, s in known.items() if s.group == g))},
        "current": current,
        "all": tuple(known),
        **{f"random-{n}": tuple(chance.sample(tuple(known), chance.randint(1, 20))) for n in range(3)},
    }


def settings(names: tuple[str, ...], **changes: Any) -> Settings:
    """Settings with these services on."""
    return Settings.model_validate({"services": {name: {} for name in names}, **changes})


def plan(host: Host, wished: Settings, *, reachable: Mapping[str, bool] | None = None) -> Plan:
    """The plan where nothing runs and no image is there yet; what can't be had is left out."""
    observed = Observed(buildable=BUILDABLE, reachable=reachable or {})
    return tune(host, wished, catalog().services, observed, home=HOME, available=True)


def stack(host: Host, found: Plan) -> Stack:
    """The files of a plan."""
    return render(found, _templates(tuple(found.grants)), start_interval=engine_api(host) >= (1, 44))


@cache
def _templates(names: tuple[str, ...]) -> Any:
    return catalogs.templates(catalog(), names)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """One cell of the matrix."""

    host: str
    profile: ProfileName
    set: str
    variant: int

    def __str__(self) -> str:
        return f"{self.host}, {self.profile}, {self.set}, variant {self.variant}"

    @property
    def settings(self) -> Settings:
        share = {"share": 0.6} if self.profile == "custom" else {}
        return settings(sets()[self.set], profile=self.profile, **share, **VARIANTS[self.variant])

    def decide(self) -> tuple[Plan, Stack]:
        found = plan(HOSTS[self.host], self.settings)
        return found, stack(HOSTS[self.host], found)


def matrix() -> Iterator[Combination]:
    """Every host with every profile and every set; the variants take turns."""
    turn = 0
    for name in HOSTS:
        for profile in PROFILES:
            for chosen in (s for s in sets() if s != "current"):
                yield Combination(host=name, profile=profile, set=chosen, variant=turn % len(VARIANTS))
                turn += 1
