"""Every image that is made here keeps its contract, on a real engine: any user, no capability, no new privilege."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import stat
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from usenet.actions import catalog
from usenet.adapters import engine, images, probes
from usenet.domain import health

pytestmark = [pytest.mark.engine, pytest.mark.slow]

USER = 1234 if os.geteuid() == 0 else os.getuid()
PASSWORD = 'se"cr\\et $1&x'
KEY = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Case:
    """How a service is run and what it says. `config`: container paths of its own directories."""

    port: int
    path: str = "/"
    status: int = 200
    config: tuple[str, ...] = ("/config",)
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    writes: str = ""


CASES = {
    "transmission": Case(
        9091, "/transmission/rpc", 401, environment={"TRANSMISSION_PASSWORD": PASSWORD}, writes="settings.json"
    ),
    "nzbget": Case(6789, "/", 401, environment={"NZBGET_PASSWORD": PASSWORD}, writes="nzbget.log"),
    "caddy": Case(
        8088,
        "/health",
        config=("/config", "/data"),
        files={"/etc/caddy/Caddyfile": "{\n\tadmin off\n}\nhttp://:8088 {\n\trespond /health 200\n}\n"},
        writes="caddy",
    ),
    "aria2": Case(
        6800,
        "/jsonrpc?jsonrpc=2.0&id=usenet&method=system.listMethods",
        environment={"ARIA2_SECRET": KEY},
        writes="aria2.session",
    ),
    "node-exporter": Case(9100, "/metrics", config=()),
    "qbittorrent": Case(
        8085, environment={"QBITTORRENT_PASSWORD": PASSWORD, "WEBUI_PORT": "8085"}, writes="qBittorrent/logs"
    ),
    "alertmanager": Case(9093, "/-/ready", config=("/alertmanager",)),
    "prometheus": Case(9090, "/-/ready", config=("/prometheus",), writes="wal/00000000"),
    "netdata": Case(
        19999, "/api/v1/info", config=("/etc/netdata", "/var/lib/netdata", "/var/cache/netdata"), writes="registry"
    ),
    "sabnzbd": Case(8080, "/api?mode=version", environment={"SABNZBD_API_KEY": KEY}, writes="logs/sabnzbd.log"),
    "calibre-web": Case(8083, "/", 302, writes="app.db"),
    "recorder": Case(8095, "/health/ready", writes="recorder.yaml"),
    "samba": Case(445, "", 0, environment={"SAMBA_PASSWORD": PASSWORD}, writes="private/passdb.tdb"),
}


@dataclass(frozen=True, slots=True)
class Service:
    name: str
    container: str
    port: int
    folder: Path

    def get(self, path: str, headers: Mapping[str, str] | None = None, body: str = "") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST" if body else "GET", path, body or None, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def file(self, path: str) -> Path:
        """Where a path in the container lies here."""
        return self.folder / path.lstrip("/").replace("/", "-")


def docker(*words: str, text: str | None = None) -> str:
    done = subprocess.run(["docker", *words], input=text, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def made(name: str) -> str:
    """The reference of the image, made now unless it is there."""
    reference = images.built_reference(name)
    if reference not in engine.images():
        images.build(name, tag=reference, base=images.base(str), report=str)
    return reference


@contextmanager
def running(name: str, case: Case, folder: Path, *, mask: str = "027") -> Iterator[Service]:
    container = f"hb-{name}-{uuid.uuid4().hex[:8]}"
    paths = {path: folder / path.lstrip("/").replace("/", "-") for path in (*case.config, "/data")}
    for path in paths.values():
        path.mkdir(exist_ok=True)
        os.chown(path, USER, USER if os.geteuid() == 0 else -1)
    for path, content in case.files.items():
        paths[path] = folder / path.lstrip("/").replace("/", "-")
        paths[path].write_text(content)
    for part in () if "/data" in case.config else ("torrents", "usenet/incomplete", "usenet/complete", "media"):
        made_here = paths["/data"] / part
        made_here.mkdir(parents=True, exist_ok=True)
        for parent in (made_here, made_here.parent):
            os.chown(parent, USER, -1)
    # As Compose does with values from .env: they reach the container, and no command line.
    variables = folder / "environment"
    variables.write_text("".join(f"{k}={v}\n" for k, v in {**case.environment, "UMASK": mask}.items()))
    docker(
        *("run", "--init", "--detach", "--name", container, "--user", f"{USER}:{USER}", "--cap-drop", "ALL"),
        *("--security-opt", "no-new-privileges", "--env-file", str(variables)),
        *(word for inside, here in paths.items() for word in ("--volume", f"{here}:{inside}")),
        *("--publish", f"127.0.0.1::{case.port}", made(name)),
    )
    try:
        address = docker("port", container, f"{case.port}/tcp").split()[0]
        yield Service(name, container, int(address.rpartition(":")[2]), folder)
    finally:
        docker("rm", "--force", "--volumes", container)


def until(true: Callable[[], bool], service: Service, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if true():
                return
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.2)
    raise AssertionError(f"{service.name} did not get there:\n" + docker("logs", "--tail", "30", service.container))


def answers(service: Service, case: Case) -> bool:
    if case.status:
        return service.get(case.path)[0] == case.status
    with socket.create_connection(("127.0.0.1", service.port), 60) as peer:
        peer.sendall(NEGOTIATE)
        return peer.recv(8)[4:] == b"\xfeSMB"


# SMB2 NEGOTIATE with dialect 2.1 (MS-SMB2 2.2.3), behind the length that goes before each message on port 445.
_HEAD = b"\xfeSMB" + (64).to_bytes(2, "little") + bytes(58)
_BODY = b"\x24\x00\x01\x00\x01\x00\x00\x00" + bytes(4) + bytes(16) + bytes(8) + b"\x10\x02"
NEGOTIATE = len(_HEAD + _BODY).to_bytes(4, "big") + _HEAD + _BODY


@pytest.mark.parametrize("name", CASES)
def test_it_answers_with_the_rights_of_nobody_and_stops_when_told(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    with running(name, case, tmp_path) as service:
        until(lambda: answers(service, case), service)
        if case.writes:
            until((service.file(case.config[0] if name != "netdata" else case.config[1]) / case.writes).exists, service)
        _files_belong_to_the_user(service, case)
        _nothing_secret_is_seen(service, case)
        _the_engine_s_own_check_passes(service)
        docker("stop", "--time", "120", service.container)
        state = json.loads(docker("inspect", service.container))[0]["State"]
        assert state["ExitCode"] != 137, "it was killed: SIGTERM did not reach it"


def _the_engine_s_own_check_passes(service: Service) -> None:
    head = catalog.load()[0].services[service.name]
    assert CASES[service.name].port == head.ports[0].container
    if check := health.check(head, "built"):
        words = ["sh", "-c", check[1]] if check[0] == "CMD-SHELL" else check[1:]
        command = ["docker", "exec", service.container, *words]
        # The engine asks again too, where a busy machine was late.
        until(lambda: subprocess.run(command, capture_output=True, timeout=60).returncode == 0, service)


def _files_belong_to_the_user(service: Service, case: Case) -> None:
    found = {path: about for name in case.config for path, about in _below(service.file(name))}
    assert not case.writes or found
    for path, about in found.items():
        assert about.st_uid == USER, path
        assert about.st_mode & 0o007 == 0, f"{path} is open to others: {about.st_mode:o}"


def _below(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Files and directories in a folder, links left out, and what went while a service works in it."""
    for place, directories, names in os.walk(folder):
        for path in (Path(place, name) for name in (*directories, *names)):
            with suppress(FileNotFoundError):
                about = path.lstat()
                if not stat.S_ISLNK(about.st_mode):
                    yield path, about


