"""The APIs of the services, asked over real sockets: what is sent fits their documents, what comes back is judged."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import arr_server, peers
from tests.arr_server import KEY, Fault, StandIn
from usenet.adapters import arr, rest
from usenet.adapters.jellyfin import Jellyfin
from usenet.adapters.rest import Api, Failure
from usenet.domain.errors import ConfigError, SystemFailure
from usenet.domain.secret import Secret
from usenet.domain.storage.roots import SORTERS, Add, Present, Root

Start = Callable[..., StandIn]
FILMS = "/data/drives/films/media/movies"


@pytest.fixture
def start(record_property: Callable[[str, object], None]) -> Iterator[Start]:
    with arr_server.several(record_property) as begin:
        yield begin


def client(own: StandIn, *keys: str, pauses: list[float] | None = None) -> arr.Arr:
    slept = [] if pauses is None else pauses
    known = [Secret(key) for key in keys or (KEY,)]
    api = Api(own.service, f"http://127.0.0.1:{own.port}{own.base}", known, field="X-Api-Key", pause=slept.append)
    return arr.Arr(own.service, api)


def reader(own: StandIn) -> Jellyfin:
    api = Api("jellyfin", f"http://127.0.0.1:{own.port}", [Secret(KEY)], field="Authorization",
              form='MediaBrowser Token="{}"', pause=lambda wait: None)  # fmt: skip
    return Jellyfin(api)


def add(service: str, path: str = FILMS, library: str = "") -> Add:
    root = Root(service=service, drive="films", kind=SORTERS.get(service, "movies"), path=path, host="/srv" + path)
    return Add(root=root, because="", library=library)


@pytest.mark.parametrize("service", SORTERS)
def test_a_root_folder_is_added_seen_and_removed(start: Start, service: str) -> None:
    own = start(service)
    asked = client(own)
    assert asked.has().present == ()
    made = asked.add(add(service))
    assert made == Present(id="1", path=FILMS)
    assert asked.has().present == (made,)
    assert asked.user(made) == ""
    asked.remove(made)
    assert own.folders == {}
    asked.remove(made)  # gone already is no failure


def test_jellyfin_paths(start: Start) -> None:
    own = start("jellyfin", libraries={"Films": "movies", "Shows": "tvshows"}, folders={"/data/media/movies": "Films"})
    asked = reader(own)
    assert asked.has().libraries == {"Films": "movies", "Shows": "tvshows"}
    made = asked.add(add("jellyfin", library="Films"))
    assert made == Present(id="Films", path=FILMS)
    assert made in asked.has().present
    own.items = [{"Name": "Old", "Path": "/data/media/movies/Old"}] * 501
    assert asked.user(made) == ""
    own.items.append({"Name": "Alien", "Path": f"{FILMS}/Alien (1979)/a.mkv"})
    assert asked.user(made) == "Alien"
    asked.remove(made)
    assert own.folders == {"/data/media/movies": "Films"}


@pytest.mark.parametrize(
    ("service", "users", "named"),
    [
        ("sonarr", {"series": [{"title": "Dark", "path": f"{FILMS}/Dark"}]}, "Dark"),
        ("radarr", {"movie": [{"title": "Alien", "path": f"{FILMS}/Alien (1979)"}]}, "Alien"),
        ("radarr", {"collection": [{"title": "Alien all", "rootFolderPath": FILMS}]}, "Alien all"),
        ("radarr", {"importlist": [{"name": "Best of", "rootFolderPath": FILMS + "/"}]}, "Best of"),
        ("lidarr", {"artist": [{"artistName": "Nico", "path": f"{FILMS}/Nico"}]}, "Nico"),
        ("readarr", {"author": [{"authorName": "Lem", "path": f"{FILMS}/Lem"}]}, "Lem"),
        ("whisparr", {"series": [{"title": "X", "path": f"{FILMS}/X"}]}, "X"),
        ("radarr", {"movie": [{"title": "Other", "path": f"{FILMS}-old/Alien"}]}, ""),
    ],
)
def test_what_uses_a_root_folder(start: Start, service: str, users: dict[str, Any], named: str) -> None:
    own = start(service, folders={FILMS + "/": 3}, users=users)
    assert client(own).user(Present(id="3", path=FILMS + "/")) == named


def test_folders_that_are_in_no_library_are_use(start: Start) -> None:
    unknown = [{"name": "Home", "path": f"{FILMS}/Home", "relativePath": "Home"}]
    own = start("radarr", folders={FILMS: 3}, unmapped={FILMS: unknown})
    assert client(own).user(Present(id="3", path=FILMS)) == "1 folders that are not in its library"


def test_profiles_are_those_of_the_other_root_folders_or_the_first_real_ones(start: Start) -> None:
    own = start("lidarr")
    client(own).add(add("lidarr"))
    client(own).add(add("lidarr", "/data/drives/more/media/music"))
    first, second = own.bodies
    assert (first["name"], first["defaultQualityProfileId"], first["defaultMetadataProfileId"]) == ("films", 4, 4)
    assert second == {**first, "path": "/data/drives/more/media/music"}
    assert sum("profile" in one for one in own.asked) == 2  # the second time there was a model


def test_the_key_of_config_xml_is_tried_where_the_other_is_refused(start: Start) -> None:
    own = start("sonarr", folders={"/tv": 1})
    asked = client(own, "", "with space", "f" * 32, KEY)
    assert len(asked.has().present) == 1
    assert len(own.asked) == 2  # one that was refused, one that was not; what can't be a key was not sent


def test_a_refused_key_is_said_without_the_key(start: Start) -> None:
    own = start("sonarr")
    with pytest.raises(ConfigError, match="no API key that is known here is one of sonarr") as told:
        client(own, "f" * 32).has()
    assert "SONARR_API_KEY" in told.value.hint
    assert "f" * 32 not in "".join(traceback.format_exception(told.value)) + told.value.hint


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(403), "it forbids that"),
        (Fault(404), "it knows no such thing"),
        (Fault(409), "it answered 409"),
        (Fault(400, body=b'[{"errorMessage": "no; %s"}]' % KEY.encode()), r"it answered 400: no; \[redacted\]"),
        (Fault(302, {"Location": "http://elsewhere.invalid/"}), "it sends us elsewhere"),
        (Fault(200, type="text/html", body=b"<html>login</html>"), "expected JSON, found text/html"),
        (Fault(200, type="", body=b"x"), "expected JSON, found something without a type"),
        (Fault(200, body=b'[{"id": 1, "pa'), "cut off or is no JSON"),
        (Fault(200, body=b"[" * 100_000), "cut off or is no JSON"),
        (Fault(200, body=b"\xff\xfe\x00"), "cut off or is no JSON"),
        (Fault(200, body=b"[]", cut=True), "closed connection|peer closed"),
        (Fault(200, body=b'{"a": 1}'), "expected a list"),
        (Fault(200, body=b"[1]"), "expected a list"),
        (Fault(200, body=b'[{"id": "1", "path": 2}]'), "expected root folders"),
        (Fault(200, body=b""), "expected a list"),
    ],
)
def test_what_is_no_answer_is_a_sentence(start: Start, fault: Fault, words: str) -> None:
    own = start("radarr")
    own.fail("GET", fault)
    with pytest.raises(Failure, match=words) as told:
        client(own).has()
    assert told.value.message.startswith(f"radarr at http://127.0.0.1:{own.port}")
    assert KEY not in f"{told.value} {told.value.hint}"
    assert len(own.asked) == 1


def test_a_busy_service_is_asked_again_when_it_says(start: Start) -> None:
    own = start("sonarr", folders={"/tv": 1})
    slept: list[float] = []
    own.fail("GET", Fault(503), Fault(429, {"Retry_After": "7"}), Fault(502))
    assert len(client(own, pauses=slept).has().present) == 1
    assert slept == [rest.PAUSES[0], 7.0, rest.PAUSES[2]]


def test_asking_again_ends(start: Start) -> None:
    own = start("sonarr")
    own.fail("GET", *[Fault(500)] * 9)
    with pytest.raises(Failure, match="it answered 500"):
        client(own).has()
    assert len(own.asked) == 1 + len(rest.PAUSES)


@pytest.mark.parametrize("after", ["3600", "Wed, 21 Oct 2099 07:28:00 GMT"])
def test_nobody_waits_an_hour(start: Start, after: str) -> None:
    own = start("sonarr")
    slept: list[float] = []
    own.fail("GET", Fault(429, {"Retry_After": after}))
    with pytest.raises(Failure, match="it answered 429"):
        client(own, pauses=slept).has()
    assert slept == []


def test_a_date_that_is_over_or_none_is_no_long_wait(start: Start) -> None:
    own = start("sonarr")
    slept: list[float] = []
    past, none = "Wed, 21 Oct 2015 07:28:00 GMT", "soon"
    own.fail("GET", Fault(429, {"Retry_After": past}), Fault(429, {"Retry_After": none}))
    client(own, pauses=slept).has()
    assert slept == [0.0, rest.PAUSES[1]]


@pytest.mark.parametrize("fault", [Fault(500, after=True), Fault(200, body=b"{", after=True), Fault(504, after=True)])
def test_what_was_done_though_the_answer_was_lost_is_not_done_twice(start: Start, fault: Fault) -> None:
    own = start("radarr")
    own.fail("POST", fault)
    assert client(own).add(add("radarr")) == Present(id="1", path=FILMS)
    assert len(own.changes) == 1


def test_what_was_not_done_is_asked_for_again(start: Start) -> None:
    own = start("radarr")
    own.fail("POST", Fault(500), Fault(503))
    assert client(own).add(add("radarr")) == Present(id="1", path=FILMS)
    assert len(own.changes) == 3


def test_somebody_else_added_it_meanwhile(start: Start) -> None:
    own = start("radarr", folders={FILMS: 8})
    assert client(own).add(add("radarr")) is None
    own.fail("POST", Fault(409))
    assert client(own).add(add("radarr")) is None


def test_a_refusal_is_told_in_the_services_words(start: Start) -> None:
    own = start("radarr", exists=lambda path: False)
    with pytest.raises(Failure, match="Path '/data/drives/films/media/movies' does not exist") as told:
        client(own).add(add("radarr"))
    assert "usenet services restart radarr" in told.value.hint


def test_too_late(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "PATIENCE", 0.3)
    own = start("sonarr")
    own.fail("GET", Fault(silent=True))
    with pytest.raises(Failure, match="no answer in time") as told:
        client(own).has()
    assert told.value.unclear


def test_an_answer_that_drips_is_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "PATIENCE", 0.3)

    def drip(peer: Any) -> None:
        peer.recv(65536)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999\r\n\r\n")
        while True:
            peer.sendall(b"x")
            time.sleep(0.02)

    with peers.listening(drip) as port, pytest.raises(Failure, match="no answer in time"):
        Api("sonarr", f"http://127.0.0.1:{port}", [Secret(KEY)], field="X-Api-Key").ask("GET", "/x")


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        (peers.hang_up, "sonarr at http"),
        (peers.answers(b"SSH-2.0-OpenSSH_9.2\r\n"), "sonarr at http"),
        (peers.answers(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b" " * 4096), "no end"),
    ],
)
def test_who_is_no_web_server_is_a_sentence(
    behave: peers.Behaviour, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "LIMIT", 1024)
    with peers.listening(behave) as port, pytest.raises(Failure, match=words):
        Api("sonarr", f"http://127.0.0.1:{port}", [Secret(KEY)], field="X-Api-Key").ask("GET", "/x")


def test_nobody_there() -> None:
    with peers.nobody() as port, pytest.raises(Failure, match="refused") as told:
        Api("sonarr", f"http://127.0.0.1:{port}", [Secret(KEY)], field="X-Api-Key").ask("POST", "/x")
    assert not told.value.unclear


def test_a_proxy_of_the_environment_is_not_asked(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    own = start("sonarr")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert client(own).has().present == ()


def test_config_xml(tmp_path: Path) -> None:
    assert arr.configured(tmp_path) == arr.Configured()
    (tmp_path / "config.xml").write_text(
        f"<Config>\n  <ApiKey>{KEY}</ApiKey>\n  <UrlBase>/sonarr/</UrlBase>\n</Config>"
    )
    assert arr.configured(tmp_path) == arr.Configured(Secret(KEY), "/sonarr")
    (tmp_path / "config.xml").write_text("<Config><ApiKey></ApiKey><UrlBase></UrlBase>")
    assert arr.configured(tmp_path) == arr.Configured()
    (tmp_path / "config.xml").unlink()
    (tmp_path / "config.xml").mkdir()
    with pytest.raises(SystemFailure, match="can't be read"):
        arr.configured(tmp_path)


def test_a_url_base_is_part_of_the_address(start: Start) -> None:
    own = start("sonarr", base="/sonarr", folders={"/tv": 1})
    assert len(client(own).has().present) == 1
    own.base = "/elsewhere"
    wrong = Api("sonarr", f"http://127.0.0.1:{own.port}/sonarr", [Secret(KEY)], field="X-Api-Key")
    with pytest.raises(Failure, match="sends us elsewhere") as told:
        arr.Arr("sonarr", wrong).has()
    assert "config/sonarr" in told.value.hint
