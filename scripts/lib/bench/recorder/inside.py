"""Processes of their own that the bench starts: `inside.py PART WORDS…`, one function for each part."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:1] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[4])]


def main(part: str, *words: str) -> None:
    if part in ("hybrid", "mux", "look"):
        from bench.recorder import libav as room
    elif part == "listen":
        from bench.recorder import listening as room
    elif part in ("together", "promptly"):
        from bench.recorder import many as room
    else:
        from bench.recorder import writing as room
    getattr(room, part)(*words)


if __name__ == "__main__":
    main(*sys.argv[1:])
