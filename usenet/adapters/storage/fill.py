"""The record of how full drives were: .usenet/fill.jsonl, one sample to a line."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress

from usenet.adapters import files
from usenet.adapters.home import Home
from usenet.domain.storage.health import Sample

FILE = "fill.jsonl"


def load(home: Home) -> tuple[Sample, ...]:
    """The samples that are there; a line that is none is left out."""
    try:
        text = (home.state / FILE).read_text(errors="replace")
    except OSError:
        return ()
    return tuple(_samples(text))


def _samples(text: str) -> Iterator[Sample]:
    for line in text.splitlines():
        with suppress(ValueError, KeyError, TypeError):
            told = json.loads(line)
            yield Sample(at=float(told["at"]), drive=str(told["drive"]), used=int(told["used"]), size=int(told["size"]))


def store(home: Home, samples: Iterable[Sample]) -> None:
    """Let these be the samples. SystemFailure when nothing can be written."""
    lines = (json.dumps(dataclasses.asdict(one)) for one in samples)
    files.write(home.state / FILE, "".join(f"{line}\n" for line in lines))
