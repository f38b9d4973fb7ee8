"""What happened to drives, told to the user's hooks and webhook, each in a thread of its own.

So neither holds up the other, nor those who look after the drives. What can't be delivered is tried again, by the next
watch too; who is told just when the watch is killed may be told twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from usenet.actions.storage.shelf import Shelf
from usenet.adapters import secrets
from usenet.adapters.http import NoAnswer
from usenet.adapters.storage import hooks, webhook
from usenet.adapters.storage.watching import Memory
from usenet.domain.errors import UsenetError
from usenet.domain.secret import Secret
from usenet.domain.settings import referred
from usenet.domain.storage import letters
from usenet.domain.storage.alerts import message, sentence
from usenet.domain.storage.events import Event
from usenet.domain.storage.letters import WAYS, Letter, Way

HELD_UP = 5.0  # seconds before the next try where we could not even note what was delivered


class Delivery:
    """`say` gets each line for the log."""

    def __init__(self, memory: Memory, say: Callable[[str], None]) -> None:
        self._memory, self._say = memory, say
        self._shelf: Shelf | None = None
        self._news = {way: threading.Event() for way in WAYS}
        self._failing: set[Way] = set()
        for way in WAYS:
            threading.Thread(target=self._run, args=(way,), daemon=True).start()

    def take(self, shelf: Shelf) -> None:
        """Deliver what nobody was told yet; `shelf` is what holds now."""
        self._shelf = shelf
        memory = self._memory
        try:
            with memory.change():
                memory.letters += [Letter(way=way, event=event) for event in memory.events for way in WAYS]
                memory.events.clear()
        finally:  # told even where it can't be written down
            for news in self._news.values():
                news.set()

    def _run(self, way: Way) -> None:
        while True:
            self._news[way].wait(self._pause(way))
            self._news[way].clear()
            try:
                self._round(way)
            except Exception as failure:  # whatever it is, the next drive must not suffer for it
                self._say(f"{way}: {_words(failure)}")
                time.sleep(HELD_UP)

    def _pause(self, way: Way) -> float | None:
        waiting = [letters.pause(one, time.time()) for one in tuple(self._memory.letters) if one.way == way]
        return min(waiting) if waiting and self._shelf else None

    def _round(self, way: Way) -> None:
        for letter in tuple(self._memory.letters):
            if letter.way == way and self._shelf and not letters.pause(letter, time.time()):
                self._deliver(letter, self._shelf)

    def _deliver(self, letter: Letter, shelf: Shelf) -> None:
        left: tuple[Letter, ...] = ()
        try:
            self._tell(letter, shelf)
            self._failing.discard(letter.way)
        except Exception as failure:  # a fault of ours too: it is no reason to forget what happened
            if next_ := letters.again(letter, time.time()):
                left = (next_,)
            if not left or letter.way not in self._failing:
                given_up = "" if left else f"; it is given up to tell that {sentence(letter.event)}"
                self._say(f"{letter.way}: {_words(failure)}{given_up}")
            self._failing.add(letter.way)
        with self._memory.change():
            place = self._memory.letters.index(letter)
            self._memory.letters[place : place + 1] = left

    def _tell(self, letter: Letter, shelf: Shelf) -> None:
        event = letter.event
        path, uuid = _place(shelf, event)
        if letter.way == "webhook":
            if address := _address(shelf):
                webhook.post(address, message(event, stack=shelf.settings.name, path=path, uuid=uuid))
            return
        told = {"USENET_EVENT": event.kind, "USENET_DRIVE": event.drive, "USENET_PATH": path, "USENET_UUID": uuid}
        hooks.run(shelf.home, event.kind, {**told, "USENET_HOME": str(shelf.home.path)}, self._say)


def _place(shelf: Shelf, event: Event) -> tuple[str, str]:
    drive = shelf.drives.get(event.drive)
    return shelf.seen.target(event.drive), drive.uuid if drive else ""


def _address(shelf: Shelf) -> str:
    """Where to post to, empty where nobody is told. NoAnswer: .env does not have it."""
    address = shelf.settings.storage.webhook
    if name := referred(address):
        address = secrets.read(shelf.home).get(name, Secret("")).reveal()
        if not address:
            raise NoAnswer(f"{name} is not in .env")
    return address


def _words(failure: Exception) -> str:
    return str(failure) if isinstance(failure, UsenetError | NoAnswer) else repr(failure)
