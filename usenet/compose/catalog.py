"""The catalog: every service that can be had, by name, and what a service file must be. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from usenet.domain.asked import SOCKET_PROXY
from usenet.domain.catalog import SUFFIX, ServiceFile
from usenet.domain.errors import ConfigError, ValidationError
from usenet.domain.service import NAME, Service

_SEPARATOR = "---"
_SOCKETS = ("/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock", "/var/run")
_ROOTLESS = re.compile(r"/run/user(/[0-9]+)?")
_REFERENCE = re.compile(r"\$\{([^}]*)\}")
_CAPABILITY = re.compile(r"(?!ALL$|CAP_)[A-Z][A-Z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One service: its head, its Jinja body, the file that both came from, and the folder of that file.

    The templates of its `files` lie in `<directory>/<name>/<file>.j2`.
    """

    name: str
    service: Service
    body: str
    source: str
    directory: str


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two things in one head that can't both hold; `location` is the key to blame."""

    location: tuple[int | str, ...]
    message: str
    hint: str = ""


class Catalog(Mapping[str, Entry]):
    """Name → Entry, sorted by name."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = {entry.name: entry for entry in sorted(entries, key=lambda entry: entry.name)}

    def __getitem__(self, name: str) -> Entry:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def services(self) -> dict[str, Service]:
        """Name → Service, for the plan."""
        return {name: entry.service for name, entry in self._entries.items()}

    def closest(self, name: str) -> tuple[str, ...]:
        """The names that may have been meant, the likeliest first, three at most."""
        return _closest(name, self._entries)


def build(entries: Iterable[Entry]) -> Catalog:
    """The catalog of all `entries`. ValidationError: one name twice, or a need that no service answers."""
    found: dict[str, Entry] = {}
    for entry in entries:
        if entry.name in found:
            raise ValidationError(
                f"there are two services named {entry.name}: {found[entry.name].source} and {entry.source}",
                hint="give one of the two files another name",
            )
        found[entry.name] = entry
    for entry in found.values():
        _check_references(entry, found)
    return Catalog(found.values())


def split(file: ServiceFile) -> tuple[str, str]:
    """The head and the body, parted by the first line that is only `---` after the head.

    A `---` before the first key belongs to the head, as YAML allows it. Both parts keep every character, so a line
    of the head has the number that it has in the file. ConfigError when a part is missing or the name won't do.
    """
    _check_name(file)
    lines = re.findall(r"[^\n]*\n|[^\n]+", file.text)
    begun = False
    for number, line in enumerate(lines):
        if line.rstrip() == _SEPARATOR and begun:
            body = "".join(lines[number + 1 :])
            if not body.strip():
                break
            return "".join(lines[:number]), body
        begun = begun or (line.rstrip() != _SEPARATOR and bool(line.strip()) and not line.lstrip().startswith("#"))
    raise ConfigError(
        "expected a head, a line ---, and a body",
        where=f"{file.place}:{max(len(lines), 1)}",
        hint='end the file with a line --- and a line {% include "base.yaml.j2" %}',
    )


def contradictions(name: str, service: Service) -> Iterator[Contradiction]:
    """What the types of a head can't refuse by themselves."""
    yield from _paths(service)
    yield from _ports(service)
    yield from _secrets(service)
    if name in service.needs or name in service.after:
        yield Contradiction(("needs",), f"{name} can't wait for itself", f"take {name} out of needs and after")
    for capability in service.wants.capabilities:
        if not _CAPABILITY.fullmatch(capability):
            yield Contradiction(
                ("wants", "capabilities"), f'expected a capability such as NET_ADMIN, found "{capability}"'
            )
    yield from _engine(name, service)
    yield from _account(service)


def _engine(name: str, service: Service) -> Iterator[Contradiction]:
    for path in service.wants.binds:
        if name != SOCKET_PROXY and shows_a_socket(path):
            yield Contradiction(
                ("wants", "binds"),
                f"no service gets the engine's socket itself, and {path} shows it",
                "bind less of the host; who talks to Docker writes: wants: {engine: true}",
            )
    if service.wants.engine and service.wants.network == "host":
        yield Contradiction(
            ("wants", "engine"),
            "the socket proxy can't be reached from the host's network",
            "take out network: host or engine: true",
        )


