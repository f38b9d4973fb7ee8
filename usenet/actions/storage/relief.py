"""What is done for services while a drive is lost, beside the loop that looks after the drives.

It works towards what holds now, again and again until it is so: what a killed watch left undone, or a client that did
not answer, is made good by a later round. Only what was paused and stopped here is set going again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from usenet.actions import catalog, ours
from usenet.actions.storage.delivery import Delivery
from usenet.actions.storage.shelf import Shelf
from usenet.actions.storage.sync_later import SyncLater
from usenet.adapters import download_clients, engine, secrets, stack
from usenet.adapters.download_clients import Client, Refused
from usenet.adapters.engine import Container
from usenet.adapters.http import NoAnswer
from usenet.adapters.storage.watching import Memory
from usenet.domain.binds import sees_drives
from usenet.domain.errors import UsenetError
from usenet.domain.reach import at
from usenet.domain.secret import Secret
from usenet.domain.storage.events import Duties, duties
from usenet.domain.storage.waiting import waiting

SOON, LATER = 5.0, 30.0  # seconds until the next round, where one failed and where all is as it should be
SETTLED = 4.0  # seconds after which every client has done what it was told
PATIENCE = 20.0
GRACE = 10  # seconds that a container has to stop by itself


@dataclass(frozen=True, slots=True)
class _Now:
    shelf: Shelf
    duties: Duties


class Relief:
    """A thread of its own. `say` gets each line for the log."""

    def __init__(self, memory: Memory, say: Callable[[str], None]) -> None:
        self._memory, self._say = memory, say
        self._now: _Now | None = None
        self._news = threading.Event()
        self._failing: set[str] = set()
        self._resumed: dict[str, float] = {}
        self._refused: dict[str, Secret] = {}
        self._sync = SyncLater(memory.home, say)
        self._delivery = Delivery(memory, say)
        threading.Thread(target=self._run, daemon=True).start()

    def look(self, shelf: Shelf) -> None:
        """Take this as what holds now."""
        self._now = _Now(shelf, duties(shelf.drives, self._memory.known or {}))
        self._news.set()
        if any(event.kind != "lost" for event in self._memory.events):
            self._sync.ring()
        self._delivery.take(shelf)

    def _run(self) -> None:
        while True:
            self._news.wait(self._pause())
            self._news.clear()
            if self._now:
                self._round(self._now)

    def _pause(self) -> float | None:
        now, memory = self._now, self._memory
        if self._failing or self._resumed:
            return SOON
        held = now and (now.duties.pause or now.duties.stop)
        return LATER if held or memory.paused or memory.stopped or memory.awaited else None

    def _round(self, now: _Now) -> None:
        memory = self._memory
        if now.duties.pause or now.duties.stop or memory.paused or memory.stopped or memory.awaited:
            self._try("services", partial(self._relieve, now))
        else:
            self._failing.clear()

    def _try(self, what: str, do: Callable[[], object]) -> None:
        """Do it; a failure is said when it begins, and never ends the thread."""
        try:
            do()
            self._failing.discard(what)
        except Exception as failure:  # whatever it is, the next drive must not suffer for it
            if what not in self._failing:
                self._say(f"{what}: {failure if isinstance(failure, UsenetError | NoAnswer) else repr(failure)}")
            self._failing.add(what)

    def _relieve(self, now: _Now) -> None:
        home, memory = now.shelf.home, self._memory
        found = ours.containers(home, now.shelf.settings.name)
        known = set(memory.paused) | set(memory.stopped)
        rendered = stack.load(home).services
        with memory.change():  # one without a container, as between `down` and `up`, may come back as it was
            for gone in known - set(rendered):
                memory.paused.pop(gone, None)
                memory.stopped = [name for name in memory.stopped if name != gone]
        unwanted = self._unwanted(now)
        self._stop({name: why for name, why in unwanted.items() if name in found}, found)
        self._failing -= {one for one in self._failing if one.startswith("stop ") and one[5:] not in unwanted}
        for name in [name for name in memory.stopped if name not in unwanted and name in found]:
            self._try(f"start {name}", partial(self._start, name, found[name].id))
        self._failing -= {f"start {name}" for name in known if name not in memory.stopped or name not in found}
        clients = self._clients(now.shelf, {n: one for n, one in found.items() if _answers(one, memory.stopped)})
        self._failing -= download_clients.SECRETS.keys() - clients.keys()
        act = self._halt if now.duties.pause else self._resume
        self._resumed = {name: at for name, at in self._resumed.items() if name in clients}
        self._at_once(clients.items(), lambda pair: self._try(pair[0], partial(self._ask, act, *pair)))

    def _clients(self, shelf: Shelf, found: dict[str, Container]) -> dict[str, Client]:
        rendered, known = stack.load(shelf.home).services, secrets.read(shelf.home)
        clients = {}
        for name, container in found.items():
            if name in rendered:
                place = at(rendered[name].probe, container.addresses)
                key = known.get(download_clients.SECRETS[name], Secret(""))
                clients[name] = Client(kind=name, address=place.address, port=place.port, secret=key)
        return clients

    def _ask(self, act: Callable[[str, Client], None], name: str, client: Client) -> None:
        """Do it, but not again with a key that was refused: a client may shut out who knocks too often."""
        if self._refused.get(name) == client.secret:
            return
        try:
            act(name, client)
        except Refused as refused:
            self._refused[name] = client.secret
            variable = download_clients.SECRETS[name]
            raise NoAnswer(f"{refused}; put the right one into .env: {variable}=…") from refused

    def _halt(self, name: str, client: Client) -> None:
        known = self._memory.paused.get(name, ())
        # One that was told to go on just now may still look halted.
        going = [*download_clients.running(client), *(known if self._resumed.pop(name, None) else ())]
        if not going:
            return
        with self._memory.change():  # before it is done: who is killed between resumes what was never halted
            self._memory.paused[name] = sorted({*known, *going})
        download_clients.pause(client, going)
        if not set(going) <= set(known):  # else it is about to halt, or somebody set it going meanwhile
            self._say(f"paused {name}")

    def _resume(self, name: str, client: Client) -> None:
        """Remembered until the client has done it: should a drive go before that, it was no person who halted it."""
        if name not in self._memory.paused:
            return
        if name not in self._resumed:
            download_clients.resume(client, self._memory.paused[name])
            self._resumed[name] = time.monotonic()
            self._say(f"resumed {name}")
        elif time.monotonic() - self._resumed[name] >= SETTLED:
            with self._memory.change():
                del self._memory.paused[name]
            del self._resumed[name]

    def _unwanted(self, now: _Now) -> dict[str, str]:
        """Service → why it is not to run: who needs drives, while none is left or one has not come since the start."""
        if not (now.duties.stop or self._memory.awaited):
            return {}
        known, _ = catalog.load(now.shelf.home.path)
        services = {name: entry.service for name, entry in known.items()}
        if now.duties.stop:
            needing = (n for n, one in services.items() if one.role == "pool-dependent" and sees_drives(one))
            return dict.fromkeys(needing, "no drive is left that they could use")
        away = dict.fromkeys(self._memory.awaited, "it was not there when the machine started")
        return waiting(services, now.shelf.drives, away)

    def _stop(self, unwanted: dict[str, str], found: dict[str, Container]) -> None:
        names = [name for name in unwanted if found[name].state == "running"]
        if not names:
            return
        with self._memory.change():
            self._memory.stopped = sorted({*self._memory.stopped, *names})
        self._at_once(names, lambda name: self._try(f"stop {name}", partial(_stop, found[name].id)))
        self._say(f"stopped {', '.join(names)}: {unwanted[names[0]]}")  # the same for all

    def _start(self, name: str, container: str) -> None:
        engine.start(container)
        with self._memory.change():
            self._memory.stopped = [one for one in self._memory.stopped if one != name]
        self._say(f"started {name}")

    def _at_once(self, all_: Iterable[object], do: Callable[..., None]) -> None:
        """Do it for each at the same time; who takes too long is left behind."""
        threads = [threading.Thread(target=do, args=(one,), daemon=True) for one in all_]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)


def _answers(container: Container, stopped: Sequence[str]) -> bool:
    """Whether it is a download client that runs, and is not one that was `stopped` just now."""
    name = container.service
    return name in download_clients.SECRETS and name not in stopped and container.state == "running"


def _stop(container: str) -> None:
    engine.request(f"/containers/{container}/stop?t={GRACE}", method="POST", timeout=GRACE + PATIENCE, parse=False)
