"""storage watch on real drives, beside real containers: they come, are pulled while written to, and return."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Stack, docker, free_port
from tests.integration.drives import Bench, Loop, back, call, inside, mounted, put, running, shared_stack, unmount
from tests.integration.watches import Watch, watching
from tests.waiting import wait

pytestmark = [pytest.mark.engine, pytest.mark.slow]

EVENTS = ("added", "removed", "lost", "returned")
HOOK = """#!/bin/sh
echo "$USENET_EVENT $USENET_DRIVE $USENET_PATH $USENET_UUID" >> {log}
exit 3
"""
WRITER = "while :; do echo x >> /data/drives/films/log && sync /data/drives/films/log; sleep 0.1; done"


@pytest.fixture
def home(bench: Bench, make_stack: Callable[..., Stack]) -> Stack:
    """A stack whose data root is shared, with a hook for each event."""
    stack = shared_stack(bench, make_stack)
    for event in EVENTS:
        folder = stack.home / "hooks" / "storage" / f"{event}.d"
        folder.mkdir(parents=True)
        (folder / "10-note").write_text(HOOK.format(log=stack.home / "hooked"))
        (folder / "10-note").chmod(0o755)
    return stack


def hooked(stack: Stack) -> list[str]:
    try:
        return (stack.home / "hooked").read_text().splitlines()
    except FileNotFoundError:
        return []


def take_out(stack: Stack, watch: Watch, name: str, drive: Loop) -> None:
    """Unmount and unplug a drive as a careful person does."""
    kinds = [kind for kind, one in watch.events() if one == name]
    unmount(stack.home / "data" / "drives" / name)
    watch.said(lambda: [k for k, n in watch.events() if n == name] == [*kinds, "removed"], f"{name} removed")
    drive.unplug()


def test_a_known_drive_appears_in_a_container_that_goes_on_running(bench: Bench, home: Stack) -> None:
    container = running(home)
    before = home.containers()
    films, music = bench.drive(), bench.drive("xfs")
    put(films, "film.mkv", "a film")
    put(music, "song.flac", "a song", "xfs")
    uuid = films.uuid
    home.run("storage", "add", films.device, "--name", "films")
    home.run("storage", "add", music.device, "--name", "music")
    with watching(home) as watch:
        take_out(home, watch, "films", films)
        take_out(home, watch, "music", music)
        films.plug()
        music.plug()
        watch.until("added", "films")
        watch.until("added", "music")
        assert inside(container, "cat /data/drives/films/film.mkv") == (0, "a film")
        assert inside(container, "touch /data/drives/music/new") == (0, "")
        path = home.home / "data" / "drives" / "films"
        wait(lambda: f"added films {path} {uuid}" in hooked(home), lambda: f"no hook: {hooked(home)}")
        watch.text("hook 10-note failed with code 3")
        for count in (2, 3, 4):  # taken out in the moment that it was told to be there
            take_out(home, watch, "films", films)
            films.plug()
            watch.said(lambda count=count: watch.events().count(("added", "films")) == count, "added again")
    assert home.containers() == before


def test_what_a_person_unmounted_is_not_mounted_again_until_it_is_plugged_in(bench: Bench, home: Stack) -> None:
    films, music = bench.drive(), bench.drive()
    home.run("storage", "add", films.device, "--name", "films")
    home.run("storage", "add", music.device, "--name", "music")
    place = str(home.home / "data" / "drives" / "films")
    with watching(home) as watch:
        unmount(Path(place))
        watch.until("removed", "films")
        take_out(home, watch, "music", music)
        music.plug()
        watch.until("added", "music")
        assert place not in mounted()
        films.unplug()
        films.plug()
        watch.until("added", "films")
        assert place in mounted()


def test_a_drive_that_is_pulled_while_it_is_written_to(bench: Bench, home: Stack) -> None:
    container = running(home)
    before = home.containers()
    cable = bench.cable()
    films, music = bench.drive(cable=cable), bench.drive()
    for name, drive in (("films", films), ("music", music)):
        put(drive, "there", name)
        home.run("storage", "add", drive.device, "--name", name)
    place = home.home / "data" / "drives" / "films"
    with watching(home) as watch:
        docker("exec", "-d", container, "sh", "-c", WRITER)
        wait((place / "log").exists, lambda: "nothing is written")
        cable.pull()
        watch.until("lost", "films")
        wait(lambda: str(place) not in mounted(), lambda: "the dead mount is still there")
        assert inside(container, "echo lost > /data/drives/films/stray")[0] != 0
        assert list(place.iterdir()) == [], "not a byte on the disk of the machine"
        assert inside(container, "cat /data/drives/music/there && touch /data/drives/music/new") == (0, "music")
        back(films, cable)
        watch.until("returned", "films")
        assert inside(container, "cat /data/drives/films/there && touch /data/drives/films/new") == (0, "films")
        assert ("lost", "music") not in watch.events()
    assert home.containers() == before


@contextmanager
def hearing(*, status: int = 200) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """A web hook; its port, and what it was told."""
    told: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port, told
    finally:
        server.shutdown()
        server.server_close()


def nzbget_paused(stack: Stack, port: int) -> bool:
    """What NZBGet itself says."""
    import urllib.request

    env = dict(line.split("=", 1) for line in (stack.home / ".env").read_text().splitlines() if "=" in line[1:])
    question = urllib.request.Request(f"http://127.0.0.1:{port}/nzbget:{env['NZBGET_PASSWORD']}/jsonrpc/status")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(question, timeout=60) as answer:
        return bool(json.load(answer)["result"]["DownloadPaused"])


def test_who_can_do_nothing_without_the_drive_waits_for_it(bench: Bench, home: Stack) -> None:
    cable = bench.cable()
    films = bench.drive(cable=cable)
    home.run("storage", "add", films.device, "--name", "films")
    home.service("library", role="pool-dependent", wants={"memory": "16M", "data": "write"})
    home.service("page")
    port = free_port()
    settings = (home.home / "usenet.yaml").read_text()
    with hearing(status=500) as (hook, told):
        (home.home / "usenet.yaml").write_text(
            settings.replace("services: {}", "")
            + f"services:\n  library: {{port: {free_port()}}}\n  page: {{port: {free_port()}}}\n"
            + f"  nzbget: {{port: {port}}}\n"
        )
        home.run("config", "set", "storage.webhook", "${HOOK}")
        home.run("services", "up")
        with (home.home / ".env").open("a") as env:
            env.write(f"HOOK=http://127.0.0.1:{hook}/secret-path\n")
        before = home.containers()
        with watching(home) as watch:
            docker("exec", "-d", before["library"][0], "sh", "-c", WRITER)
            wait((home.home / "data" / "drives" / "films" / "log").exists, lambda: "nothing is written")
            cable.pull()
            watch.until("lost", "films")
            watch.text("paused nzbget")
            watch.text("stopped library")
            assert nzbget_paused(home, port)
            assert (home.state("library"), home.state("page")) == ("exited", "running")
            wait(lambda: told != [], lambda: "the webhook was never called")
            assert (told[0]["event"], told[0]["drive"]) == ("lost", "films")
            watch.text("webhook: answered 500")
            assert "secret-path" not in json.dumps(watch.told)
        # That watch was killed; the next one knows what it has to set going again.
        with watching(home) as watch:
            back(films, cable)
            watch.until("returned", "films")
            watch.text("started library")
            watch.text("resumed nzbget")
            assert not nzbget_paused(home, port)
            assert home.state("library") == "running"
        after = home.containers()
    assert (after["page"], after["nzbget"]) == (before["page"], before["nzbget"])


def test_a_drive_that_was_emptied_meanwhile_is_not_shown(bench: Bench, home: Stack) -> None:
    films, place = bench.drive(), home.home / "data" / "drives" / "films"
    home.run("storage", "add", films.device, "--name", "films")
    with watching(home) as watch:
        take_out(home, watch, "films", films)
        call("debugfs", "-w", "-R", "rm /.usenet-drive.json", str(films.image))
        films.plug()
        watch.text("films has no marker")
        assert str(place) not in mounted()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
@pytest.mark.parametrize("words", [("storage", "watch"), ("agent", "run")], ids=" ".join)
def test_it_ends_when_it_is_told_to(home: Stack, number: int, code: int, words: tuple[str, str]) -> None:
    process = home.begin("--json", *words)
    watch = Watch(process)
    watch.text("watching")
    process.send_signal(number)
    assert process.wait(60) == code
    with watching(home):
        pass


def test_there_is_one_watch_of_a_stack_and_it_does_not_stand_in_the_way(home: Stack) -> None:
    with watching(home) as watch:
        second = home.run("storage", "watch", code=1)
        assert f"by process {watch.process.pid}" in second.stderr
        home.run("config", "set", "timezone", "Europe/Berlin")
