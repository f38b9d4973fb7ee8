"""usenet hardware list, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from usenet.actions import early, hardware
from usenet.cli import console
from usenet.domain.host import Drive, Filesystem, Gpu, Host, Partition


def show(saved: Path | None, compose: early.Compose | None = None) -> None:
    """Print what this machine has, or the one in a file. `compose`: where that was asked early."""
    found = hardware.look(saved, compose)
    console.show(found, lambda: _print(found))


def _print(host: Host) -> None:
    _section(("machine", ""), _machine(host))
    _section(("engine", ""), _engine(host))
    _section(("drive", "size", "bus", "kind", "model", "serial"), map(_drive, host.drives))
    _section(("filesystem on", "type", "label", "size", "free", "mounted at"), _filesystems(host))
    _section(("gpu", "vendor", "name", "driver", "memory", "nodes"), map(_gpu, host.gpus))
    _section(("codecs of", "decodes", "encodes", "told by"), map(_codecs, host.gpus))
    _section(("could not see", "because", "cure"), ((one.what, one.why, one.cure) for one in host.unseen))


def _section(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    cells = list(rows)
    if cells:
        console.table(columns, cells)
        if not console.on_terminal():  # there the tables have space of their own
            console.line()


def _machine(host: Host) -> Iterator[tuple[str, str]]:
    system, cpu, memory = host.system, host.cpu, host.memory
    if system.model:
        yield "model", system.model
    yield "system", f"{system.distribution} {system.version}, Linux {system.kernel}, started by {system.init}"
    if system.virtual:
        yield "runs in", system.virtual
    if system.selinux:
        yield "SELinux", "on"
    yield "processor", f"{cpu.model}: {cpu.cores} cores, {cpu.threads} threads, {cpu.architecture}"
    swap = f"{_size(memory.swap)} swap" if memory.swap else "no swap"
    yield "memory", f"{_size(memory.total)}, {_size(memory.available)} available, {swap}"


def _engine(host: Host) -> Iterator[tuple[str, str]]:
    engine = host.engine
    if not engine:
        yield "none", "no container engine answered"
        return
    yield "version", f"{engine.version}, API {engine.api}, {'rootless' if engine.rootless else 'run by root'}"
    yield "compose", engine.compose or "not installed"
    yield "images in", f"{engine.root} ({engine.driver})"
    limits = "memory can be limited" if engine.memory_limit else "memory can't be limited: the kernel has it off"
    yield "cgroup", f"version {engine.cgroup}, {limits}"
    yield "runtimes", ", ".join(engine.runtimes)
    if engine.cdi:
        yield "CDI devices", ", ".join(engine.cdi)


def _drive(one: Drive) -> tuple[str, ...]:
    kind = {True: "rotating", False: "solid state", None: ""}[one.rotational]
    marks = (kind, "removable" if one.removable else "", "read only" if one.read_only else "")
    return one.path, _size(one.size), one.bus, ", ".join(filter(None, marks)), one.model, one.serial


def _filesystems(host: Host) -> Iterator[tuple[str, ...]]:
    """Each once, also where a RAID or a volume group lies on several drives."""
    shown: set[str] = set()
    for path, filesystem in _held(host):
        if path not in shown:
            shown.add(path)
            yield path, *_filesystem(filesystem)


def _held(host: Host) -> Iterator[tuple[str, Filesystem | None]]:
    for drive in host.drives:
        if drive.filesystem or not drive.partitions:
            yield drive.path, drive.filesystem
        yield from _below(drive.partitions)
    yield from ((remote.source, remote) for remote in (*host.network_filesystems, *host.fuse_filesystems))


def _below(partitions: tuple[Partition, ...]) -> Iterator[tuple[str, Filesystem | None]]:
    for one in partitions:
        if one.filesystem or not one.children:
            yield one.path, one.filesystem
        yield from _below(one.children)


def _filesystem(one: Filesystem | None) -> tuple[str, ...]:
    if not one:
        return "none found", "", "", "", ""
    return one.type, one.label, _size(one.size), _size(one.available), ", ".join(mount.target for mount in one.mounts)


def _gpu(one: Gpu) -> tuple[str, ...]:
    nodes = [node for node in (one.render, one.card, *one.codecs) if node]
    driver = " ".join(filter(None, (one.driver or "none", one.driver_version)))
    reached = ", ".join(f"{node.path} (group {node.gid})" for node in nodes)
    return one.pci, one.vendor, one.name or one.id, driver, _size(one.memory), reached


def _codecs(one: Gpu) -> tuple[str, ...]:
    decode, encode = (_listed(found) for found in (one.decode, one.encode))
    return one.pci, decode, encode, one.probed_by


def _listed(codecs: tuple[str, ...] | None) -> str:
    if codecs is None:
        return "not probed"
    return " ".join(codecs) or "nothing"


_size = console.human_bytes
