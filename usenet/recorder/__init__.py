"""The recorder: samples in, plain MP4 files out, whatever is cut off in between. It imports no other room of ours.

from usenet.recorder import Recorder, Sample, recover, verify
from usenet.recorder.boxes import entries

tracks = [entries.track(1, "h264", timescale=90_000, extradata=annex_b_or_avcc)]
recorder = Recorder("/srv/recordings/door", tracks)
recorder.write(Sample(track=1, data=length_prefixed, dts=0, pts=0, sync=True))
recorder.close()                      # → the finished files
recover("/srv/recordings/door/20261121T172229.250Z.mp4")   # after a crash
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import BadSample, Busy, Damaged, Full, Poisoned, RecorderError, Unreachable
    from .exporting import Exported, export
    from .flusher import Coordinator
    from .policy import PRESETS, Flush
    from .recorder import Recorder, RecorderStatus, Rotate, open  # noqa: A004, F401 - as recorder.open(…)
    from .recovery import Report, recover, recover_all
    from .segment import Segment
    from .tracks import Movie, Sample, Track
    from .verification import Verdict, verify

_HOMES = {
    "errors": ("BadSample", "Busy", "Damaged", "Full", "Poisoned", "RecorderError", "Unreachable"),
    "flusher": ("Coordinator",),
    "policy": ("PRESETS", "Flush"),
    "recorder": ("Recorder", "RecorderStatus", "Rotate", "open"),
    "recovery": ("Report", "recover", "recover_all"),
    "exporting": ("Exported", "export"),
    "verification": ("Verdict", "verify"),
    "segment": ("Segment",),
    "tracks": ("Movie", "Sample", "Track"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "PRESETS",
    "BadSample",
    "Busy",
    "Coordinator",
    "Damaged",
    "Exported",
    "Flush",
    "Full",
    "Movie",
    "Poisoned",
    "Recorder",
    "RecorderError",
    "RecorderStatus",
    "Report",
    "Rotate",
    "Sample",
    "Segment",
    "Track",
    "Unreachable",
    "Verdict",
    "export",
    "recover",
    "recover_all",
    "verify",
]


logging.getLogger(__name__).addHandler(logging.NullHandler())  # who uses this room decides where its log goes


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
