"""What is done for services while drives are lost: written down before it is done, and only that is undone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import making
from usenet.actions.storage import relief
from usenet.actions.storage.relief import Relief
from usenet.actions.storage.shelf import Shelf
from usenet.adapters import download_clients, engine
from usenet.adapters.download_clients import Client
from usenet.adapters.engine import Container
from usenet.adapters.home import Home
from usenet.adapters.http import NoAnswer
from usenet.adapters.storage import watching
from usenet.domain.secret import Secret
from usenet.domain.settings import Settings
from usenet.domain.storage.events import Known
from usenet.domain.storage.seen import Seen

SERVICES = {
    "library": making.service(role="pool-dependent", wants={"media": "read"}),
    "idle": making.service(role="pool-dependent", wants={"media": "read"}),
    "loader": making.service(role="pool-dependent", wants={"downloads": "torrents"}),
    "page": making.service(role="local", wants={"media": "read"}),
    "transmission": making.service(role="local"),
    "aria2": making.service(role="local"),
}
ALL = {"library", "loader", "page", "transmission", "aria2"}  # idle was stopped by a person


class Stack:
    """Containers and download clients in memory. `going`: what of each client runs; `deaf` do not answer."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder)
        self.settings = Settings.model_validate({"storage": {"drives": {"films": {"uuid": "1"}}}})
        self.memory = watching.load(self.home)
        self.said: list[str] = []
        self.running = set(ALL)
        self.going = {"transmission": {"a", "b"}, "aria2": {"x"}}
        self.deaf: set[str] = set()
        self.broken: set[str] = set()
        self.gone: set[str] = set()  # they have no container now
        self.rendered = set(SERVICES)
        self.written: list[Any] = []
        self.watch()

    def watch(self) -> None:
        """A watch that begins, with what the last one has written down."""
        self.memory = watching.load(self.home)
        self.relief = Relief(self.memory, self.said.append)

    def round(self, state: str) -> None:
        with self.memory.change():
            self.memory.known = {"films": Known(state=state)}  # type: ignore[arg-type]
        shelf = Shelf(self.home, self.settings, making.host(), Seen(data="/data", shared=True))
        self.relief._round(relief._Now(shelf, relief.duties(shelf.drives, self.memory.known)))

    def containers(self, *_: object) -> dict[str, Container]:
        made = Container(id="", name="", project="", service="", directory="", image="", state="", status="")
        return {
            name: made._replace(id=name, service=name, state="running" if name in self.running else "exited")
            for name in SERVICES
            if name not in self.gone
        }

    def clients(self, _: object, found: dict[str, Container]) -> dict[str, Client]:
        return {name: Client(kind=name, address="", port=0, secret=Secret("")) for name in found}

    def ask(self, client: Client) -> list[str]:
        if client.kind in self.deaf:
            raise NoAnswer("it does not answer")
        return sorted(self.going[client.kind])

    def pause(self, client: Client, what: list[str]) -> None:
        self.written.append(watching.load(self.home).paused[client.kind])
        self.going[client.kind] -= set(what)

    def resume(self, client: Client, what: list[str]) -> None:
        self.ask(client)
        self.going[client.kind] |= set(what)

    def stop(self, name: str) -> None:
        self.written.append(watching.load(self.home).stopped)
        self.running.discard(name)

    def start(self, name: str) -> None:
        if name in self.broken:
            raise NoAnswer(f"{name} can't be started")
        self.running.add(name)


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    monkeypatch.setattr(relief, "SyncLater", lambda *_: SimpleNamespace(ring=lambda: None), raising=False)
    made = Stack(tmp_path)
    known = {name: SimpleNamespace(service=service) for name, service in SERVICES.items()}
    monkeypatch.setattr(relief.catalog, "load", lambda _: (known, ()))
    monkeypatch.setattr(relief.ours, "containers", made.containers)
    monkeypatch.setattr(relief.stack, "load", lambda _: SimpleNamespace(services=made.rendered))
    monkeypatch.setattr(Relief, "_clients", lambda _, *words: made.clients(*words))
    monkeypatch.setattr(relief, "_stop", made.stop)
    monkeypatch.setattr(engine, "start", made.start)
    monkeypatch.setattr(download_clients, "running", made.ask)
    monkeypatch.setattr(download_clients, "pause", made.pause)
    monkeypatch.setattr(download_clients, "resume", made.resume)
    return made


