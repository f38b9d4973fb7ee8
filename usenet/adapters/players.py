"""What other programs of this machine count in a media file: ffprobe and mkvmerge, where they are installed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from usenet.adapters import shell

_PATIENCE = 600  # seconds: a day of video on a slow drive


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a program found: how many samples each track of pictures and sound has; None where it does not count them.

    `trouble`: why it could not read the file.
    """

    program: str
    samples: tuple[int, ...] | None
    tracks: int
    trouble: str = ""


def opinions(path: Path) -> list[Opinion]:
    """Of each program that is there; one that fails says so in `trouble`."""
    return [ask(path) for program, ask in _PROGRAMS.items() if shell.found(program)]


def _ffprobe(path: Path) -> Opinion:
    words = ("-v", "error", "-count_packets", "-show_entries", "stream=codec_type,nb_read_packets", "-of", "json")
    done = shell.run(["ffprobe", *words, f"file:{path}"], timeout=_PATIENCE)
    if not done.ok:
        return Opinion("ffprobe", None, 0, _first(done.err))
    streams = [one for one in json.loads(done.out).get("streams", []) if one.get("codec_type") in ("video", "audio")]
    counts = tuple(int(one.get("nb_read_packets", 0)) for one in streams)
    return Opinion("ffprobe", counts, len(streams))  # what it says beside that is about the pictures, not the file


def _mkvmerge(path: Path) -> Opinion:
    done = shell.run(["mkvmerge", "-J", str(path)], timeout=_PATIENCE)
    try:
        said = json.loads(done.out)
    except ValueError:
        return Opinion("mkvmerge", None, 0, _first(done.err or done.out))
    tracks = [one for one in said.get("tracks", []) if one.get("type") in ("video", "audio")]
    unknown = "" if said.get("container", {}).get("recognized", True) else "it does not know what this is"
    return Opinion("mkvmerge", None, len(tracks), " ".join(said.get("errors", [])) or unknown)


def _first(text: str) -> str:
    """The first line, without where in ffprobe it was said."""
    return re.sub(r"^\[[^]]*@ 0x[^]]*\] ", "", text.strip().partition("\n")[0])


_PROGRAMS: dict[str, Callable[[Path], Opinion]] = {"ffprobe": _ffprobe, "mkvmerge": _mkvmerge}
