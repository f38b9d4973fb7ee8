"""What this machine has: every adapter asked at the same time, each failure told as something not seen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from usenet.adapters import drives, engine, gpus, hosts, machine, mounts, nvidia
from usenet.domain.errors import SystemFailure
from usenet.domain.host import Cpu, Drive, Engine, Filesystem, Gpu, Host, Memory, Unseen

Seen = TypeVar("Seen")
Storage = tuple[tuple[Drive, ...], tuple[Filesystem, ...], tuple[Filesystem, ...], tuple[Unseen, ...]]
Cards = tuple[tuple[Gpu, ...], tuple[Unseen, ...]]

# Longer than the calls inside may take together; a process that the kernel doesn't let die would wait for ever.
PATIENCE = 20.0


def look(saved: Path | None = None) -> Host:
    """This machine now, or the one in a file. ConfigError when that is no saved host.

    Looking at this machine never fails: what could not be seen is in `unseen`, with the reason and a cure.
    """
    return hosts.load(saved) if saved else _here()


def _here() -> Host:
    storage = _Question[Storage]("drives", _storage, ((), (), (), ()))
    cards = _Question[Cards]("GPUs", gpus.look, ((), ()))
    running = _Question[Engine | None]("engine", engine.facts, None)
    cpu = _Question("processor", machine.cpu, Cpu(model="", cores=1, threads=1, architecture=""))
    memory = _Question("memory", machine.memory, Memory(total=0, available=0))
    found, remote, made, closed = storage.answer()
    seen, dark = cards.answer()
    questions = (cpu, memory, running, storage, cards)
    return Host(
        cpu=cpu.answer(),
        memory=memory.answer(),
        system=machine.system(),
        engine=running.answer(),
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
    asked = any(one.vendor == "nvidia" for one in cards)
    return {
        **machine.SOURCES,
        "engine": "the engine's API (/info, /version), docker compose version",
        "drives": drives.SOURCE,
        "network_filesystems": mounts.SOURCE,
        "fuse_filesystems": "findmnt",
        "gpus": f"{gpus.SOURCE}, {nvidia.SOURCE}" if asked else gpus.SOURCE,
    }