def test_who_needs_the_drive_stops_and_only_that_is_started_again(stack: Stack) -> None:
    stack.round("lost")
    assert stack.running == ALL - {"library"}
    stack.watch()  # that watch was killed
    stack.round("there")
    assert stack.running == ALL
    assert stack.going == {"transmission": {"a", "b"}, "aria2": {"x"}}


def test_one_that_can_not_be_started_keeps_no_other_stopped(stack: Stack) -> None:
    stack.running.add("idle")
    stack.round("lost")
    stack.broken = {"idle"}
    stack.round("there")
    stack.round("there")
    assert stack.running == ALL
    assert stack.said.count("start idle: idle can't be started") == 1
    stack.broken = set()
    stack.round("there")
    assert stack.running == ALL | {"idle"}


def test_who_needs_a_drive_that_did_not_come_with_the_machine_waits_for_it(stack: Stack) -> None:
    stack.memory.awaited = ["films"]
    stack.round("away")
    assert stack.running == ALL - {"library"}
    assert "stopped library: it waits for the drive films: it was not there when the machine started" in stack.said
    stack.running.add("library")  # the engine started it only now
    stack.round("away")
    assert stack.running == ALL - {"library"}
    stack.memory.awaited = []
    stack.round("there")
    assert stack.running == ALL


def test_it_is_written_down_before_it_is_done(stack: Stack) -> None:
    stack.round("lost")
    assert stack.going == {"transmission": set(), "aria2": set()}
    assert sorted(stack.written) == [["a", "b"], ["library"], ["x"]]


def test_what_is_begun_while_the_drive_is_lost_is_halted_too_and_nothing_is_forgotten(stack: Stack) -> None:
    stack.round("lost")
    stack.going["transmission"] = {"c"}
    stack.round("lost")
    assert stack.going["transmission"] == set()
    stack.round("there")
    assert stack.going["transmission"] == {"a", "b", "c"}


def test_what_a_person_halted_stays_halted(stack: Stack) -> None:
    stack.going["transmission"] = set()
    stack.round("lost")
    stack.round("there")
    assert stack.going == {"transmission": set(), "aria2": {"x"}}
    assert not [line for line in stack.said if "transmission" in line]


def test_who_is_started_while_the_drive_is_lost_stops_too_and_nobody_is_forgotten(stack: Stack) -> None:
    stack.round("lost")
    stack.running.add("idle")
    stack.round("lost")
    assert stack.running == ALL - {"library"}
    stack.round("there")
    assert stack.running == ALL | {"idle"}


def test_one_that_does_not_answer_holds_up_no_other_and_is_told_once(stack: Stack) -> None:
    stack.deaf = {"transmission"}
    stack.round("lost")
    stack.round("lost")
    assert stack.going["aria2"] == set()
    assert stack.said.count("transmission: it does not answer") == 1
    stack.deaf = set()
    stack.round("lost")
    assert stack.going["transmission"] == set()


def test_who_has_no_container_for_a_while_goes_on_when_it_has_one_again(stack: Stack) -> None:
    stack.round("lost")
    stack.gone = {"transmission", "library"}
    stack.round("lost")
    stack.round("there")
    stack.gone = set()
    stack.round("there")
    assert stack.running == ALL
    assert stack.going == {"transmission": {"a", "b"}, "aria2": {"x"}}


def test_who_left_the_stack_is_forgotten(stack: Stack) -> None:
    stack.round("lost")
    stack.gone = {"transmission", "library"}
    stack.rendered -= stack.gone
    stack.round("there")
    assert (stack.memory.stopped, list(stack.memory.paused)) == ([], ["aria2"])


def test_a_failure_that_is_over_wakes_nobody(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object) -> None:
        raise NoAnswer("no engine")

    with monkeypatch.context() as patch:
        patch.setattr(relief.ours, "containers", silent)
        stack.round("lost")
    assert stack.relief._pause() == relief.SOON
    stack.round("there")
    assert stack.relief._pause() is None


def test_nothing_is_asked_while_nothing_is_lost(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relief.ours, "containers", lambda *_: pytest.fail("the engine is asked"))
    stack.round("there")
    stack.round("out")
    assert stack.said == []
