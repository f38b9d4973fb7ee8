"""What this machine has: every adapter asked at the same time, each failure told as something not seen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from usenet.adapters import drives, engine, gpus, hosts, machine, mounts
from usenet.adapters.compose import Asked
from usenet.domain.errors import SystemFailure
from usenet.domain.host import Cpu, Drive, Engine, Filesystem, Gpu, Host, Memory, Unseen

Seen = TypeVar("Seen")
Storage = tuple[tuple[Drive, ...], tuple[Filesystem, ...], tuple[Filesystem, ...], tuple[Unseen, ...]]
Cards = tuple[tuple[Gpu, ...], tuple[Unseen, ...]]

# Longer than the calls inside may take together; a process that the kernel doesn't let die would wait for ever.
PATIENCE = 20.0


def look(saved: Path | None = None, compose: Asked | None = None) -> Host:
    """This machine now, or the one in a file. ConfigError when that is no saved host.

    Looking at this machine never fails: what could not be seen is in `unseen`, with the reason and a cure.
    """
    return hosts.load(saved) if saved else Looking(compose).host()


def drives_alone(patience: float) -> Host:
    """The drives of this machine and what is mounted, nothing else; no server is asked, no drive for longer."""
    table = mounts.look()
    try:
        found, closed = drives.look(table, patience=patience)
    except SystemFailure as failure:
        found, closed = (), (Unseen(what="drives", why=failure.message, cure=failure.hint),)
    return Host(
        cpu=Cpu(model="", cores=1, threads=1, architecture=""),
        memory=Memory(total=0, available=0),
        system=machine.system(),
        drives=found,
        network_filesystems=mounts.network(table, sized=False)[0],
        fuse_filesystems=mounts.fuse(table),
        unseen=closed,
        sources={"drives": drives.SOURCE},
    )


class Looking:
    """A look at this machine that has begun.

    Other programs are asked, which takes as long as loading what decides: begin before that, and ask for the host
    after it.
    """

    def __init__(self, compose: Asked | None = None) -> None:
        """`compose`: where that was asked earlier still, as it takes the longest."""
        self._running = _Question[Engine | None]("engine", lambda: engine.facts(compose), None)
        self._storage = _Question[Storage]("drives", _storage, ((), (), (), ()))
        self._cards = _Question[Cards]("GPUs", gpus.look, ((), ()))
        self._cpu = _Question("processor", machine.cpu, Cpu(model="", cores=1, threads=1, architecture=""))
        self._memory = _Question("memory", machine.memory, Memory(total=0, available=0))

    def host(self) -> Host:
        """What was seen, once all of it was."""
        found, remote, made, closed = self._storage.answer()
        seen, dark = self._cards.answer()
        questions = (self._cpu, self._memory, self._running, self._storage, self._cards)
        return Host(
            cpu=self._cpu.answer(),
            memory=self._memory.answer(),
            system=machine.system(),
            engine=self._running.answer(),
            drives=found,
            network_filesystems=remote,
            fuse_filesystems=made,
            gpus=seen,
            unseen=(*(one.unseen for one in questions if one.unseen), *closed, *dark),
            sources=_sources(seen),
        )


class _Question(Generic[Seen]):
    """One look at the machine in a thread of its own, which the end of the program does not wait for."""

    def __init__(self, what: str, ask: Callable[[], Seen], otherwise: Seen) -> None:
        self.what = what
        self.seen = otherwise
        self.unseen: Unseen | None = None
        self._ask = ask
        self._bug: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def answer(self) -> Seen:
        self._thread.join(PATIENCE)
        if self._bug:
            raise self._bug
        if self._thread.is_alive():
            self.unseen = Unseen(what=self.what, why=f"no answer within {PATIENCE:g} s", cure="see: dmesg")
        return self.seen

    def _run(self) -> None:
        try:
            self.seen = self._ask()
        except SystemFailure as failure:
            self.unseen = Unseen(what=self.what, why=failure.message, cure=failure.hint)
        except OSError as failure:
            self.unseen = Unseen(what=self.what, why=str(failure))
        except Exception as failure:  # shown by main as what it is
            self._bug = failure


def _storage() -> Storage:
    unseen: list[Unseen] = []
    try:
        table = mounts.look()
    except SystemFailure as failure:
        table = ()
        unseen.append(Unseen(what="mounts", why=failure.message, cure=failure.hint))
    remote, silent = mounts.network(table)
    try:
        found, closed = drives.look(table)
    except SystemFailure as failure:
        found, closed = (), (Unseen(what="drives", why=failure.message, cure=failure.hint),)
    return found, remote, mounts.fuse(table), (*unseen, *closed, *silent)


def _sources(cards: tuple[Gpu, ...]) -> dict[str, str]:
    return {
        **machine.SOURCES,
        "engine": "the engine's API (/info, /version), docker compose version",
        "drives": drives.SOURCE,
        "network_filesystems": mounts.SOURCE,
        "fuse_filesystems": "findmnt",
        "gpus": gpus.source(cards),
    }
