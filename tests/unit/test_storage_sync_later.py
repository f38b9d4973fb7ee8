"""Services that are told of drives by the watch itself: a moment later, and nobody waits for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.arr_server import Fault
from tests.unit import storage_services
from tests.unit.storage_services import Bench
from usenet.actions.storage import sync_later
from usenet.actions.storage.relief import Relief
from usenet.actions.storage.sync_later import SyncLater
from usenet.adapters import files
from usenet.adapters.storage.watching import Memory
from usenet.domain.errors import UsenetError
from usenet.domain.storage.events import Event, Kind

FILMS = "/data/drives/films/media/movies"
SHOWS = "/data/drives/films/media/tv"


@pytest.fixture
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> Iterator[Bench]:
    monkeypatch.setattr(sync_later, "PAUSES", (0.05, 0.05, 0.05))
    with storage_services.bench(tmp_path, monkeypatch, record_property) as made:
        yield made


@pytest.fixture
def said() -> list[str]:
    return []


def until(seen: Callable[[], object], said: list[str]) -> None:
    ends = time.monotonic() + 30
    while not seen():
        assert time.monotonic() < ends, said
        time.sleep(0.01)


def happen(relief: Relief, bench: Bench, memory: Memory, kind: Kind) -> None:
    memory.events.append(Event(kind=kind, drive="films", at=0))
    relief.look(bench.observe(bench.home))


@pytest.mark.parametrize("kind", ["added", "returned", "removed"])
def test_what_comes_while_it_is_watched_is_known_without_being_asked_for(
    bench: Bench, said: list[str], kind: Kind
) -> None:
    (radarr,) = bench.use("radarr")
    bench.drives("music")
    memory = Memory(bench.home)
    relief = Relief(memory, said.append)
    until(lambda: "/data/drives/music/media/movies" in radarr.folders, said)
    bench.drives("music", "films")
    happen(relief, bench, memory, kind)
    until(lambda: FILMS in radarr.folders, said)
    assert f"radarr: add {FILMS}" in said


def test_who_starts_to_watch_makes_good_what_nobody_saw_and_nothing_twice(bench: Bench, said: list[str]) -> None:
    (radarr,) = bench.use("radarr")
    bench.drives("films")
    SyncLater(bench.home, said.append)
    until(lambda: FILMS in radarr.folders, said)
    changes, asked = list(radarr.changes), len(radarr.asked)
    SyncLater(bench.home, said.append).ring()
    until(lambda: len(radarr.asked) > asked, said)
    assert radarr.changes == changes


def test_a_missing_key_is_one_sentence_and_nobody_else_s_loss(bench: Bench, said: list[str]) -> None:
    sonarr, radarr = bench.use("sonarr", "radarr")
    bench.drives("films")
    bench.home.env.write_text("".join(x for x in bench.home.env.read_text().splitlines(True) if "SONARR" not in x))
    later = SyncLater(bench.home, said.append)
    until(lambda: FILMS in radarr.folders, said)
    asked = len(radarr.asked)
    later.ring()
    until(lambda: len(radarr.asked) > asked, said)
    asked = len(radarr.asked)
    later.ring()
    until(lambda: len(radarr.asked) > asked, said)
    assert [line for line in said if "sonarr" in line] == [
        "sonarr is left out: its settings show an API key; put it into .env: SONARR_API_KEY=…"
    ]
    assert sonarr.asked == []


def test_a_stack_without_such_services_hears_nothing(bench: Bench, said: list[str]) -> None:
    bench.write({"services": {}})
    later = SyncLater(bench.home, said.append)
    until(lambda: not later._rung.is_set(), said)
    assert later._done()
    assert said == []


def test_a_failure_is_said_once_in_the_end_and_the_next_drive_is_another_chance(
    bench: Bench, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (radarr,) = bench.use("radarr")
    bench.drives("films")
    radarr.fail("GET", *[Fault(403)] * 3)
    later = SyncLater(bench.home, said.append)
    until(lambda: said, said)
    assert len(said) == 1
    assert said[0].startswith("sync: radarr at http://127.0.0.1:")
    assert said[0].endswith("tried again with the next drive, or by: usenet storage sync")
    with monkeypatch.context() as broken:
        broken.setattr(sync_later, "reconcile", lambda *words, **more: 1 / 0)
        later.ring()
        until(lambda: len(said) == 2, said)
        assert "ZeroDivisionError" in said[1]
    later.ring()
    until(lambda: FILMS in radarr.folders, said)


def test_who_does_not_run_yet_is_told_when_it_does(bench: Bench, said: list[str]) -> None:
    sonarr, radarr = bench.use("sonarr", "radarr")
    bench.drives("films")
    bench.running.remove("sonarr")
    SyncLater(bench.home, said.append)
    until(lambda: FILMS in radarr.folders, said)
    bench.running.append("sonarr")
    until(lambda: SHOWS in sonarr.folders, said)


def free(bench: Bench) -> bool:
    """Whether nobody holds the lock."""
    try:
        with files.lock(bench.home.path, "a test"):
            return True
    except UsenetError:
        return False


def test_the_lock_is_free_while_a_service_says_nothing(bench: Bench, said: list[str]) -> None:
    (radarr,) = bench.use("radarr")
    bench.drives("films")
    radarr.fail("GET", Fault(silent=True))
    SyncLater(bench.home, said.append)
    until(lambda: radarr.asked, said)
    assert free(bench)
    radarr.released.set()
    until(lambda: FILMS in radarr.folders, said)


def test_the_lock_is_given_back_when_a_service_takes_too_long(
    bench: Bench, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (radarr,) = bench.use("radarr")
    bench.drives("films")
    monkeypatch.setattr(sync_later, "HELD", 0.3)
    monkeypatch.setattr(sync_later, "PAUSES", (0.05,))
    radarr.fail("POST", Fault(silent=True))
    SyncLater(bench.home, said.append)
    until(lambda: radarr.changes, said)
    until(lambda: free(bench), said)
    until(lambda: any("sync: radarr at" in line for line in said), said)
