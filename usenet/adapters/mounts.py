"""What is mounted where, and how full it is, without ever waiting for a server that is gone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from usenet.adapters import shell
from usenet.domain.errors import SystemFailure
from usenet.domain.host import Filesystem, Mount, Unseen

# No size and no label: findmnt would ask each filesystem, and a dead server never answers.
COMMAND = ("findmnt", "--json", "--list", "--nofsroot", "-o", "TARGET,SOURCE,FSTYPE,OPTIONS,PROPAGATION,MAJ:MIN")
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "ceph", "glusterfs", "afs", "davfs"})
_OVER_FUSE = frozenset({"sshfs", "rclone", "ceph", "glusterfs", "s3fs", "juicefs", "davfs2", "smbnetfs", "curlftpfs"})
SOURCE = "findmnt, stat --file-system"
PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Mounted:
    """One line of the mount table. `device` is major:minor, which btrfs and ZFS make up."""

    source: str
    type: str
    device: str
    mount: Mount


def look() -> tuple[Mounted, ...]:
    """The mount table. Raises SystemFailure when findmnt is missing or fails."""
    return parse(shell.checked(COMMAND))


def parse(printed: str) -> tuple[Mounted, ...]:
    """Read findmnt's JSON; SystemFailure when it is none."""
    try:
        rows = json.loads(printed or '{"filesystems": []}')["filesystems"]
    except (ValueError, KeyError, TypeError) as wrong:
        raise SystemFailure("findmnt printed something else than its JSON") from wrong
    return tuple(
        Mounted(
            source=row.get("source") or "",
            type=row.get("fstype") or "",
            device=row.get("maj:min") or "",
            mount=Mount(
                target=row.get("target") or "",
                options=tuple((row.get("options") or "").split(",")),
                propagation=row.get("propagation") or "",
            ),
        )
        for row in rows
    )


def network(table: Iterable[Mounted], *, sized: bool = True) -> tuple[tuple[Filesystem, ...], tuple[Unseen, ...]]:
    """The network filesystems of the table, each with its usage; those whose server does not answer are reported.

    Not `sized`: no server is asked.
    """
    groups: dict[tuple[str, str], list[Mount]] = {}
    for row in table:
        if row.type in _NETWORK or row.type.removeprefix("fuse.") in _OVER_FUSE:
            groups.setdefault((row.source, row.type), []).append(row.mount)
    if not groups:
        return (), ()
    nothing: tuple[None, None, None] = (None, None, None)
    answers: list[tuple[int, int, int] | tuple[None, None, None] | Unseen] = [nothing] * len(groups)
    if sized:
        from concurrent.futures import ThreadPoolExecutor  # 5 ms, for machines with a share

        with ThreadPoolExecutor(len(groups)) as pool:
            answers = list(pool.map(lambda mounts: _asked(mounts[0].target), groups.values()))
    filesystems: list[Filesystem] = []
    unseen: list[Unseen] = []
    for ((source, kind), mounts), answer in zip(groups.items(), answers, strict=True):
        sizes = nothing if isinstance(answer, Unseen) else answer
        unseen += [answer] if isinstance(answer, Unseen) else []
        size, used, available = sizes
        filesystems.append(
            Filesystem(source=source, type=kind, size=size, used=used, available=available, mounts=tuple(mounts))
        )
    return tuple(filesystems), tuple(unseen)


def fuse(table: Iterable[Mounted]) -> tuple[Filesystem, ...]:
    """What programs have mounted, such as a pool of mergerfs; without network filesystems and sizes."""
    return tuple(
        Filesystem(source=row.source, type=row.type, mounts=(row.mount,))
        for row in table
        if row.type.startswith("fuse.") and row.type.removeprefix("fuse.") not in _OVER_FUSE
    )


def usage(target: str, patience: float | None = None) -> tuple[int, int, int]:
    """Size, used and available bytes of a mounted filesystem. SystemFailure when it gives no answer in time.

    Another process asks, so that a filesystem whose server is gone stops that one and not us.
    """
    printed = shell.checked(
        ("stat", "--file-system", "--format=%S %b %f %a", "--", target), timeout=patience or PATIENCE
    )
    block, blocks, free, available = map(int, printed.split())
    return block * blocks, block * (blocks - free), block * available


def _asked(target: str) -> tuple[int, int, int] | Unseen:
    try:
        return usage(target)
    except SystemFailure as silent:
        cure = f"check that the server answers, or take the mount away: umount -l {target}"
        return Unseen(what=f"usage of {target}", why=silent.message, cure=cure)
