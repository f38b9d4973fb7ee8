"""What the watch of a stack remembers over its own end, and the lock that lets there be one watch only."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from usenet.adapters import files
from usenet.adapters.home import Home
from usenet.domain.errors import SystemFailure, UsenetError
from usenet.domain.storage.events import Event, Known
from usenet.domain.storage.letters import Letter


@dataclass(slots=True)
class Memory:
    """`known`: None before the first look ever. `events`: those that nobody was told yet. `letters`: those on
    their way. `paused`: service → what of it we paused. `stopped`: services that we stopped. `boot`: the start of
    the machine that was last looked at; `awaited`: drives that were away then, and have not come since.
    """

    home: Home
    known: Mapping[str, Known] | None = None
    events: list[Event] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    paused: dict[str, list[str]] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    boot: str = ""
    awaited: list[str] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @contextmanager
    def change(self) -> Iterator[None]:
        """Around a change: nobody else changes, and it is on the drive at the end."""
        with self._lock:
            before = self._text()
            yield
            if (after := self._text()) != before:
                files.write(self.home.state / "watch.json", after)

    def _text(self) -> str:
        known = None if self.known is None else {name: dataclasses.asdict(one) for name, one in self.known.items()}
        told = {
            "known": known,
            "events": [dataclasses.asdict(one) for one in self.events],
            "letters": [dataclasses.asdict(one) for one in self.letters],
            "paused": self.paused,
            "stopped": self.stopped,
            "boot": self.boot,
            "awaited": self.awaited,
        }
        return json.dumps(told, indent=1) + "\n"


def load(home: Home) -> Memory:
    """What the last watch remembered; nothing where there was none, or the file is damaged."""
    memory = Memory(home)
    try:
        raw: dict[str, Any] = json.loads((home.state / "watch.json").read_text())
        known = raw["known"]
        if known is not None:
            memory.known = {n: Known(**{**one, "losses": tuple(one["losses"])}) for n, one in known.items()}
        memory.events = [Event(**one) for one in raw["events"]]
        memory.letters = [Letter(**{**one, "event": Event(**one["event"])}) for one in raw.get("letters", ())]
        memory.paused = {name: list(map(str, what)) for name, what in raw["paused"].items()}
        memory.stopped = list(map(str, raw["stopped"]))
        memory.boot, memory.awaited = str(raw.get("boot", "")), list(map(str, raw.get("awaited", ())))
    except FileNotFoundError:
        pass
    except (ValueError, KeyError, TypeError, AttributeError):
        return Memory(home)
    except OSError as failure:
        raise SystemFailure(f"{failure.filename} can't be read: {failure.strerror}", hint="run it as root") from failure
    return memory


@contextmanager
def alone(home: Home) -> Iterator[None]:
    """Be the only watch of this stack, as long as the process lives. UsenetError names the process of another."""
    path = home.state / "watch.lock"
    files.make_directory(path.parent, home.path.stat().st_uid, home.path.stat().st_gid)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except OSError as failure:
        raise SystemFailure(f"{path} can't be opened: {failure.strerror}", hint="run it as root") from failure
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as held:
        who = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "another process"
        os.close(descriptor)
        raise UsenetError(
            f"the drives of this stack are watched already, by process {who}",
            hint="one watch is enough; if systemd runs it: systemctl status 'usenet-*-agent'",
            where=str(path),
        ) from held
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
