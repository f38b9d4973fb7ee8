"""The services that know root folders or library paths: which of them run, and how they are asked."""

from __future__ import annotations

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


def running(home: Home, settings: Settings) -> tuple[dict[str, Client], tuple[str, ...]]:
    """Those that run, ready to be asked; and who is left out, and why."""
    rendered = stack.load(home)
    containers = ours.containers(home, rendered.project)
    known = secrets.read(home)
    off = [name for name in SERVICES if name not in settings.enabled]
    notes = [f"off, and left out: {', '.join(off)}"] if off else []
    found: dict[str, Client] = {}
    for name in (one for one in SERVICES if one not in off):
        container = containers.get(name)
        if name not in rendered.services or not container or container.state != "running":
            notes.append(f"{name} does not run, and is left out: usenet services up {name}")
            continue
        probe = at(rendered.services[name].probe, container.addresses)
        given = known.get(f"{name.upper()}_API_KEY", Secret(""))
        if name == roots.READER and not given:
            notes.append(
                f"{name} is left out: make an API key in its dashboard, and put it into .env: JELLYFIN_API_KEY=…"
            )
            continue
        found[name] = _client(home, name, probe, given)
    return found, tuple(notes)


def _client(home: Home, name: str, probe: Probe, given: Secret) -> Client:
    base = f"{probe.scheme}://{probe.address}:{probe.port}"
    if name == roots.READER:
        return Jellyfin(Api(name, base, (given,), field="Authorization", form='MediaBrowser Token="{}"'))
    # The container gets the key of .env; that of config.xml is the right one where .env was changed since.
    own = arr.configured(home.config(name))
    return arr.Arr(name, Api(name, base + own.base, (given, own.key), field="X-Api-Key"))
