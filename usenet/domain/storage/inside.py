"""What can be wrong with drives inside a running container, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from usenet.domain.storage.checks import Problem
from usenet.domain.storage.seen import within

_PASSED_ON = frozenset({"rslave", "slave", "rshared", "shared"})
DOWNLOADS = ("torrents", "usenet/complete")


@dataclass(frozen=True, slots=True, kw_only=True)
class InsideBind:
    """One bind of a running container."""

    source: str
    target: str
    writable: bool
    propagation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A directory of downloads and one of media inside a container, between which a file should be linked."""

    source: str
    target: str


def of_binds(service: str, binds: Iterable[InsideBind], drives: str) -> Iterator[Problem]:
    """Binds in which drives don't appear that are mounted later. `drives`: <data>/drives."""
    for bind in binds:
        if within(drives, bind.source) and bind.propagation not in _PASSED_ON:
            yield Problem(
                about=service,
                what=f"drives that are mounted later do not appear in its {bind.target} "
                f"(propagation {bind.propagation or 'private'})",
                cure=f"usenet services up {service}",
            )


def unseen(
    service: str, binds: Sequence[InsideBind], inside: Mapping[str, str], mounted: Mapping[str, str]
) -> Iterator[Problem]:
    """Drives that are mounted on the machine and not, or as something else, in a container.

    `inside`: mountpoint → device there; `mounted`: mountpoint on the machine → device.
    """
    for target, device in mounted.items():
        bind = _covering(binds, target, by_source=True)
        if bind is None:
            continue
        there = bind.target.rstrip("/") + target[len(bind.source.rstrip("/")) :]
        if inside.get(there) != device:
            what = "an earlier drive" if there in inside else "an empty directory"
            cure = f"usenet services restart {service}"
            yield Problem(about=service, what=f"{there} is {what} there: it runs since before the mount", cure=cure)


def pairs(binds: Sequence[InsideBind], bases: Iterable[str]) -> tuple[Pair, ...]:
    """What is to be linked in a container that may write both sides. `bases`: roots of data trees inside, as /data."""
    both = (Pair(source=f"{base}/{down}", target=f"{base}/media") for base in bases for down in DOWNLOADS)
    return tuple(one for one in both if _writes(binds, one.source) and _writes(binds, one.target))


def _writes(binds: Sequence[InsideBind], path: str) -> bool:
    bind = _covering(binds, path)
    return bind is not None and bind.writable


def _covering(binds: Sequence[InsideBind], path: str, *, by_source: bool = False) -> InsideBind | None:
    def root(bind: InsideBind) -> str:
        return bind.source if by_source else bind.target

    return max((b for b in binds if within(path, root(b))), key=lambda b: len(root(b)), default=None)


def of_link(
    service: str, pair: Pair, said: str, binds: Sequence[InsideBind], holding: Mapping[str, str]
) -> Problem | None:
    """Why no file can be linked between the two; None where it can. `holding`: mountpoint → what, on the machine."""
    if not said:
        return None
    if "ross-device" not in said:
        return Problem(
            about=service,
            what=f"it can't link a file of {pair.source} into {pair.target}: {said}",
            cure=f"look at both: usenet services exec {service} ls -ld {pair.source} {pair.target}",
        )
    why, cure = _apart(service, pair, binds, holding)
    what = f"a file of {pair.source} can't be linked into {pair.target}, imports are copies: {why}"
    return Problem(about=service, what=what, cure=cure)


def _apart(service: str, pair: Pair, binds: Sequence[InsideBind], holding: Mapping[str, str]) -> tuple[str, str]:
    one, other = _covering(binds, pair.source), _covering(binds, pair.target)
    if one is None or other is None or one != other:
        return "they are two mounts inside", f"give {service} one mount of the whole data root"
    left, right = (_holder(one.source + path[len(one.target) :], holding) for path in (pair.source, pair.target))
    if left != right:
        return f"one is on {left}, the other on {right}", "put both below one mount of this machine"
    return "the filesystem can't, or keeps each file where its directory is", "see: usenet storage status"


def _holder(path: str, holding: Mapping[str, str]) -> str:
    target = max((one for one in holding if within(path, one)), key=len, default="/")
    return f"{holding.get(target, '')} ({target})".strip()
