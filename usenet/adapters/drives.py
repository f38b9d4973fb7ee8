"""Drives and what lies on them, mounted or not, as the kernel and the signatures on the devices tell."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from usenet.adapters import mounts, shell, signatures
from usenet.adapters.mounts import Mounted
from usenet.adapters.signatures import Signature
from usenet.domain.errors import SystemFailure
from usenet.domain.host import Drive, Filesystem, Mount, Partition, Unseen

COMMAND = ("lsblk", "--json", "-b", "-O")
SOURCE = "lsblk, findmnt, blkid"
UDEV = Path("/run/udev/control")

Row = Mapping[str, Any]

# Memory, floppies and flash chips that the kernel shows as disks; an eMMC's boot areas are no drives of their own.
_NO_DRIVE = re.compile(r"(zram|ram|fd|mtdblock)\d+$|mmcblk\d+(boot\d|rpmb|gp\d)$")
# Where several devices are one filesystem, it is mounted once for all of them.
_SHARED = {"btrfs": "uuid", "zfs_member": "label"}


def look(
    table: Sequence[Mounted], *, udev: Path = UDEV, patience: float = signatures.PATIENCE
) -> tuple[tuple[Drive, ...], tuple[Unseen, ...]]:
    """Every drive with the filesystems on it, and what could not be read. SystemFailure when lsblk doesn't answer.

    Where udev runs, lsblk has the signatures from it; elsewhere each device is probed, which needs root.
    """
    rows = _with_pools(rows_of(shell.checked(COMMAND, timeout=patience)), table)
    if udev.exists():
        return parse(rows, table), ()
    found, unseen = signatures.look([str(row["path"]) for row in _walk(rows) if _is_unknown(row)], patience)
    drives = parse(rows, table, found)
    return drives, (*unseen, *_nameless(drives))


def rows_of(printed: str) -> list[Row]:
    """The devices of lsblk's JSON; SystemFailure when it is none."""
    try:
        return [_with_path(row) for row in json.loads(printed or '{"blockdevices": []}')["blockdevices"]]
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise SystemFailure("lsblk printed something else than its JSON") from wrong


def parse(
    rows: Sequence[Row], table: Sequence[Mounted] = (), probed: Mapping[str, Signature] | None = None
) -> tuple[Drive, ...]:
    """Drives of lsblk's rows, the mount table and what was probed by path. Loop devices count if they hold storage."""
    builder = _Builder(rows, table, probed or {})
    return tuple(builder.drive(row) for row in rows if builder.counts(row))


