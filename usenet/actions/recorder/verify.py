"""Whether recordings are what they should be: by our own look, and by the other programs of this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from usenet.adapters import players
from usenet.domain.errors import UsageError
from usenet.recorder.verification import Verdict, verify
from usenet.recorder.verification.findings import Finding

__all__ = ["Checked", "Finding", "check", "files"]


@dataclass(frozen=True, slots=True)
class Checked:
    """One file. `against` are the contradictions of other programs, `agree` those programs that found the same."""

    verdict: Verdict
    agree: tuple[str, ...]
    against: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return self.verdict.ok and not self.against


def files(places: Sequence[Path]) -> list[Path]:
    """The recordings named, and those below directories. UsageError for what is neither."""
    found: list[Path] = []
    for place in places:
        if place.is_dir():
            found += sorted(path for end in ("mp4", "mp4.part") for path in place.rglob(f"*.{end}"))
        elif place.is_file():
            found.append(place)
        else:
            raise UsageError(f"{place}: there is no such file or directory", hint="see: usenet recorder list")
    return found


def check(paths: Sequence[Path], *, deep: bool) -> Iterator[Checked]:
    """One after the other, as they are done."""
    for path in paths:
        verdict = verify(path, deep=deep)
        # What is still written grows between one look and the next.
        asked = players.opinions(path) if verdict.kind != "live" else []
        judged = [(one.program, _contradiction(one, verdict)) for one in asked]
        agree = tuple(program for program, against in judged if not against)
        yield Checked(verdict, agree, tuple(f"{program}: {against}" for program, against in judged if against))


def _contradiction(one: players.Opinion, verdict: Verdict) -> str:
    ours = [samples for kind, samples, _ in verdict.tracks if kind in ("video", "audio")]
    if one.trouble:
        return one.trouble
    if one.tracks != len(ours):
        return f"it finds {one.tracks} tracks of pictures and sound, there are {len(ours)}"
    if one.samples is not None and sorted(one.samples) != sorted(ours):
        return f"it finds {_words(one.samples)} samples, there are {_words(ours)}"
    return ""


def _words(counts: Sequence[int]) -> str:
    return " and ".join(map(str, counts))