def _nothing_secret_is_seen(service: Service, case: Case) -> None:
    described = json.loads(docker("inspect", service.container))[0]
    shown = json.dumps([described["Path"], described["Args"]]) + docker("top", service.container, "-eo", "pid,args")
    shown += docker("logs", service.container)
    for secret in (PASSWORD, KEY):
        assert secret not in shown
    if case.environment:
        assert "1" in docker("top", service.container)  # the list of processes was read


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_transmission_takes_its_password_and_keeps_what_it_was_told(tmp_path: Path) -> None:
    case = CASES["transmission"]
    with running("transmission", case, tmp_path) as service:
        until(lambda: answers(service, case), service)
        assert service.get("/transmission/rpc", basic("transmission", PASSWORD))[0] == 409
        assert service.get("/transmission/rpc", basic("transmission", "wrong"))[0] == 401
        docker("stop", "--time", "120", service.container)
        kept = service.file("/config") / "settings.json"
        changed = json.loads(kept.read_text()) | {"speed-limit-up": 77}
        kept.write_text(json.dumps(changed, indent=4))
    with running("transmission", case, tmp_path) as service:
        until(lambda: answers(service, case), service)
        assert service.get("/transmission/rpc", basic("transmission", PASSWORD))[0] == 409
        now = json.loads(kept.read_text())
        assert (now["speed-limit-up"], now["umask"]) == (77, 0o027)
        assert PASSWORD not in kept.read_text()


