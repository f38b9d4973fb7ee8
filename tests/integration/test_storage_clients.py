"""Download clients while a drive is lost: the real ones, halted and set going again, and what a person did is kept."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest

from tests import making
from tests.integration.conftest import Stack, answers, free_port
from usenet.actions.storage import relief
from usenet.actions.storage.relief import Relief
from usenet.actions.storage.shelf import Shelf
from usenet.adapters import settings
from usenet.adapters.download_clients import SECRETS
from usenet.adapters.home import Home
from usenet.adapters.storage.watching import Memory
from usenet.domain.storage.events import Event, Known
from usenet.domain.storage.seen import Seen

pytestmark = [pytest.mark.engine, pytest.mark.slow]

BOUNDARY = "between"
PEERS = {"transmission": "51413", "qbittorrent": "6881"}
DRIVES = {name: {"uuid": name, "type": "ext4"} for name in ("films", "music")}


@dataclass
class Server:
    """One real client, asked as a person's own programs would. `names`: what was given to it, and its own name."""

    stack: Stack
    port: int
    names: dict[str, str] = field(default_factory=dict)

    def secret(self, variable: str) -> str:
        lines = (self.stack.home / ".env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)[variable]

    def send(self, method: str, path: str, body: str | bytes = "", **headers: str) -> tuple[Mapping[str, str], bytes]:
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            link.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = link.getresponse()
            return answer.headers, answer.read()
        finally:
            link.close()

    def begin(self) -> None:
        """Give it something to do; of what it takes piece by piece, `theirs` is halted by a person from the start."""

    def halted(self) -> set[str]:
        raise NotImplementedError

    def halt(self) -> None:
        """A person halts everything."""
        raise NotImplementedError

    def drop(self, name: str) -> None:
        """A person takes something away."""


class Sabnzbd(Server):
    def ask(self, mode: str) -> Any:
        return json.loads(self.send("GET", f"/api?mode={mode}&output=json&apikey={self.secret('SABNZBD_API_KEY')}")[1])

    def begin(self) -> None:
        self.names = {"all": "all"}

    def halted(self) -> set[str]:
        return {"all"} if self.ask("queue")["queue"]["paused"] else set()

    def halt(self) -> None:
        self.ask("pause")


class Nzbget(Server):
    def ask(self, method: str) -> Any:
        path = f"/nzbget:{self.secret('NZBGET_PASSWORD')}/jsonrpc"
        return json.loads(self.send("POST", path, json.dumps({"method": method}))[1])["result"]

    def begin(self) -> None:
        self.names = {"all": "all"}

    def halted(self) -> set[str]:
        return {"all"} if self.ask("status")["DownloadPaused"] else set()

    def halt(self) -> None:
        self.ask("pausedownload")


class Torrents(Server):
    """A client that takes torrents. `going` and `still` are its words for one that is going, and for a halted one."""

    going: frozenset[str]
    still: frozenset[str]

    def begin(self) -> None:
        for name in ("ours", "more", "theirs"):
            self.add(name, base64.b64encode(torrent(name)).decode(), halted=name == "theirs")
        # Before that it looks whether something is there already, and has no ear for being halted.
        wait(lambda: sum(one in self.going for one in self.words().values()) == 2, lambda: f"{self.words()}")
        wait(lambda: self.halted() == {"theirs"}, lambda: f"{self.words()}")

    def halted(self) -> set[str]:
        words = self.words()
        return {name for name, own in self.names.items() if words.get(own) in self.still}

    def add(self, name: str, text: str, *, halted: bool) -> None:
        raise NotImplementedError

    def words(self) -> dict[str, str]:
        """What it says of each torrent, by its own name for it."""
        raise NotImplementedError


class Transmission(Torrents):
    going, still = frozenset({"4"}), frozenset({"0"})

    def ask(self, method: str, **arguments: Any) -> Any:
        login = base64.b64encode(f"transmission:{self.secret('TRANSMISSION_PASSWORD')}".encode()).decode()
        body = json.dumps({"method": method, "arguments": arguments})
        headers, _ = self.send("POST", "/transmission/rpc", body, Authorization=f"Basic {login}")
        session = {"X_Transmission_Session_Id": headers["X-Transmission-Session-Id"]}
        return json.loads(self.send("POST", "/transmission/rpc", body, Authorization=f"Basic {login}", **session)[1])

    def add(self, name: str, text: str, *, halted: bool) -> None:
        told = self.ask("torrent-add", metainfo=text, paused=halted)["arguments"]
        self.names[name] = told["torrent-added"]["hashString"]

    def words(self) -> dict[str, str]:
        found = self.ask("torrent-get", fields=["hashString", "status"])["arguments"]["torrents"]
        return {one["hashString"]: str(one["status"]) for one in found}

    def halt(self) -> None:
        self.ask("torrent-stop")

    def drop(self, name: str) -> None:
        self.ask("torrent-remove", ids=[self.names.pop(name)])


class Qbittorrent(Torrents):
    going, still = frozenset({"downloading", "stalledDL"}), frozenset({"pausedDL", "stoppedDL"})

    def ask(self, path: str, body: str | bytes = "", kind: str = "application/x-www-form-urlencoded") -> bytes:
        login = urlencode({"username": "admin", "password": self.secret("QBITTORRENT_PASSWORD")})
        headers, said = self.send("POST", "/api/v2/auth/login", login, Content_Type="application/x-www-form-urlencoded")
        assert said == b"Ok.", said
        return self.send(
            "POST", f"/api/v2/{path}", body, Cookie=headers["Set-Cookie"].split(";")[0], Content_Type=kind
        )[1]

    def add(self, name: str, text: str, *, halted: bool) -> None:
        flags = {"paused": halted, "stopped": halted}
        parts = [f'name="{flag}"\r\n\r\n{str(on).lower()}'.encode() for flag, on in flags.items()]
        parts.append(f'name="torrents"; filename="{name}.torrent"\r\n\r\n'.encode() + base64.b64decode(text))
        body = b"".join(b"--between\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts)
        self.ask("torrents/add", body + b"--between--\r\n", f"multipart/form-data; boundary={BOUNDARY}")
        self.names[name] = name

    def info(self) -> list[dict[str, Any]]:
        return list(json.loads(self.ask("torrents/info")))

    def words(self) -> dict[str, str]:
        return {one["name"]: one["state"] for one in self.info()}

    def halt(self) -> None:
        self.ask("torrents/pause", "hashes=all")

    def drop(self, name: str) -> None:
        gone = next(one["hash"] for one in self.info() if one["name"] == self.names.pop(name, name))
        self.ask("torrents/delete", f"hashes={gone}&deleteFiles=false")


class Aria2(Torrents):
    going, still = frozenset({"active"}), frozenset({"paused"})

    def ask(self, method: str, *more: Any) -> Any:
        told = {"jsonrpc": "2.0", "id": "1", "method": f"aria2.{method}"}
        body = json.dumps({**told, "params": [f"token:{self.secret('ARIA2_SECRET')}", *more]})
        return json.loads(self.send("POST", "/jsonrpc", body)[1])["result"]

    def add(self, name: str, text: str, *, halted: bool) -> None:
        self.names[name] = self.ask("addTorrent", text, [], {"pause": str(halted).lower()})

    def words(self) -> dict[str, str]:
        found = [*self.ask("tellActive"), *self.ask("tellWaiting", 0, 100)]
        return {one["gid"]: one["status"] for one in found}

    def halt(self) -> None:
        self.ask("forcePauseAll")

    def drop(self, name: str) -> None:
        self.ask("forceRemove", self.names.pop(name))


SERVERS: dict[str, type[Server]] = {
    "sabnzbd": Sabnzbd,
    "nzbget": Nzbget,
    "transmission": Transmission,
    "qbittorrent": Qbittorrent,
    "aria2": Aria2,
}


def torrent(name: str) -> bytes:
    """A torrent of one file of which nobody has anything."""
    piece = hashlib.sha1(name.encode(), usedforsecurity=False).digest()
    own = f"6:lengthi16384e4:name{len(name)}:{name}12:piece lengthi16384e6:pieces20:".encode() + piece
    return b"d4:infod" + own + b"ee"


def wait(seen: Callable[[], bool], what: Callable[[], str]) -> None:
    until = time.monotonic() + 60
    while not seen():
        assert time.monotonic() < until, what()
        time.sleep(0.1)


@dataclass
class Bench:
    """A real client in a stack of two drives, and what looks after it while one of them is lost."""

    server: Server
    home: Home
    name: str
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.memory = Memory(self.home)
        self.relief = Relief(self.memory, self.said.append)
        self.dealt: list[Any] = []
        round_ = self.relief._round

        def counted(now: Any) -> None:
            round_(now)
            self.dealt.append(now)

        self.relief._round = counted  # type: ignore[method-assign]

    def films(self, state: Any, music: Any = "there") -> None:
        """Show this as what is known, and wait until that was dealt with once."""
        self.memory.known = {"films": Known(state=state), "music": Known(state=music)}
        self.memory.events.append(Event(kind="lost", drive="films", at=0))
        seen = Seen(data=str(self.home.path / "data"), shared=True)
        self.relief.look(Shelf(self.home, settings.load(self.home), making.host(), seen))
        news = self.relief._now
        wait(lambda: any(one is news for one in self.dealt), lambda: f"no round was made: {self.said}")

    def halted(self, *names: str) -> None:
        wait(lambda: self.server.halted() == {*names}, lambda: f"{self.server.halted()} are halted; {self.said}")


@pytest.fixture(params=SERVERS)
def bench(request: pytest.FixtureRequest, make_stack: Callable[..., Stack]) -> Iterator[Bench]:
    stack, port, name = make_stack(), free_port(), request.param
    ports = {PEERS[name]: free_port()} if name in PEERS else {}
    services = {name: {"port": port, "ports": ports}}
    stack.settings(services)
    stack.run("services", "up")
    stack.settings(services, storage={"drives": DRIVES})  # no earlier, so that nobody mounts them
    made = Bench(SERVERS[name](stack, port), Home(stack.home), name)
    made.server.begin()
    yield made
    made.films("there")


def test_only_what_was_going_is_set_going_again(bench: Bench) -> None:
    server = bench.server
    before = server.halted()
    bench.films("lost")
    bench.halted(*server.names)
    bench.films("lost")
    if "more" in server.names:
        server.drop("more")
    bench.films("there")
    bench.halted(*before)
    assert bench.said == [f"paused {bench.name}", f"resumed {bench.name}"]


def test_what_a_person_halted_as_a_whole_stays_halted(bench: Bench) -> None:
    bench.server.halt()
    bench.halted(*bench.server.names)
    bench.films("lost")
    bench.films("there")
    assert bench.server.halted() == set(bench.server.names)
    assert (bench.said, bench.memory.paused) == ([], {})


@pytest.mark.parametrize("bench", PEERS, indirect=True)  # these do what they are told a moment later
def test_a_drive_that_is_lost_again_at_once_finds_it_halted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relief, "LATER", 3600.0)
    before = bench.server.halted()
    bench.films("lost")
    bench.halted(*bench.server.names)
    bench.films("there")
    bench.films("lost")
    time.sleep(4)
    bench.halted(*bench.server.names)
    bench.films("there")
    bench.halted(*before)


@pytest.mark.parametrize("bench", ["qbittorrent", "aria2"], indirect=True)  # these see the drives
def test_who_is_stopped_because_no_drive_is_left_is_not_asked(bench: Bench) -> None:
    before = bench.server.halted()
    bench.films("lost", music="lost")
    assert bench.said == [f"stopped {bench.name}: no drive is left that they could use"]
    bench.films("there")
    wait(lambda: answers(bench.server.port), lambda: f"it did not come back: {bench.said}")
    bench.halted(*before)
    assert bench.said[1:] == [f"started {bench.name}"]


def test_a_wrong_key_is_tried_once_until_another_is_there(bench: Bench) -> None:
    file = bench.home.env
    right = file.read_text()
    variable = SECRETS[bench.name]
    file.write_text(
        "\n".join(f"{variable}=wrong" if line.startswith(variable) else line for line in right.splitlines())
    )
    for _ in range(8):
        bench.films("lost")
    file.write_text(right)
    assert bench.said == [said := bench.said[0]], "said once"
    assert said.startswith(f"{bench.name}: it refuses our ")
    assert f"{variable}=" in said
    bench.films("lost")
    bench.halted(*bench.server.names)
