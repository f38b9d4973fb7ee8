"""What the codec nodes of a system on a chip take and give: V4L2's list of formats, asked of the kernel itself."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from usenet.domain.codecs import Probed, ordered

SOURCE = "VIDIOC_ENUM_FMT"

# struct v4l2_fmtdesc of <linux/videodev2.h>: index, type, flags, description, pixelformat, mbus_code, reserved
_FORMAT = struct.Struct("=3I32s4s4I")
_ENUM_FMT = 0xC0405602  # _IOWR('V', 2, struct v4l2_fmtdesc)
_OUTPUT = (2, 10)  # what goes into the node; with one and with several planes
_CAPTURE = (1, 9)  # what comes out of it
_MOST = 256  # formats of a queue; a driver that never says that there are no more is not believed

_CODECS = {
    b"MPG2": "mpeg2",
    b"VC1G": "vc1",
    b"JPEG": "jpeg",
    b"MJPG": "jpeg",
    b"H264": "h264",
    b"HEVC": "hevc",
    b"S265": "hevc",  # parsed slices: the application reads the headers
    b"VP80": "vp8",
}


def ask(nodes: Iterable[Path]) -> Probed:
    """What `nodes` decode and encode together. OSError when one may not be opened, or is no codec."""
    decode: set[str] = set()
    encode: set[str] = set()
    for node in nodes:
        opened = os.open(node, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            decode |= _codecs(opened, _OUTPUT)
            encode |= _codecs(opened, _CAPTURE)
        finally:
            os.close(opened)
    return Probed(decode=ordered(decode), encode=ordered(encode), by=SOURCE)


def _codecs(opened: int, queues: tuple[int, ...]) -> set[str]:
    return {_CODECS[one] for queue in queues for one in _formats(opened, queue) if one in _CODECS}


def _formats(opened: int, queue: int) -> Iterator[bytes]:
    for index in range(_MOST):
        asked = bytearray(_FORMAT.pack(index, queue, 0, b"", b"", 0, 0, 0, 0))
        try:
            fcntl.ioctl(opened, _ENUM_FMT, asked)
        except OSError as end:
            if end.errno == errno.EINVAL:  # no more, or the node has no such queue
                return
            raise
        yield _FORMAT.unpack(asked)[4]
