"""Who is said to see a drive that joins: services that are there, not those that were left out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import making
from usenet.actions import catalog
from usenet.actions.storage import adding
from usenet.actions.storage.shelf import Shelf
from usenet.adapters import stack
from usenet.adapters.home import Home
from usenet.domain.settings import Settings
from usenet.domain.storage.seen import Seen


def test_who_was_left_out_of_the_stack_is_not_said_to_see_a_drive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = SimpleNamespace(service=making.service(wants={"media": "read"}))
    monkeypatch.setattr(catalog, "load", lambda _: ({"jellyfin": reading, "plex": reading}, ()))
    wanted = Settings.model_validate({"services": {"jellyfin": {}, "plex": {}}})
    shelf = Shelf(Home(tmp_path), wanted, making.host(), Seen(data="/data", shared=True))
    assert adding._readers(shelf) == ("jellyfin", "plex")
    monkeypatch.setattr(stack, "load", lambda _: SimpleNamespace(services={"plex": None}))
    assert adding._readers(shelf) == ("plex",)
