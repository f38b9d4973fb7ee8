"""`storage sync` by itself, a moment after drives came or left: who sorts and shows media knows them.

A thread of its own, so that nobody waits for a service that is slow. What has to be changed is found out without the
lock; it is held only to change it, and no longer than HELD allows the services to take.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from usenet.actions.storage.clients import SERVICES
from usenet.actions.storage.sync import reconcile
from usenet.adapters import files, settings
from usenet.adapters.home import Home
from usenet.domain.errors import UsenetError

# Seconds before each try: the first lets things settle, the others let services come up.
PAUSES = (3.0, 10.0, 30.0, 60.0, 300.0)
LOOK, HELD = 60.0, 15.0  # seconds for the answers of the services, without and with the lock


class SyncLater:
    """`say` gets each line for the log: what was done, each note once, and what failed to the end."""

    def __init__(self, home: Home, say: Callable[[str], None]) -> None:
        self._home, self._say = home, say
        self._rung = threading.Event()
        self._told: set[str] = set()
        self._why = ""
        self.ring()  # who was away may have missed a drive
        threading.Thread(target=self._run, daemon=True).start()

    def ring(self) -> None:
        """Drives came or left."""
        self._rung.set()

    def _run(self) -> None:
        while self._rung.wait():
            self._until_done()

    def _until_done(self) -> None:
        """Try until nothing is left to do, but not for ever; what comes meanwhile begins it anew."""
        tries = 0
        self._why = ""
        while tries < len(PAUSES):
            self._rung.clear()
            if self._rung.wait(PAUSES[tries]):
                tries = 0
            elif self._done():
                return
            else:
                tries += 1
        if self._why:
            self._say(f"sync: {self._why}; it is tried again with the next drive, or by: usenet storage sync")

    def _done(self) -> bool:
        """Whether nothing is left to do; `_why` it could not be done."""
        try:
            self._why = ""
            return self._sync()
        except UsenetError as failure:
            self._why = failure.message
        except Exception as failure:  # whatever it is, the next drive must not suffer for it
            self._why = repr(failure)
        return False

    def _sync(self) -> bool:
        home = self._home
        if not set(SERVICES) & set(settings.load(home).enabled):
            return True
        found = reconcile(home, dry_run=True, say=self._say, ends=time.monotonic() + LOOK)
        if found.calls or found.directories:
            with files.lock(home.path, "storage watch"):
                found = reconcile(home, say=self._say, ends=time.monotonic() + HELD)
        for note in found.notes:
            if note not in self._told:
                self._say(note)
        self._told.update(found.notes)
        return not found.asleep