def test_one_that_has_only_just_started_stops_when_told(tmp_path: Path) -> None:
    with running("sabnzbd", CASES["sabnzbd"], tmp_path) as service:
        docker("stop", "--time", "120", service.container)
        assert json.loads(docker("inspect", service.container))[0]["State"]["ExitCode"] != 137


def test_transmission_is_healthy_after_150_questions_and_does_not_lock_its_owner_out(tmp_path: Path) -> None:
    case, head = CASES["transmission"], catalog.load()[0].services["transmission"]
    with running("transmission", case, tmp_path) as service:
        until(lambda: answers(service, case), service)
        probe = health.probe(head, (), "host")._replace(port=service.port)
        assert {probes.ask(probe) for _ in range(150)} == {""}
        inside = " ".join(["i=0; while [ $i -lt 150 ]; do i=$((i + 1));", '"$@" || exit 1;', "done"])
        docker("exec", service.container, "bash", "-c", inside, "bash", *health.check(head, "built")[1:])
        assert service.get("/transmission/rpc", basic("transmission", PASSWORD))[0] == 409


def test_nzbget_lets_in_who_has_the_password(tmp_path: Path) -> None:
    case = CASES["nzbget"]
    with running("nzbget", case, tmp_path) as service:
        until(lambda: answers(service, case), service)
        assert service.get("/jsonrpc/version", basic("nzbget", PASSWORD))[0] == 200
        assert service.get("/jsonrpc/version", basic("nzbget", "tegbzn6789"))[0] == 401


def test_nzbget_without_a_password_does_not_take_the_one_that_everybody_knows(tmp_path: Path) -> None:
    with running("nzbget", Case(6789), tmp_path) as service:
        until(lambda: service.get("/")[0] == 401, service)
        assert service.get("/jsonrpc/version", basic("nzbget", "tegbzn6789"))[0] == 401


def test_qbittorrent_lets_in_who_has_the_password(tmp_path: Path) -> None:
    case = CASES["qbittorrent"]

    def login(password: str) -> bytes:
        from urllib.parse import urlencode

        form = {"Content-Type": "application/x-www-form-urlencoded"}
        words = urlencode({"username": "admin", "password": password})
        return service.get("/api/v2/auth/login", form, words)[1]

    with running("qbittorrent", case, tmp_path) as service:
        until(lambda: answers(service, case), service)
        assert login(PASSWORD) == b"Ok."
        assert login("adminadmin") == b"Fails."


def test_sabnzbd_takes_its_key_and_answers_to_its_name(tmp_path: Path) -> None:
    case = CASES["sabnzbd"]
    with running("sabnzbd", case, tmp_path) as service:
        until(lambda: answers(service, case), service)
        status, body = service.get(f"/api?mode=get_config&section=misc&output=json&apikey={KEY}")
        misc = json.loads(body)["config"]["misc"]
        assert (status, misc["complete_dir"]) == (200, "/data/usenet/complete")
        assert b"API Key" in service.get("/api?mode=queue&apikey=wrong")[1]
        assert service.get("/api?mode=version", {"Host": "sabnzbd:8080"})[0] == 200
        assert service.get("/api?mode=version", {"Host": "elsewhere.example"})[0] == 403