class _Builder:
    """Joins the three tools' answers into drives."""

    def __init__(self, rows: Sequence[Row], table: Sequence[Mounted], probed: Mapping[str, Signature]) -> None:
        self.table = table
        self.probed = probed
        self.names = {str(row.get("name")) for row in rows}
        self.siblings: dict[tuple[str, str], list[Row]] = {}
        for row in _walk(rows):
            self.siblings.setdefault(self._identity(row), []).append(row)

    def counts(self, row: Row) -> bool:
        if not _size(row.get("size")) or row.get("type") == "rom" or _NO_DRIVE.match(str(row.get("name"))):
            return False
        if row.get("type") != "loop":
            return True
        signature = self._signature(row)
        # Squashfs in a loop is a package (snap), not storage.
        return signature.type != "squashfs" and bool(signature.type or row.get("children"))

    def drive(self, row: Row) -> Drive:
        bus = _bus(row)
        return Drive(
            name=str(row.get("name") or ""),
            path=row["path"],
            size=_size(row.get("size")) or 0,
            model=_words(row.get("model")),
            serial=_words(row.get("serial")),
            bus=bus,
            removable=self._removable(row, bus),
            # Virtual devices say what their driver's default is.
            rotational=None if bus in ("virtio", "loop") or row.get("rota") is None else _flag(row["rota"]),
            read_only=_flag(row.get("ro")),
            filesystem=self._filesystem(row),
            partitions=self._below(row),
        )

    def _below(self, row: Row) -> tuple[Partition, ...]:
        return tuple(
            Partition(
                path=child["path"],
                kind=str(child.get("type") or ""),
                size=_size(child.get("size")) or 0,
                filesystem=self._filesystem(child),
                children=self._below(child),
            )
            for child in row.get("children") or ()
        )

    def _removable(self, row: Row, bus: str) -> bool:
        if bus == "mmc":  # only soldered chips have boot areas; lsblk calls both hot-pluggable
            return f"{row.get('name')}boot0" not in self.names
        return bus == "usb" or _flag(row.get("rm")) or _flag(row.get("hotplug"))

    def _filesystem(self, row: Row) -> Filesystem | None:
        signature = self._signature(row)
        if not signature.type:
            return None
        same = self.siblings[self._identity(row)]
        sized = next((one for one in (row, *same) if one.get("fssize") is not None), row)
        return Filesystem(
            source=row["path"],
            type=signature.type,
            uuid=signature.uuid,
            label=signature.label,
            size=_size(sized.get("fssize")),
            used=_size(sized.get("fsused")),
            available=_size(sized.get("fsavail")),
            mounts=self._mounts(same, signature),
        )

    def _mounts(self, same: Sequence[Row], signature: Signature) -> tuple[Mount, ...]:
        if signature.type == "zfs_member":
            return tuple(
                row.mount for row in self.table if row.type == "zfs" and row.source.split("/")[0] == signature.label
            )
        devices = {str(one.get("maj:min")) for one in same}
        paths = {str(one["path"]) for one in same}
        return tuple(row.mount for row in self.table if row.device in devices or row.source in paths)

    def _signature(self, row: Row) -> Signature:
        if row.get("fstype"):
            return Signature(str(row["fstype"]), str(row.get("uuid") or ""), str(row.get("label") or ""))
        known = self.probed.get(row["path"], Signature())
        if known.type:
            return known
        # Not to be read, but mounted: the mount table names the type, unless a FUSE driver stands before it.
        mounted = next((one.type for one in self.table if one.device == row.get("maj:min")), "")
        return Signature("unknown" if mounted == "fuseblk" else mounted)

    def _identity(self, row: Row) -> tuple[str, str]:
        signature = self._signature(row)
        shared = getattr(signature, _SHARED.get(signature.type, "type")) if signature.type in _SHARED else ""
        return (signature.type, shared) if shared else ("", str(row["path"]))


def _bus(row: Row) -> str:
    if row.get("type") == "loop":
        return "loop"
    transport = str(row.get("tran") or "")
    if transport:
        return {"ata": "sata"}.get(transport, transport)
    chain = str(row.get("subsystems") or "").split(":")
    return next((bus for bus in ("usb", "nvme", "mmc", "virtio") if bus in chain), "")


def _is_unknown(row: Row) -> bool:
    return not (row.get("fstype") or row.get("children") or row.get("type") == "rom") and bool(_size(row.get("size")))


def _nameless(drives: Sequence[Drive]) -> Iterator[Unseen]:
    names = ", ".join(one.path for one in drives if not one.serial and one.bus not in ("loop", "virtio", "mmc"))
    if names:
        yield Unseen(what=f"serial number of {names}", why="udev does not run here", cure="run where udevd runs")


def _with_pools(rows: Sequence[Row], table: Sequence[Mounted]) -> list[Row]:
    """lsblk sees no mounts of a ZFS pool; ask the pool itself how full it is."""
    pools: dict[str, tuple[int, int, int]] = {}
    for one in table:
        name = one.source.split("/")[0]
        if one.type == "zfs" and name not in pools:
            with suppress(SystemFailure):
                pools[name] = mounts.usage(one.mount.target)

    def sized(row: Row) -> Row:
        sizes = pools.get(row.get("label") or "", ()) if row.get("fstype") == "zfs_member" else ()
        children = [sized(child) for child in row["children"]]
        return {**row, "children": children, **dict(zip(("fssize", "fsused", "fsavail"), sizes, strict=False))}

    return [sized(row) for row in rows]


def _with_path(row: Row) -> Row:
    children = [_with_path(child) for child in row.get("children") or ()]
    return {**row, "path": row.get("path") or f"/dev/{row.get('name')}", "children": children}


def _walk(rows: Sequence[Row]) -> Iterator[Row]:
    for row in rows:
        yield row
        yield from _walk(row["children"])


def _size(value: object) -> int | None:
    return int(value) if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()) else None


def _flag(value: object) -> bool:
    return value in (True, 1, "1")


def _words(value: object) -> str:
    return " ".join(str(value or "").split())
