# ruff: noqa: N802 - the names are NVIDIA's
"""Stands in for NVIDIA's nvidia-ml-py: answers from the JSON file that $NVML_ANSWERS names, as a driver would."""

import json
import os
import time
from pathlib import Path
from types import SimpleNamespace

NVML_ENCODER_QUERY_H264, NVML_ENCODER_QUERY_HEVC, NVML_ENCODER_QUERY_AV1 = range(3)
NVML_ERROR_INVALID_ARGUMENT, NVML_ERROR_NOT_SUPPORTED = 2, 3

_told = json.loads(Path(os.environ["NVML_ANSWERS"]).read_text(encoding="utf-8"))


class NVMLError(Exception):
    def __init__(self, words: str, value: int) -> None:
        super().__init__(words)
        self.value = value


def _unless_none(value):
    if value is None:
        raise NVMLError("Not Supported", NVML_ERROR_NOT_SUPPORTED)
    return value


def nvmlInit():
    if _told.get("hangs"):
        time.sleep(60)
    if "failure" in _told:
        raise NVMLError(*_told["failure"])


def nvmlSystemGetDriverVersion():
    return _told["version"]


def nvmlDeviceGetCount():
    return len(_told["cards"])


def nvmlDeviceGetHandleByIndex(index):
    card = _told["cards"][index]
    if "failure" in card:
        raise NVMLError(*card["failure"])
    return card


def nvmlDeviceGetPciInfo(card):
    return SimpleNamespace(busId=card["bus"])


def nvmlDeviceGetUUID(card):
    return card["uuid"]


def nvmlDeviceGetName(card):
    return card["name"]


def nvmlDeviceGetMemoryInfo(card):
    return SimpleNamespace(total=_unless_none(card["memory"]))


def nvmlDeviceGetMigMode(card):
    return _unless_none(card.get("mig")), None


def nvmlDeviceGetEncoderCapacity(card, query):
    return _unless_none(card["encoders"].get(("h264", "hevc", "av1")[query]))