def test_aria2_wants_its_token(tmp_path: Path) -> None:
    case = CASES["aria2"]

    def version(token: str) -> int:
        call = {"jsonrpc": "2.0", "id": "1", "method": "aria2.getVersion", "params": [f"token:{token}"]}
        return service.get("/jsonrpc", {"Content-Type": "application/json"}, json.dumps(call))[0]

    with running("aria2", case, tmp_path) as service:
        until(lambda: answers(service, case), service)
        assert (version(KEY), version("wrong")) == (200, 400)


def test_samba_writes_as_the_user_with_the_mask(tmp_path: Path) -> None:
    case = CASES["samba"]
    client = f"""
from samba import credentials
from samba.samba3 import libsmb_samba_internal as smb, param
loaded = param.get_context(); loaded.load("/etc/samba/smb.conf")
def connect(password):
    who = credentials.Credentials(); who.guess(loaded)
    who.set_username("media"); who.set_password(password); who.set_kerberos_state(credentials.DONT_USE_KERBEROS)
    return smb.Conn("127.0.0.1", "data", lp=loaded, creds=who)
share = connect({PASSWORD!r})
share.mkdir("\\\\media\\\\new"); share.savefile("\\\\media\\\\new\\\\film", b"film")
assert share.loadfile("\\\\media\\\\new\\\\film") == b"film"
try:
    connect("wrong")
except Exception as refused:
    print(refused)
else:
    raise SystemExit("anybody gets in")
"""
    with running("samba", case, tmp_path) as service:
        until(lambda: answers(service, case), service)
        assert "logon is invalid" in docker("exec", "-i", service.container, "python3", "-", text=client)
        folder = service.file("/data") / "media" / "new"
        assert [(p.stat().st_uid, oct(p.stat().st_mode & 0o777)) for p in (folder, folder / "film")] == [
            (USER, "0o750"),
            (USER, "0o640"),
        ]


def test_nfs_serves_or_says_what_the_engine_forbids(tmp_path: Path) -> None:
    head = catalog.load()[0].services["nfs"]
    container = f"hb-nfs-{uuid.uuid4().hex[:8]}"
    docker(
        *("run", "--init", "--detach", "--name", container, "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        *(word for one in head.wants.capabilities for word in ("--cap-add", one)),
        *("--env", f"PUID={USER}", "--volume", f"{tmp_path}:/data", "--publish", "127.0.0.1::2049", made("nfs")),
    )

    def settled() -> bool:
        state = json.loads(docker("inspect", container))[0]["State"]
        said = subprocess.run(["docker", "logs", container], capture_output=True, text=True, timeout=60)
        if state["Running"]:
            return "NFS SERVER INITIALIZED" in said.stdout
        assert "this engine forbids name_to_handle_at" in said.stderr
        return bool(state["ExitCode"] == 1)

    try:
        until(settled, Service("nfs", container, 0, tmp_path))
    finally:
        docker("rm", "--force", "--volumes", container)


def test_an_image_that_is_there_is_not_made_again_and_builds_to_the_same_thing() -> None:
    reference = made("node-exporter")
    before = docker("image", "inspect", "--format", "{{.Id}}", reference)
    images.build("node-exporter", tag=reference, base=images.base(str), report=str)
    assert docker("image", "inspect", "--format", "{{.Id}}", reference) == before


def test_a_recipe_that_fails_says_at_which_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from usenet.adapters import templates
    from usenet.domain.errors import SystemFailure

    (tmp_path / "images" / "broken").mkdir(parents=True)
    (tmp_path / "images" / "broken" / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\nRUN echo reason >&2; exit 7\n")
    monkeypatch.setattr(templates, "root", lambda: tmp_path)
    with pytest.raises(SystemFailure, match=r"image of broken can't be made: .*exit code: 7") as failure:
        images.build("broken", tag="usenet/broken:hb-test", base=images.base(str), report=str)
    assert "docker build" in failure.value.hint
