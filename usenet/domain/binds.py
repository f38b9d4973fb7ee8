"""Which host paths a container sees, and where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath

from usenet.domain import mounts
from usenet.domain.host import Host
from usenet.domain.plan import Bind, Choice
from usenet.domain.service import Service
from usenet.domain.settings import Settings

ENGINE_ROOT = "/var/lib/docker"
TREE = (
    *(
        f"{base}/{kind}"
        for base in ("torrents", "usenet/complete", "media")
        for kind in ("movies", "tv", "music", "books", "comics")
    ),
    "usenet/incomplete",
    "drives",
)


def data_directories(data: str) -> tuple[str, ...]:
    """The directory tree that keeps hardlinks possible, parents first."""
    paths = {str(p) for leaf in TREE for p in (PurePosixPath(data, leaf), *PurePosixPath(data, leaf).parents)}
    return tuple(sorted(p for p in paths if p == data or p.startswith(data.rstrip("/") + "/")))


def binds(
    name: str, service: Service, settings: Settings, home: str, data: str, propagation: str, *, host: Host
) -> tuple[Bind, ...]:
    """Configuration, data, scratch, rendered files and host paths of one service, in that order.

    Where SELinux is on, the stack's own paths get a label that containers share; those of the host keep theirs.
    """
    own = settings.services.get(name)
    config = f"{home}/config/{name}"
    result = [
        Bind(source=f"{config}/{sub}".rstrip("/"), target=target) for sub, target in sorted(service.config.items())
    ]
    result += _data(service, data, propagation, own.data if own else None)
    if service.wants.scratch:
        result.append(Bind(source=f"{config}/scratch", target=service.wants.scratch))
    result += [
        Bind(source=f"{home}/stack/files/{name}/{file}", target=target, read_only=True, directory=False)
        for file, target in sorted(service.files.items())
    ]
    own_paths = (replace(bind, relabel=host.system.selinux) for bind in result)
    return (*own_paths, *_of_the_host(service, host))


def sees_drives(service: Service) -> bool:
    """Whether what is mounted below <data>/drives appears inside the service."""
    return bool(service.wants.data or service.wants.media or service.wants.recordings)


def _of_the_host(service: Service, host: Host) -> Iterator[Bind]:
    """Read only. The engine's directory is where the engine says, and has the same path inside."""
    root = host.engine.root if host.engine else ""
    for source, target in sorted(service.wants.binds.items()):
        moved = root if root and source == target == ENGINE_ROOT else ""
        yield Bind(source=moved or source, target=moved or target, read_only=True, directory=False)


def _data(service: Service, data: str, propagation: str, access: str | None) -> Iterator[Bind]:
    wants = service.wants
    parts = (
        ("", wants.data),
        ("media", wants.media),
        ("drives", None if wants.data else wants.media or wants.recordings),
        (wants.downloads or "", "write" if wants.downloads else None),
        ("recordings", wants.recordings),
    )
    for part, wanted in parts:
        if wanted:
            yield Bind(
                source=f"{data}/{part}".rstrip("/"),
                target=f"/data/{part}".rstrip("/"),
                read_only=(access or wanted) == "read",
                propagation=propagation,
            )


def propagation(host: Host, data: str) -> tuple[str, Choice]:
    """`rslave` where the mount that holds `data` is shared: drives mounted later then appear inside.

    The engine refuses to start a container with rslave on a private mount, hence nothing there.
    """
    held = mounts.holding(host, data)
    mount = held[1] if held else None
    if mount and "shared" in mount.propagation:
        return "rslave", Choice(
            "data.propagation", "rslave", f"{mount.target} is a shared mount: new drives appear inside"
        )
    why = f"{mount.target} is a private mount" if mount else "the mount that holds it was not seen"
    return "", Choice("data.propagation", "private", f"{why}: drives mounted later need a restart of the containers")
