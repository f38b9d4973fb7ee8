"""What happened to drives reaches hooks and webhook, though they fail, hang, or the watch is killed meanwhile."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests import making
from usenet.actions.storage.delivery import Delivery
from usenet.actions.storage.shelf import Shelf
from usenet.adapters.home import Home
from usenet.adapters.http import NoAnswer
from usenet.adapters.storage import hooks, watching, webhook
from usenet.domain.errors import SystemFailure
from usenet.domain.settings import Settings
from usenet.domain.storage import letters
from usenet.domain.storage.events import Event
from usenet.domain.storage.letters import Letter
from usenet.domain.storage.seen import Seen

LOST = Event(kind="lost", drive="films", at=1e6)


@dataclass
class World:
    """A stack with a webhook and a hook. `deaf`: how many more posts fail; `hangs`: hooks wait for it."""

    home: Home
    deaf: int = 0
    hangs: threading.Event = field(default_factory=threading.Event)
    posted: list[tuple[str, Any, Any]] = field(default_factory=list)
    hooked: list[tuple[str, str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    address: str = "https://chat.example/token"
    memory: watching.Memory = field(init=False)

    def post(self, address: str, told: dict[str, Any]) -> None:
        if self.deaf:
            self.deaf -= 1
            raise NoAnswer("answered 500")
        self.posted.append((address, told["event"], told["drive"]))

    def hook(self, _: Home, event: str, told: dict[str, str], __: Callable[[str], None]) -> None:
        self.hangs.wait()
        self.hooked.append((event, told["USENET_DRIVE"]))

    def watch(self, *events: Event) -> watching.Memory:
        """A watch that begins, sees this, and goes on."""
        self.memory = watching.load(self.home)
        with self.memory.change():
            self.memory.events += events
        Delivery(self.memory, self.said.append).take(self.shelf())
        return self.memory

    def shelf(self) -> Shelf:
        wanted = Settings.model_validate({"storage": {"webhook": self.address}})
        return Shelf(self.home, wanted, making.host(), Seen(data="/d", shared=True))

    def end(self) -> None:
        """Leave nothing to do for the threads, which end with the process."""
        self.hangs.set()
        self.memory.letters.clear()

    def until(self, seen: Callable[[], object]) -> None:
        ends = time.monotonic() + 30
        while not seen():
            assert time.monotonic() < ends, (self.posted, self.hooked, self.said)
            time.sleep(0.01)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(Home(tmp_path))
    world.memory = watching.load(world.home)
    world.hangs.set()
    monkeypatch.setattr(webhook, "post", world.post)
    monkeypatch.setattr(hooks, "run", world.hook)
    yield world
    world.end()


def waiting(world: World) -> list[tuple[str, int]]:
    """What the next watch would find to be delivered."""
    return [(one.way, one.tries) for one in watching.load(world.home).letters]


def test_both_are_told_once_and_nothing_is_left(world: World) -> None:
    memory = world.watch(LOST)
    world.until(lambda: world.posted and world.hooked and not memory.letters)
    assert world.posted == [(world.address, "lost", "films")]
    assert world.hooked == [("lost", "films")]
    world.until(lambda: waiting(world) == [])
    assert world.said == []


def test_a_webhook_that_fails_is_tried_again_and_said_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters, "FIRST_PAUSE", 0.01)
    world.deaf = 3
    world.watch(LOST)
    world.until(lambda: world.posted and world.hooked)
    assert world.said == ["webhook: answered 500"]
    assert world.hooked == [("lost", "films")]


def test_the_next_watch_delivers_what_the_last_one_could_not(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.deaf = 1
    world.watch(LOST)
    world.until(lambda: waiting(world) == [("webhook", 1)])
    world.end()
    monkeypatch.setattr(letters, "pause", lambda *_: 0.0)
    world.watch()
    world.until(lambda: waiting(world) == [])
    assert [kind for _, kind, _ in world.posted] == ["lost"]
    assert len(world.hooked) == 1, "the hook had it already"


def test_a_hook_that_hangs_holds_up_no_alert(world: World) -> None:
    world.hangs.clear()
    world.watch(LOST)
    world.until(lambda: world.posted)
    assert world.hooked == []
    world.until(lambda: waiting(world) == [("hooks", 0)])


def test_what_is_given_up_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters, "MOST_TRIES", 2)
    monkeypatch.setattr(letters, "FIRST_PAUSE", 0.01)
    world.deaf = 5
    memory = world.watch(LOST)
    world.until(lambda: not memory.letters)
    assert world.said[0] == "webhook: answered 500"
    assert "given up" in world.said[1]
    assert "films is lost" in world.said[1]
    assert world.deaf == 3


def test_an_address_that_is_not_in_env_yet_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters, "FIRST_PAUSE", 0.01)
    world.address = "${HOOK}"
    world.watch(LOST)
    world.until(lambda: world.said)
    assert world.said == ["webhook: HOOK is not in .env"]
    (world.home.env).write_text("HOOK=https://chat.example/later\n")
    world.until(lambda: world.posted)
    assert world.posted[0][0] == "https://chat.example/later"


def test_a_full_disk_keeps_nobody_from_being_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise SystemFailure("no room")

    memory = world.memory
    memory.events.append(LOST)
    monkeypatch.setattr(watching.files, "write", full)
    delivery = Delivery(memory, world.said.append)
    with pytest.raises(SystemFailure):
        delivery.take(world.shelf())
    world.until(lambda: world.posted and world.hooked and not memory.letters)


def test_what_was_written_down_before_there_were_letters_is_read(world: World) -> None:
    world.home.state.mkdir()
    told = {"known": None, "events": [{"kind": "lost", "drive": "films", "at": 1e6}], "paused": {}, "stopped": []}
    (world.home.state / "watch.json").write_text(json.dumps(told))
    assert watching.load(world.home).events == [LOST]


def tries(letter: Letter | None, now: float) -> Iterator[float]:
    """When it is tried, by a clock that is right."""
    while letter:
        now += letters.pause(letter, now)
        yield now
        letter = letters.again(letter, now)


def test_a_letter_is_tried_later_and_later_for_a_day() -> None:
    times = list(tries(Letter(way="webhook", event=LOST), LOST.at))
    waits = [after - before for before, after in pairwise(times)]
    assert waits == sorted(waits)
    assert (waits[0], max(waits)) == (10.0, 3600.0)
    assert 86400 <= times[-1] - LOST.at <= 86400 + 3600


def test_an_old_letter_has_its_tries_and_a_clock_that_is_wrong_costs_none() -> None:
    old = Letter(way="webhook", event=LOST)
    assert len(list(tries(old, LOST.at + 9e6))) == 5
    assert len(list(tries(old, LOST.at - 9e5))) == 40
    late = letters.again(old, LOST.at + 9e6)
    assert late
    assert letters.pause(late, LOST.at) == 0.0, "the clock was set back: it doesn't wait for that time"
