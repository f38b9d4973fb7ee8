"""The drives before services start: mounted as far as they are there, and who waits for the others."""

from __future__ import annotations

from collections.abc import Mapping

from usenet.actions.storage.change import Say, apply
from usenet.actions.storage.shelf import observe
from usenet.adapters.home import Home
from usenet.domain.errors import UsenetError
from usenet.domain.service import Service
from usenet.domain.settings import Settings
from usenet.domain.storage.waiting import waiting


def waits(home: Home, settings: Settings, services: Mapping[str, Service], say: Say) -> dict[str, str]:
    """Mount the drives of the stack; service → why it waits for one that is away. Call it under the lock.

    A drive that can't be mounted, for whatever reason, is away.
    """
    drives = settings.storage.drives
    if not drives:
        return {}
    try:
        why = {finding.drive: finding.what for finding in apply(home, say=say).findings}
        otherwise = "it is not mounted"
    except UsenetError as failure:
        why, otherwise = {}, failure.message
    places = observe(home).seen.places
    away = {name: why.get(name, otherwise) for name in drives if name not in places or not places[name].held}
    return waiting(services, drives, away)
