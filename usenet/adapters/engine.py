"""The container engine: its facts, and its containers in one call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from usenet.adapters import door, http, pipelined, scanned
from usenet.domain.errors import SystemFailure
from usenet.domain.named import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from usenet.adapters import compose
    from usenet.domain.host import Engine
SERVICE = "com.docker.compose.service"
PROJECT = "com.docker.compose.project"
PATIENCE = 3.0  # seconds for an answer that others wait behind: one that takes longer is asked for by itself


class Container(NamedTuple):
    """One container as the engine lists it.

    `project`, `service`, `directory` and `hash` (of its configuration) are Compose's, empty for others; `status` is
    the engine's sentence;
    `ports`: address, host port, container port, protocol; `addresses`: the container's own.
    """

    id: str
    name: str
    project: str
    service: str
    directory: str
    image: str
    state: str
    status: str
    hash: str = ""
    host_network: bool = False
    ports: tuple[tuple[str, int, int, str], ...] = ()
    addresses: tuple[str, ...] = ()


def _connect() -> http.Connect:
    where = door.address()
    if where.startswith("unix://"):
        return http.unix(where.removeprefix("unix://"))
    if where.startswith("tcp://"):
        from urllib.parse import urlsplit  # 3 ms, which most machines do without

        try:
            parts = urlsplit(where)
            return http.tcp(parts.hostname or "127.0.0.1", parts.port or 2375)
        except ValueError:  # brackets without an end, a port that is no number
            pass
    raise SystemFailure(f"DOCKER_HOST={where} is not supported", hint="use unix:// or tcp://")


def request(path: str, *, method: str = "GET", timeout: float = 30, parse: bool = True) -> Any:
    """One question to the engine's API; its JSON. Raises SystemFailure with the engine's own words."""
    return _read(_send(path, method=method, timeout=timeout), parse=parse)


def _send(path: str, *, method: str = "GET", timeout: float = 10) -> http.Question:
    try:
        return http.send(_connect(), path, host="docker", timeout=timeout, method=method)
    except http.NoAnswer as silence:
        raise _silent(str(silence)) from silence


def _read(question: http.Question, *, parse: bool = True) -> Any:
    try:
        answer = question.answer()
    except http.NoAnswer as silence:
        raise _silent(str(silence)) from silence
    if answer.status >= 400:
        raise SystemFailure(f"the engine refused: {_message(answer)}")
    try:
        if parse and answer.status == 200 and not answer.body.strip():
            raise ValueError("an answer without a body")
        return answer.json() if parse else None
    except ValueError as cut:  # an engine that dies while it speaks
        raise _silent("its answer makes no sense") from cut


def _message(answer: http.Answer) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"code {answer.status}"


def _silent(reason: str) -> SystemFailure:
    if reason == "Permission denied":
        return SystemFailure(
            "this user may not talk to the container engine",
            hint="run it with sudo, or join the group: sudo usermod -aG docker $USER, then log in again",
        )
    return SystemFailure(
        f"no container engine answers ({reason})",
        hint="start it: sudo systemctl start docker; or install one and start the stack: scripts/start",
    )


def facts(asked: compose.Asked | None = None) -> Engine:
    """What the engine says of itself and which Compose there is. Raises SystemFailure when none answers."""
    from usenet.adapters import compose  # with Engine, 10 ms that status does without

    asked = asked or compose.Asked()
    from usenet.domain.host import Engine

    try:
        info, version = request("/info"), request("/version")
    except BaseException:
        asked.end()
        raise
    options = " ".join(info.get("SecurityOptions") or ())
    return Engine(
        version=version["Version"],
        api=version["ApiVersion"],
        compose=asked.version(),
        cgroup=int(info.get("CgroupVersion") or 1),
        driver=info.get("Driver", ""),
        root=info.get("DockerRootDir", ""),
        runtimes=tuple(sorted(info.get("Runtimes") or ())),
        cdi=tuple(sorted(d.get("ID", "") for d in info.get("DiscoveredDevices") or () if d.get("Source") == "cdi")),
        memory_limit=bool(info.get("MemoryLimit")),
        rootless="name=rootless" in options,
    )


def containers(project: str = "") -> tuple[Container, ...]:
    """All containers, running or not, in one call; only those of a Compose project where one is named."""
    return Listing(project).containers()


class Listing:
    """`containers`, asked when this is made: there is time for something else until the engine has answered."""

    def __init__(self, project: str = "") -> None:
        filters = f'{{"label": [{scanned.quoted(f"{PROJECT}={project}")}]}}' if project else "{}"
        self._failure: SystemFailure | None = None
        try:
            self._asked = _send(f"/containers/json?all=1&filters={_percent(filters)}")
        except SystemFailure as failure:
            self._failure = failure

    def containers(self) -> tuple[Container, ...]:
        """Sorted by service and name. SystemFailure where the engine does not answer."""
        if self._failure:
            raise self._failure
        found = _read(self._asked)
        try:
            return tuple(sorted((_container(c) for c in found), key=lambda c: (c.service, c.name)))
        except (KeyError, TypeError, AttributeError) as strange:
            raise _silent("its answer makes no sense") from strange


def _percent(text: str) -> str:
    """For a URL: every byte, as that needs no list of those that may stay."""
    return "".join(f"%{byte:02X}" for byte in text.encode())


def _container(raw: Mapping[str, Any]) -> Container:
    networks = (raw.get("NetworkSettings") or {}).get("Networks") or {}
    return Container(
        id=raw["Id"],
        name=(raw.get("Names") or ["/?"])[0].lstrip("/"),
        project=raw["Labels"].get(PROJECT, ""),
        service=raw["Labels"].get(SERVICE, ""),
        directory=raw["Labels"].get(f"{PROJECT}.working_dir", ""),
        image=raw["Image"],
        state=raw["State"],
        status=raw["Status"],
        hash=raw["Labels"].get(f"{PROJECT.rpartition('.')[0]}.config-hash", ""),
        host_network=(raw.get("HostConfig") or {}).get("NetworkMode") == "host",
        ports=tuple(sorted({_port(p) for p in raw.get("Ports") or () if p.get("PublicPort")})),
        addresses=tuple(n["IPAddress"] for n in networks.values() if n.get("IPAddress")),
    )


def _port(raw: Mapping[str, Any]) -> tuple[str, int, int, str]:
    return raw.get("IP") or "0.0.0.0", raw["PublicPort"], raw["PrivatePort"], raw["Type"]  # noqa: S104 - a fact


def inspect(container: str) -> Mapping[str, Any]:
    """All that the engine knows of one container."""
    found: Mapping[str, Any] = request(f"/containers/{container}/json")
    return found


class Inspecting:
    """`inspect` of each that is still there; asked when this is made, read in `found`."""

    def __init__(self, containers: Iterable[str]) -> None:
        self._left = list(containers)
        self._found: dict[str, Mapping[str, Any]] = {}
        self._asked = self._ask()

    def _ask(self) -> pipelined.Questions | None:
        paths = [f"/containers/{container}/json" for container in self._left[: pipelined.MOST]]
        try:
            return pipelined.Questions(_connect(), paths, host="docker", timeout=PATIENCE) if paths else None
        except http.NoAnswer:
            return None

    def found(self) -> dict[str, Mapping[str, Any]]:
        """Without those that were removed meanwhile, and those of which the engine says nothing in time."""
        try:
            while self._asked:
                for answer in self._asked.answers():
                    self._keep(self._left.pop(0), answer)
                self._asked = self._ask()
        except http.NoAnswer:
            pass
        self._each()
        return self._found

    def _each(self) -> None:
        """Those that are left, on connections of their own: one that the engine is stuck with holds no other."""
        sent = {}
        for container in self._left:
            try:
                sent[container] = _send(f"/containers/{container}/json")
            except SystemFailure:
                continue
        for container, question in sent.items():
            try:
                self._keep(container, question.answer())
            except http.NoAnswer:
                continue

    def _keep(self, container: str, answer: http.Answer) -> None:
        try:
            seen = answer.json() if answer.status < 400 else None
        except ValueError:  # an engine that dies while it speaks
            return
        if isinstance(seen, dict) and seen.get("Id") == container:
            self._found[container] = seen


def inspect_all(containers: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    """`inspect` of each that is still there."""
    return Inspecting(containers).found()


def ping() -> None:
    """Return if the engine answers; else SystemFailure."""
    request("/_ping", parse=False)


def start(container: str) -> None:
    """Start one container; one that runs is left alone. SystemFailure with the engine's reason."""
    request(f"/containers/{container}/start", method="POST", timeout=120)


