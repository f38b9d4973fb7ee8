"""Root folders of the services that sort media, and library paths of the one that shows them: what each drive is to
have, and the calls that are missing.

A call is made only for what differs. What a person added is never touched; what we added goes only when its drive was
taken out of the stack and nothing uses it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from posixpath import normpath

from usenet.domain.plan import Bind
from usenet.domain.storage.intent import POOL
from usenet.domain.storage.seen import Seen
from usenet.domain.storage.spots import Spot, read_only, ready

# Service → the directory below media/ that it sorts into. Whisparr has one of its own, so that no other service that
# is pointed at films or series shows what it fetches.
SORTERS = {"sonarr": "tv", "radarr": "movies", "lidarr": "music", "readarr": "books", "whisparr": "adult"}
READER = "jellyfin"
# Directory → the kind of library that shows it, in the reader's words.
LIBRARIES = {"movies": "movies", "tv": "tvshows", "music": "music", "books": "books"}

Views = Mapping[str, Sequence[Bind]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """One directory of a drive that a service is to know. `path` is what the service sees, `host` the machine.

    `wait`: why it can't be added now; empty where it can.
    """

    service: str
    drive: str
    kind: str
    path: str
    host: str
    wait: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """A path that a service has. `id`: its number, or the name of the library; `used`: by what, empty by nothing."""

    id: str
    path: str
    used: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Has:
    """What a service that runs has now. `libraries`: name → kind, for one that has libraries."""

    present: tuple[Present, ...] = ()
    libraries: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A path that we added at some time; kept among our records."""

    service: str
    drive: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Add:
    """Let the service know the path; `library` is empty for one without libraries."""

    root: Root
    because: str
    library: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """Let the service forget the path. No file is touched."""

    service: str
    present: Present
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Calls, sentences about what is left alone, and what of our records is still true when nothing is called."""

    adds: tuple[Add, ...] = ()
    removes: tuple[Remove, ...] = ()
    notes: tuple[str, ...] = ()
    kept: tuple[Added, ...] = ()


def inside(binds: Sequence[Bind], host: str) -> tuple[str, bool]:
    """Where a service sees a path of this machine, and whether it may write there; empty where it doesn't see it."""
    holding = [one for one in binds if host == one.source or host.startswith(one.source.rstrip("/") + "/")]
    if not holding:
        return "", False
    bind = max(holding, key=lambda one: len(one.source))
    return bind.target.rstrip("/") + host[len(bind.source.rstrip("/")) :], not bind.read_only


def wanted(
    places: Mapping[str, Spot], seen: Seen, views: Views, there: Mapping[str, frozenset[str]]
) -> tuple[Root, ...]:
    """What every service of `views` is to know of every place.

    `views`: the services that are on, with what each sees. `there`: place → the kinds that have a directory there.
    """
    sorted_ = {SORTERS[name] for name in views if name in SORTERS}
    found: list[Root] = []
    for name, spot in places.items():
        reason = ready(name, spot, seen)
        frozen = "it is read-only, and a root folder is written to" if read_only(name, spot, seen) else ""
        made = sorted_ if not (reason or frozen) else set[str]()
        for service in views:
            for kind in (SORTERS[service],) if service in SORTERS else sorted(LIBRARIES):
                here = kind in there.get(name, frozenset()) or kind in made
                if service in SORTERS or here:
                    why = reason or (frozen if service in SORTERS else "")
                    found += _root(service, name, kind, seen, views[service], why)
    return tuple(found)


def _root(service: str, drive: str, kind: str, seen: Seen, binds: Sequence[Bind], wait: str) -> Iterator[Root]:
    host = f"{seen.target(drive)}/media/{kind}"
    path, writes = inside(binds, host)
    if not path:
        wait = f"{service} does not see {host}"
    elif service in SORTERS and not writes:
        wait = wait or f"{service} may only read there"
    yield Root(service=service, drive=drive, kind=kind, path=path or host, host=host, wait=wait)


def leaving(ours: Sequence[Added], has: Mapping[str, Has], places: Mapping[str, Spot]) -> dict[Added, Present]:
    """What we added, is still there, and belongs to what is no longer a place for media of this stack."""
    gone = [one for one in ours if one.service in has and one.drive not in places]
    found = {one: _same(one.path, has[one.service].present) for one in gone}
    return {one: present for one, present in found.items() if present}


def difference(
    roots: Sequence[Root], has: Mapping[str, Has], ours: Sequence[Added], places: Mapping[str, Spot]
) -> Difference:
    """The calls from what the services of `has` have to `roots`; a service that isn't in `has` is left alone.

    `used` of what is `leaving` must have been asked: what is used is not removed.
    """
    adds: list[Add] = []
    notes: list[str] = []
    gone = leaving(ours, has, places)
    staying = {name: [one for one, p in gone.items() if one.service == name and p.used] for name in has}
    for root in roots:
        if root.service in has and not _same(root.path, has[root.service].present):
            made = _add(root, has[root.service], staying[root.service])
            adds += [made] if isinstance(made, Add) else []
            notes += [f"{root.service}: {root.path} is left out: {made}"] if isinstance(made, str) else []
    removes: list[Remove] = []
    for one, present in gone.items():
        why = f"{one.drive} is no drive of its own for media now"
        if present.used:
            notes.append(f"{one.service}: {one.path} stays, though {why}; in use: {present.used}")
        else:
            removes.append(Remove(service=one.service, present=present, because=f"{why}, and nothing uses it"))
    kept = [one for one in ours if one.service not in has or _same(one.path, has[one.service].present)]
    return Difference(adds=tuple(adds), removes=tuple(removes), notes=tuple(notes), kept=tuple(kept))


def _add(root: Root, has: Has, staying: Sequence[Added]) -> Add | str:
    """The call that adds a root, or why there is none. `staying`: what should go, and can't."""
    if root.wait:
        return root.wait
    if other := next((one.path for one in has.present if _nested(one.path, root.path)), ""):
        return f"it and {other}, which is there, lie one in the other"
    because = "the pool is there" if root.drive == POOL else f"the drive {root.drive} is in the stack"
    if has.libraries is None:
        return Add(root=root, because=because)
    library, why = _library(root, has.libraries, has.present, staying)
    return why or Add(root=root, because=because, library=library)


def _library(
    root: Root, libraries: Mapping[str, str], present: Sequence[Present], staying: Sequence[Added]
) -> tuple[str, str]:
    """The library that is to show a root, or why none."""
    if root.drive == POOL and (twice := [one.path for one in staying if one.path.endswith(f"/media/{root.kind}")]):
        return "", f"it would show what is in {' and '.join(twice)} twice; take that out there, then run this again"
    kind = LIBRARIES[root.kind]
    fitting = [name for name, shown in libraries.items() if shown == kind]
    own = [one.id for one in present if one.id in fitting and one.path.rstrip("/").endswith(f"/media/{root.kind}")]
    fitting = sorted(set(own)) or fitting
    if not fitting:
        return "", f"it has no library of the kind {kind}; make one there, then run this again"
    if len(fitting) > 1:
        return "", f"its libraries {' and '.join(fitting)} are of one kind, and nobody can tell which one is meant"
    return fitting[0], ""


def _same(path: str, present: Sequence[Present]) -> Present | None:
    return next((one for one in present if normpath(one.path) == normpath(path)), None)


def _nested(one: str, other: str) -> bool:
    a, b = normpath(one).rstrip("/") + "/", normpath(other).rstrip("/") + "/"
    return a.startswith(b) or b.startswith(a)