def shows_a_socket(path: str) -> bool:
    """Whether a container that sees this host path sees a socket that commands an engine."""
    plain = re.sub(r"^/+(var/run(?=/|$))?", lambda found: "/run" if found[1] else "/", posixpath.normpath(path))
    below = plain.rstrip("/") + "/"
    held = any(socket.startswith(below) or below.startswith(f"{socket}/") for socket in _SOCKETS)
    return held or bool(_ROOTLESS.fullmatch(plain)) or PurePosixPath(plain).name in ("docker.sock", "podman.sock")


def _account(service: Service) -> Iterator[Contradiction]:
    wants = service.wants
    if wants.account == "owner":
        return
    if service.family not in ("official", "built"):
        yield Contradiction(("wants", "account"), f"an image of family {service.family} chooses its account itself")
    if service.config or wants.media or wants.data or wants.downloads or wants.recordings or wants.scratch:
        yield Contradiction(("wants", "account"), "nobody can't read or write what belongs to the owner of the data")


def _paths(service: Service) -> Iterator[Contradiction]:
    inside = "a path in the container begins with /"
    for key, targets in (("config", service.config), ("files", service.files)):
        for source, target in targets.items():
            if not target.startswith("/"):
                yield Contradiction((key, source), f'expected an absolute path, found "{target}"', inside)
            if not _stays_below(source):
                yield Contradiction((key, source), f'expected a path below config/<service>, found "{source}"')
    for source, target in service.wants.binds.items():
        if not (source.startswith("/") and target.startswith("/")):
            yield Contradiction(("wants", "binds", source), "expected two absolute paths", "write: {/sys: /host/sys}")
    for number, pattern in enumerate(service.backup.exclude):
        if not pattern or not _stays_below(pattern):
            yield Contradiction(
                ("backup", "exclude", number), f'expected a pattern below config/<service>, found "{pattern}"'
            )


def _stays_below(path: str) -> bool:
    return not path.startswith(("/", "~")) and ".." not in PurePosixPath(path).parts


def _ports(service: Service) -> Iterator[Contradiction]:
    seen: set[tuple[int, str]] = set()
    for number, port in enumerate(service.ports):
        if (port.container, port.protocol) in seen:
            yield Contradiction(("ports", number), f"port {port.container}/{port.protocol} is listed twice")
        seen.add((port.container, port.protocol))
    if service.health.port and (service.health.port, "tcp") not in seen:
        known = ", ".join(str(number) for number, protocol in sorted(seen) if protocol == "tcp") or "none"
        yield Contradiction(
            ("health", "port"),
            f"expected one of the service's tcp ports, found {service.health.port}",
            f"its tcp ports in the container: {known}",
        )


def _secrets(service: Service) -> Iterator[Contradiction]:
    for variable, value in service.environment.items():
        found = _REFERENCE.search(value)
        if not found:
            continue
        if found[0] != value:
            yield Contradiction(
                ("environment", variable), "expected a secret to be the whole value", 'write: "${NAME}"'
            )
        elif found[1] not in service.secrets:
            yield Contradiction(
                ("environment", variable),
                f"{found[1]} is not among the secrets",
                f"add: secrets: {{{found[1]}: given}}",
            )


def _check_name(file: ServiceFile) -> None:
    if not re.fullmatch(NAME, file.name):
        raise ConfigError(
            f'"{file.name}" can\'t be the name of a service',
            where=file.place,
            hint=f"name the file with small letters, digits and single dashes: my-service{SUFFIX}",
        )


def _check_references(entry: Entry, found: Mapping[str, Entry]) -> None:
    replaced = (entry.service.replaced_by,) if entry.service.replaced_by else ()
    for key, names in (("needs", entry.service.needs), ("replaced_by", replaced)):
        for name in names:
            if name not in found:
                near = " or ".join(_closest(name, found))
                raise ValidationError(
                    f"there is no service {name}",
                    where=f"{entry.source}: {key}",
                    hint=f"did you mean {near}?" if near else "see: usenet services list",
                )


def _closest(name: str, names: Iterable[str]) -> tuple[str, ...]:
    from difflib import get_close_matches

    return tuple(get_close_matches(name, list(names), n=3, cutoff=0.6))
