"""A move of a file between branches that a stop interrupted, finished or taken back."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from usenet.adapters.home import Home
from usenet.adapters.storage import copying, journal, names
from usenet.adapters.storage.leases import Alone, Busy, held
from usenet.domain.errors import SystemFailure
from usenet.domain.storage.balance import Move


class Unended(SystemFailure):
    """A drive is away or fails; what was begun stays written down."""


@dataclass(frozen=True, slots=True)
class _File:
    """What has one of the names. `whole`: it is what was moved, byte for byte."""

    file: Alone | None
    whole: bool


def recover(home: Home, roots: Mapping[str, Path], drives: Collection[str]) -> str:
    """Finish or take back what a stop interrupted; sentences where a person must look, else empty.

    `drives`: all of the stack, another one has left it for good; `roots`: those that are there and are written to.
    Unended: a drive is away or fails. SystemFailure: the file is open.
    """
    if not (told := journal.read(home)):
        with _in_words(None):
            _sweep(roots.values())
        return ""
    one, digest = told
    if away := [name for name in (one.source, one.target) if name in drives and name not in roots]:
        raise Unended(
            f"a balance was stopped while it moved {one.paths[0]}, and {', '.join(away)} is not there to be written to",
            hint=f"plug it in, or take it out of the stack: usenet storage remove {away[0]}",
        )
    here = {name: roots[name] for name in (one.source, one.target) if name in roots}
    with _in_words(one):
        steady = names.Steady(here.values())
        said = [sentence for root in here.values() for sentence in names.restore(root, one.paths)]
        if len(here) == 2:
            said += _end(one, digest, here[one.source], here[one.target])
        elif one.target in here:
            _complete(one, digest, here[one.target])
        _sweep(here.values())
        steady.check()
    journal.forget(home)
    return "; ".join(said)


def failed(one: Move, failure: OSError) -> SystemFailure:
    """That a drive failed while a file was moved."""
    why = failure.strerror or str(failure)
    return Unended(
        f"{one.paths[0]} could not be moved from {one.source} to {one.target}: {why}",
        hint="run the same again: what was begun is finished or taken back",
    )


@contextmanager
def _in_words(one: Move | None) -> Iterator[None]:
    try:
        yield
    except Busy as busy:
        about = f"{one.paths[0]} is on two drives since a stop, and " if one else ""
        raise SystemFailure(f"{about}{busy}", hint="stop what uses it, then run it again") from busy
    except OSError as failure:
        if one:
            raise failed(one, failure) from failure
        raise Unended(f"{failure.filename}: {failure.strerror}", hint="see: usenet storage health") from failure


def _end(one: Move, digest: str, source: Path, target: Path) -> list[str]:
    """Leave each name on one branch: the new one, unless somebody wrote or replaced the old one meanwhile."""
    if not (_named(source, one.paths) and _named(target, one.paths)):
        return []  # all done, or nothing published
    with ExitStack() as opened:
        old, new = (_look(opened, root, one.paths, digest) for root in (source, target))
        if copy := next((it.file for it in new.values() if it.whole), None):
            for path in [path for path, it in old.items() if it.whole and path not in new]:
                names.link(copy.descriptor, target / path)
                new[path] = _File(copy, whole=True)
            names.sync(target, one.paths)
        both = [path for path in one.paths if path in old and path in new]
        _take(source, {path: old[path] for path in both if old[path].whole})
        _take(target, {path: new[path] for path in both if new[path].whole and not old[path].whole})
        differ = [path for path in both if not (old[path].whole or new[path].whole)]
    return [f"{path} is on {one.source} and {one.target}, and differs: keep the one you want" for path in differ]


def _complete(one: Move, digest: str, target: Path) -> None:
    """Give the copy its names: the drive that it came from is gone for good, maybe with the file."""
    if not os.path.lexists(target / names.COPY) and len(_named(target, one.paths)) == len(one.paths):
        return
    if os.path.lexists(target / names.COPY) and not os.path.lexists(target / one.paths[0]):
        names.put(target / names.COPY, target / one.paths[0])
    with ExitStack() as opened:
        new = _look(opened, target, (names.COPY, *one.paths), digest)
        if copy := next((it.file for it in new.values() if it.whole), None):
            for path in (path for path in one.paths if path not in new):
                names.link(copy.descriptor, target / path)
    names.sync(target, one.paths)


def _named(root: Path, paths: Collection[str]) -> list[str]:
    return [path for path in paths if os.path.lexists(root / path)]


def _look(opened: ExitStack, root: Path, paths: Collection[str], digest: str) -> dict[str, _File]:
    """What has these names; each file is held until the end, and read once. Busy where one is open."""
    found: dict[tuple[int, int], _File] = {}
    named = {path: os.lstat(root / path) for path in _named(root, paths)}
    for path, seen in named.items():
        if (seen.st_dev, seen.st_ino) in found:
            continue
        it = _File(None, whole=False)
        if stat.S_ISREG(seen.st_mode):
            file = opened.enter_context(held(root / path))
            it = _File(file, whole=copying.digest(file.descriptor, file.check) == digest)
        found[seen.st_dev, seen.st_ino] = it
    return {path: found[seen.st_dev, seen.st_ino] for path, seen in named.items()}


def _take(root: Path, whole: Mapping[str, _File]) -> None:
    for file in {id(it.file): it.file for it in whole.values() if it.file}.values():
        names.take(root, [path for path, it in whole.items() if it.file is file], file)


def _sweep(roots: Collection[Path]) -> None:
    for root in roots:
        if os.path.lexists(root / names.COPY):
            (root / names.COPY).unlink()
