"""Whether a filesystem was left in the middle of writing, by the mark that it keeps itself, and what to do about it.

Everything here takes any bytes: what lies on a drive is nobody's promise.
"""

from __future__ import annotations

from usenet.domain.storage.converge import Finding

FIRST = 4096  # bytes from the start of the device, in which every filesystem says where the rest is

_EXT = frozenset({"ext2", "ext3", "ext4"})
_VOLUME = 3  # which record of its table describes an NTFS itself
_LARGEST = 2**16  # bytes of a record; all that are made have one or four KiB
_VOLUME_INFORMATION, _END = 0x70, 0xFFFFFFFF
_DIRTY_NTFS = "ntfs3 refuses to write to it until it is mended, and one that Windows sleeps on is read-only"
# Type → what only looks and what mends, each with the device for {}.
_CURES = {
    "exfat": ("fsck.exfat -n {}", "fsck.exfat {}"),
    "vfat": ("fsck.vfat -n {}", "fsck.vfat {}"),
    "ntfs": ("ntfsfix --no-action {}", "chkdsk /f on Windows, or here: ntfsfix --clear-dirty {}"),
    **dict.fromkeys(_EXT, ("e2fsck -n {}", "e2fsck {}")),
}


def beyond(type_: str, first: bytes) -> tuple[int, int] | None:
    """Where the mark lies besides the first bytes: offset and length; None where it is in them, or nowhere."""
    sector = _number(first, 0x0B, 2)
    if type_ == "vfat" and _is_fat32(first):
        return _number(first, 0x0E, 2) * sector, 8
    if type_ == "ntfs" and first[3:11] == b"NTFS    ":
        cluster = sector * _power(_number(first, 0x0D, 1))
        sized = _number(first, 0x40, 1)
        record = 1 << (256 - sized) if sized > 0x80 else sized * cluster
        at = _number(first, 0x30, 8) * cluster + _VOLUME * record
        return (at, record) if 0 < record <= _LARGEST and at < 2**63 else None
    return None


def unclean(type_: str, first: bytes, more: bytes = b"") -> bool | None:
    """Whether it was left in the middle of writing, or mounted when it went; None where it does not say.

    `more`: the bytes at `beyond`.
    """
    if type_ == "exfat" and first[3:11] == b"EXFAT   ":
        return bool(_number(first, 106, 2) & 2)
    if type_ in _EXT and _number(first, 1024 + 56, 2) == 0xEF53:
        waits = _number(first, 1024 + 96, 4) & 4  # its journal holds what was not written into its place
        return _number(first, 1024 + 58, 2) != 1 or bool(waits)
    if type_ == "vfat" and first[510:512] == b"\x55\xaa":
        if not _is_fat32(first):
            return bool(_number(first, 0x25, 1) & 1)
        windows = len(more) >= 8 and not _number(more, 4, 4) & 1 << 27
        return bool(_number(first, 0x41, 1) & 1) or windows
    if type_ == "ntfs":
        flags = _volume_flags(more)
        return None if flags is None else bool(flags & 1)
    return None


def finding(drive: str, type_: str, device: str) -> Finding:
    """The sentence for a person, and the commands that look and mend. Nobody here runs them."""
    look, mend = (one.format(device) for one in _CURES[type_])
    more = f"; {_DIRTY_NTFS}" if type_ == "ntfs" else ""
    return Finding(
        drive=drive,
        what=f"its filesystem was left in the middle of writing, as after a pull{more}",
        cure=f"while it is not mounted, look with: {look}; mend with: {mend}",
    )


def known(type_: str) -> bool:
    """Whether filesystems of this type keep a mark that is read here."""
    return type_ in _CURES


def _is_fat32(first: bytes) -> bool:
    return first[510:512] == b"\x55\xaa" and _number(first, 0x16, 2) == 0


def _power(count: int) -> int:
    """Sectors in a cluster of an NTFS: the number, or for large ones 2 to the power of what is missing to 256."""
    return count if count <= 0x80 else 1 << (256 - count)


def _volume_flags(record: bytes) -> int | None:
    """The flags in the record of an NTFS that describes it; None where it holds none."""
    whole = _mended(record)
    at = _number(whole, 0x14, 2)
    while whole[:4] == b"FILE" and at + 24 <= len(whole):
        kind, length = _number(whole, at, 4), _number(whole, at + 4, 4)
        if kind == _END or length < 24:
            return None
        if kind == _VOLUME_INFORMATION:
            flags = at + _number(whole, at + 0x14, 2) + 10
            return _number(whole, flags, 2) if flags + 2 <= len(whole) else None
        at += length
    return None


def _mended(record: bytes) -> bytes:
    """A record with the last two bytes of each sector in their place: on the drive a number stands there."""
    whole = bytearray(record)
    at = _number(record, 4, 2)
    for sector in range(1, len(record) // 512 + 1):
        whole[sector * 512 - 2 : sector * 512] = (record[at + sector * 2 : at + sector * 2 + 2] + bytes(2))[:2]
    return bytes(whole)


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")
