"""The services that know root folders or library paths: which of them run, and how they are asked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from usenet.actions import ours
from usenet.adapters import arr, secrets, stack
from usenet.adapters.home import Home
from usenet.adapters.jellyfin import Jellyfin
from usenet.adapters.rest import Api
from usenet.domain.reach import Probe, at
from usenet.domain.secret import Secret
from usenet.domain.settings import Settings
from usenet.domain.storage import roots
from usenet.domain.storage.roots import Add, Has, Present

SERVICES = (*roots.SORTERS, roots.READER)


class Client(Protocol):
    """What both kinds of services can be asked for; see usenet.adapters.arr."""

    def has(self) -> Has: ...
    def user(self, present: Present) -> str: ...
    def add(self, call: Add) -> Present | None: ...
    def remove(self, present: Present) -> None: ...
    def shows(self, call: Add | Present) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Those that can be asked, and who is left out: not turned on, not running, or of no key that is known."""

    clients: Mapping[str, Client]
    off: tuple[str, ...]
    asleep: tuple[str, ...]
    keyless: tuple[str, ...]


def running(home: Home, settings: Settings, *, ends: float = math.inf) -> Found:
    """Look at each of them. At `ends`, by the clock that never goes back, every answer has to be there."""
    rendered = stack.load(home)
    containers = ours.containers(home, rendered.project)
    known = secrets.read(home)
    on = [name for name in SERVICES if name in settings.enabled]
    awake = [name for name in on if name in rendered.services and name in containers]
    awake = [name for name in awake if containers[name].state == "running"]
    made: dict[str, Client | None] = {}
    for name in awake:
        probe = at(rendered.services[name].probe, containers[name].addresses)
        made[name] = _client(home, name, probe, known.get(f"{name.upper()}_API_KEY", Secret("")), ends)
    return Found(
        clients={name: client for name, client in made.items() if client},
        off=tuple(name for name in SERVICES if name not in on),
        asleep=tuple(name for name in on if name not in awake),
        keyless=tuple(name for name, client in made.items() if not client),
    )


def _client(home: Home, name: str, probe: Probe, given: Secret, ends: float) -> Client | None:
    """How a service is asked; None without a key."""
    base = f"{probe.scheme}://{probe.address}:{probe.port}"
    if name == roots.READER:
        api = Api(name, base, (given,), field="Authorization", form='MediaBrowser Token="{}"', ends=ends)
        return Jellyfin(api) if given else None
    # The container gets the key of .env; that of config.xml is the right one where .env was changed since.
    own = arr.configured(home.config(name))
    if not (given or own.key):
        return None
    return arr.Arr(name, Api(name, base + own.base, (given, own.key), field="X-Api-Key", ends=ends))
