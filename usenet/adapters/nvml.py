"""NVIDIA's management library, asked in a process of its own: a driver that hangs holds whoever asks it for ever.

`python -m usenet.adapters.nvml` prints one JSON document; usenet.adapters.nvidia starts it, reads it, and gives up on
it in time. A thread would not do: one that waits in the kernel keeps the whole program from ending.
"""

from __future__ import annotations

import json
import os
import sys
from importlib.util import find_spec
from typing import Any

LIBRARY = "libnvidia-ml.so.1"


def is_there() -> bool:
    """Whether this Python can load the library. Loading it does not touch the driver."""
    import ctypes

    if find_spec("pynvml") is None:
        return False
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return False
    return True


def main() -> int:
    """Print what the library tells of every card; 1 and why, in one line, when it tells nothing."""
    import pynvml

    try:
        pynvml.nvmlInit()
        version = pynvml.nvmlSystemGetDriverVersion()
        cards = [_card(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError as failure:
        os.write(2, f"{failure}\n".encode())
        return 1
    os.write(1, json.dumps({"version": version, "cards": cards}).encode())
    return 0


def _card(library: Any, index: int) -> dict[str, Any]:
    """One card; `failure` in place of the rest when it is there and does not answer."""
    try:
        handle = library.nvmlDeviceGetHandleByIndex(index)
        return {
            "bus": library.nvmlDeviceGetPciInfo(handle).busId,
            "uuid": library.nvmlDeviceGetUUID(handle),
            "name": library.nvmlDeviceGetName(handle),
            "memory": _memory(library, handle),
            "encode": _encoders(library, handle),
        }
    except library.NVMLError as failure:
        return {"failure": f"card {index}: {failure}"}


def _memory(library: Any, handle: Any) -> int | None:
    try:
        return int(library.nvmlDeviceGetMemoryInfo(handle).total)
    except library.NVMLError:  # a chip that shares the machine's memory has none of its own
        return None


def _encoders(library: Any, handle: Any) -> list[str] | None:
    """The codecs with an encoder. None where that is not told: busy to the last, parted with MIG, or an old driver."""
    queries = {
        "h264": library.NVML_ENCODER_QUERY_H264,
        "hevc": library.NVML_ENCODER_QUERY_HEVC,
        "av1": library.NVML_ENCODER_QUERY_AV1,
    }
    try:
        if _is_parted(library, handle):
            return None
        free = {codec: _free(library, handle, query) for codec, query in queries.items()}
    except library.NVMLError:
        return None
    return None if 0 in free.values() else [codec for codec, percent in free.items() if percent]


def _free(library: Any, handle: Any, query: int) -> int | None:
    """Per cent of an encoder that is free; None: the card has no such encoder, or the driver knows of none."""
    try:
        return int(library.nvmlDeviceGetEncoderCapacity(handle, query))
    except library.NVMLError as failure:
        if failure.value in (library.NVML_ERROR_NOT_SUPPORTED, library.NVML_ERROR_INVALID_ARGUMENT):
            return None
        raise


def _is_parted(library: Any, handle: Any) -> bool:
    """Whether the card is divided into instances, which have encoders of their own."""
    try:
        current, _ = library.nvmlDeviceGetMigMode(handle)
    except library.NVMLError:
        return False
    return bool(current)


if __name__ == "__main__":
    sys.exit(main())
