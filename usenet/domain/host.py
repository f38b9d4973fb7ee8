"""What a machine is: frozen facts, each with its source. Bytes and counts, nothing guessed from a name."""

from __future__ import annotations

from dataclasses import dataclass

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """`model` as the kernel names it; `cores` are physical, `threads` what it schedules on."""

    model: str
    cores: int
    threads: int
    architecture: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes."""

    total: int
    available: int
    swap: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """`virtual`: the hypervisor's name or empty; `init`: the name of process 1; `model`: from device tree or DMI."""

    kernel: str
    distribution: str
    version: str = ""
    model: str = ""
    virtual: str = ""
    init: str = ""
    selinux: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A container engine that answers. `compose` is empty where the plugin is missing; `cgroup` is 1 or 2.

    `memory_limit` is False where the kernel's memory controller is off (Raspberry Pi OS by default).
    """

    version: str
    api: str
    compose: str = ""
    cgroup: int = 2
    driver: str = ""
    root: str = "/var/lib/docker"
    runtimes: tuple[str, ...] = ()
    cdi: tuple[str, ...] = ()
    memory_limit: bool = True
    rootless: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """Where a filesystem is mounted, with its options; `propagation`: shared, private, ..."""

    target: str
    options: tuple[str, ...] = ()
    propagation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filesystem:
    """A filesystem as probed; `type` is the true one, never `fuseblk`. Bytes; None when not mounted."""

    source: str
    type: str
    uuid: str = ""
    label: str = ""
    size: int | None = None
    used: int | None = None
    available: int | None = None
    mounts: tuple[Mount, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A block device below a drive: partition, LUKS, LVM or RAID member, each with what it holds."""

    path: str
    kind: str
    size: int
    filesystem: Filesystem | None = None
    children: tuple[Partition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """The physical thing, known by serial. `bus` is usb, sata, nvme, mmc, virtio, loop or empty."""

    name: str
    path: str
    size: int
    model: str = ""
    serial: str = ""
    bus: str = ""
    removable: bool = False
    rotational: bool | None = None
    read_only: bool = False
    filesystem: Filesystem | None = None
    partitions: tuple[Partition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A device node with the numeric group that may open it."""

    path: str
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A display controller on the PCI bus, or of a system on a chip (`pci` is then its platform name).

    `vendor` is nvidia, amd, intel, raspberrypi, virtio or other; `uuid` is NVIDIA's. `decode`, `encode`: the codecs
    (domain/codecs.py) that `probed_by` found; None: nobody could be asked.
    """

    pci: str
    vendor: str
    id: str
    name: str = ""
    driver: str = ""
    driver_version: str = ""
    uuid: str = ""
    memory: int | None = None
    render: Node | None = None
    card: Node | None = None
    codecs: tuple[Node, ...] = ()
    decode: tuple[str, ...] | None = None
    encode: tuple[str, ...] | None = None
    probed_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """Something that could not be looked at, why, and what would let us."""

    what: str
    why: str
    cure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One machine at one moment. `sources` maps a field's name to where it was read.

    `fuse_filesystems`: made by a program, such as pools of mergerfs; neither on one drive nor over a network.
    """

    cpu: Cpu
    memory: Memory
    system: System
    engine: Engine | None = None
    drives: tuple[Drive, ...] = ()
    network_filesystems: tuple[Filesystem, ...] = ()
    fuse_filesystems: tuple[Filesystem, ...] = ()
    gpus: tuple[Gpu, ...] = ()
    unseen: tuple[Unseen, ...] = ()
    sources: dict[str, str]
    schema: int = SCHEMA