def age(seen: Mapping[str, Any]) -> float:
    """Seconds since the last start of a container that was inspected."""
    from datetime import UTC, datetime

    started = datetime.fromisoformat(seen["State"]["StartedAt"][:19] + "+00:00")
    return max((datetime.now(UTC) - started).total_seconds(), 0.0)


def images() -> dict[str, int]:
    """Reference (with tag) → bytes, of every image in the engine's store that has a name."""
    return {tag: image["Size"] for image in request("/images/json") for tag in image.get("RepoTags") or ()}


def log_tail(container: str, lines: int = 10) -> tuple[str, ...]:
    """The last lines that a container wrote, stdout and stderr together."""
    path = f"/containers/{container}/logs?stdout=1&stderr=1&tail={lines}"
    try:
        answer = http.ask(_connect(), path, host="docker")
    except http.NoAnswer:
        return ()
    raw = answer.body if answer.status < 400 else b""
    return tuple(_unframed(raw).decode(errors="replace").splitlines()[-lines:])


def _unframed(raw: bytes) -> bytes:
    """Without a terminal each piece has a head of eight bytes: stream, three zeros, length."""
    out, at = bytearray(), 0
    while at + 8 <= len(raw) and raw[at] in (0, 1, 2) and raw[at + 1 : at + 4] == b"\0\0\0":
        size = int.from_bytes(raw[at + 4 : at + 8], "big")
        out += raw[at + 8 : at + 8 + size]
        at += 8 + size
    return bytes(out) if at else raw
