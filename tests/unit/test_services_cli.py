"""The services verbs as typed, where no engine is needed: dry runs, groups, the order of the list, tables."""

from __future__ import annotations

import errno
import json
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
from fcntl import ioctl
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests import stacks
from tests.unit.test_main import run
from usenet.adapters import sockets, stack
from usenet.adapters.home import Home

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A stack that was written and isn't run."""
    made = tmp_path / "home"
    made.mkdir()
    (made / "usenet.yaml").write_text("images: pull\nservices: {sonarr: , prowlarr: , qbittorrent: }\n")
    found = stacks.plan(stacks.HOSTS["vm-bare"], stacks.settings(("sonarr", "prowlarr", "qbittorrent")))
    stack.write(Home(made), stacks.stack(stacks.HOSTS["vm-bare"], found).files, ())
    return made


def compose(home: Path, *words: str) -> list[str]:
    directory = str(home / "stack")
    options = ["--project-name", "usenet", "--project-directory", directory, "-f", f"{directory}/compose.yaml"]
    return ["docker", "compose", "--ansi", "never", *options, *words]


def both(home: Path, *words: str) -> list[list[str]]:
    """The commands of a dry run, the same for a person and in JSON; nothing is changed by it."""
    before = {path: path.lstat().st_mtime_ns for path in home.rglob("*")}
    flags = ("--home", str(home), "-n")
    printed = run(*flags, *words, code=0).stdout
    told: list[list[str]] = json.loads(run(*flags, "--json", *words, code=0).stdout)["commands"]
    assert [shlex.split(line) for line in printed.splitlines()] == told
    assert {path: path.lstat().st_mtime_ns for path in home.rglob("*")} == before
    return told


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (("stop",), ("stop",)),
        (("start", "sonarr"), ("start", "sonarr")),
        (("restart", "sonarr", "prowlarr", "sonarr"), ("restart", "sonarr", "prowlarr")),
        (("stop", "sonarr", "--group", "download"), ("stop", "sonarr", "qbittorrent")),
        (("down",), ("down",)),
        (("down", "sonarr"), ("rm", "--stop", "--force", "sonarr")),
        (("exec", "sonarr", "ls", "a b"), ("exec", "-T", "sonarr", "ls", "a b")),
    ],
)
def test_a_dry_run_prints_the_command_and_runs_nothing(
    home: Path, words: tuple[str, ...], command: tuple[str, ...]
) -> None:
    assert both(home, "services", *words) == [compose(home, *command)]


def test_what_is_off_is_told_from_what_there_is_not(home: Path) -> None:
    off = run("--home", str(home), "services", "stop", "jellyfin", code=3).stderr
    assert off == "error: this stack: jellyfin is off\nhint:  usenet services enable jellyfin\n"
    assert "did you mean jellyfin?" in run("--home", str(home), "services", "stop", "jelyfin", code=3).stderr


def changed(home: Path, *words: str) -> list[str]:
    told: dict[str, Any] = json.loads(run("--home", str(home), "--json", "services", *words, code=0).stdout)
    return list(told["changed"])


def test_a_group_is_turned_on_without_what_is_retired_and_off_again(home: Path) -> None:
    assert changed(home, "enable", "caddy", "--group", "automation", "-n") != []
    assert not (home / ".usenet").exists()  # not even the lock's file
    on = changed(home, "enable", "caddy", "--group", "automation")
    current = {n for n, s in stacks.catalog().services.items() if s.group == "automation" and not s.retired}
    assert {*on} == {*current, "caddy"} - {"sonarr", "prowlarr"}
    assert {*changed(home, "disable", "-g", "automation")} == current
    assert "no service is named" in run("--home", str(home), "services", "enable", code=2).stderr
    assert "there is no group 'x'" in run("--home", str(home), "services", "enable", "-g", "x", code=3).stderr


def test_the_list_has_the_groups_in_the_order_of_the_page(home: Path) -> None:
    rows = json.loads(run("--home", str(home), "--json", "services", "list", code=0).stdout)
    page = re.findall(r"^## (\w+)$", (ROOT / "docs" / "services.md").read_text(), re.MULTILINE)
    groups = [group for group, _ in groupby(row["group"] for row in rows)]
    assert groups == [title.lower() for title in page if title.lower() in groups]
    assert groups[0] == "media"


def test_logs_that_never_end_are_no_document(home: Path) -> None:
    assert "leave one of the two out" in run("--home", str(home), "services", "logs", "-f", "--json", code=2).stdout


def test_verbose_shows_each_command_before_it_is_run() -> None:
    told = run("hardware", "list", "-v", code=0).stderr.splitlines()
    assert "lsblk --json -b -O" in told
    assert run("hardware", "list", code=0).stderr == ""


def on_screen(columns: int, *words: str) -> list[str]:
    """The lines that a person sees on a terminal of this width."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    environment |= {"DOCKER_HOST": "unix:///nonexistent/docker.sock", "TERM": "xterm", "NO_COLOR": "1"}
    argv = [sys.executable, "-m", "usenet", *words]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    seen = b""
    try:
        while more := os.read(ours, 65536):
            seen += more
    except OSError as end:
        if end.errno != errno.EIO:  # how a terminal ends whose other side was closed
            raise
    os.close(ours)
    assert process.wait(60) == 0, seen.decode()
    return [re.sub(r"\x1b\[[0-9;?]*\w", "", line).rstrip() for line in seen.decode().splitlines()]


@pytest.mark.parametrize(("columns", "image"), [(80, False), (200, True)])
def test_a_plan_fits_the_screen(home: Path, columns: int, *, image: bool) -> None:
    lines = on_screen(columns, "--home", str(home), "services", "plan")
    start = next(n for n, line in enumerate(lines) if "starts after" in line)
    assert ("image" in lines[start]) is image
    services = [line.split()[0] for line in lines[start + 2 : start + 5]]
    assert sorted(services) == ["prowlarr", "qbittorrent", "sonarr"]  # one line each
    assert any("9696" in line for line in lines[start : start + 5])


def test_a_page_for_all_has_an_address_for_others(home: Path) -> None:
    here = {"sonarr": {"url": "http://localhost:8989/", "lan": ""}}
    assert json.loads(run("--home", str(home), "--json", "services", "url", "sonarr", code=0).stdout) == here
    found = stacks.plan(stacks.HOSTS["vm-bare"], stacks.settings(("sonarr",), publish="lan"))
    stack.write(Home(home), stacks.stack(stacks.HOSTS["vm-bare"], found).files, ())
    lan = sockets.lan_address()
    here["sonarr"]["lan"] = f"http://{lan}:8989/" if lan else ""
    assert json.loads(run("--home", str(home), "--json", "services", "url", code=0).stdout) == here
    printed = run("--home", str(home), "services", "url", code=0).stdout
    assert printed.split()[-2 if lan else -1 :] == [part for part in here["sonarr"].values() if part]


def test_what_up_would_run_can_be_pasted_into_a_shell(tmp_path: Path) -> None:
    home = tmp_path / "my films"
    home.mkdir()
    (home / "usenet.yaml").write_text("images: pull\nservices: {prowlarr: }\n")
    printed = run("--home", str(home), "services", "up", "-n", code=0).stdout
    commands = [shlex.split(line) for line in printed.splitlines() if line.startswith("    ")]
    assert str(home / "config" / "prowlarr") in next(c for c in commands if c[0] == "install" and "0750" in c)
    assert str(home / "stack" / "compose.yaml") in commands[-1]


def test_the_cure_for_images_that_cannot_be_had_works_with_the_verb_that_was_typed(tmp_path: Path) -> None:
    (tmp_path / "usenet.yaml").write_text("images: build\nservices: {jellyfin: }\n")
    refused = run("--home", str(tmp_path), "services", "up", "-n", code=5).stderr
    for cure in ("usenet services up --available", "usenet deploy --available"):
        assert cure in refused
        run("--home", str(tmp_path), *cure.split()[1:], "-n", code=0)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("services", "plan", "--available"), "left out: jellyfin, sonarr: {}"),
        (("services", "up", "--available", "-n"), "warning: left out: jellyfin, sonarr: {}"),
        (("images", "save", "stack.tar", "-n"), "warning: not in the file: jellyfin, sonarr: {}"),
        (("images", "list"), "jellyfin, sonarr: can't be had: {}"),
    ],
)
def test_services_that_cannot_be_had_for_one_reason_share_a_line(
    tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    other = "prometheus: , " if words[1] == "save" else ""  # what can be had: without it there is nothing to save
    (tmp_path / "usenet.yaml").write_text(f"images: build\nservices: {{jellyfin: , {other}sonarr: }}\n")
    done = run("--home", str(tmp_path), *words, code=0)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "jellyfin" in line or "sonarr" in line]
    assert lines == [told.format("there is no recipe to make its image here; it comes from a registry only")]


def test_a_stack_without_services_says_so(tmp_path: Path) -> None:
    (tmp_path / "usenet.yaml").touch()
    told = "no service is on: switch one on with: usenet services enable NAME; see them with: usenet services list\n"
    assert told in run("--home", str(tmp_path), "services", "plan", code=0).stdout
    assert run("--home", str(tmp_path), "services", "up", "-n", code=0).stderr == f"warning: {told}"


@pytest.mark.parametrize("seconds", ["-5", "nan"])
def test_a_wait_is_a_time(tmp_path: Path, seconds: str) -> None:
    for words in (("services", "up"), ("deploy", "--yes")):
        refused = run("--home", str(tmp_path), *words, "--timeout", seconds, code=2).stderr
        assert refused == f"error: --timeout: expected seconds, more than 0; found {seconds}\n"
    assert list(tmp_path.iterdir()) == []


def test_a_dry_deploy_of_a_new_stack_has_its_settings_as_first_step(tmp_path: Path) -> None:
    words = ("--home", str(tmp_path), "deploy", "--yes", "-n", "--services", "prowlarr", "--json")
    first, *others = json.loads(run(*words, code=0).stdout)
    assert first["what"] == f"write {tmp_path}/usenet.yaml"
    assert others[-1]["what"] == "wait until healthy: prowlarr"
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_says_what_only_the_person_can_fill_in(tmp_path: Path) -> None:
    (tmp_path / "usenet.yaml").write_text("images: pull\nservices: {cloudflared: }\n")
    words = ("--home", str(tmp_path), "services", "up", "-n")
    told = (
        f"warning: {tmp_path}/.env: CLOUDFLARE_TUNNEL_TOKEN must be filled in by you: cloudflared can't run without; "
    )
    assert run(*words, code=0).stderr.startswith(told)
    (tmp_path / ".env").write_text("CLOUDFLARE_TUNNEL_TOKEN=x\n")
    assert run(*words, code=0).stderr == ""


def test_a_dry_run_needs_no_engine_where_images_are_made_here(tmp_path: Path) -> None:
    (tmp_path / "usenet.yaml").write_text("images: build\nservices: {prometheus: }\n")
    for words in (("services", "up"), ("images", "build"), ("images", "build", "prometheus"), ("services", "pull")):
        printed = run("--home", str(tmp_path), *words, "-n", code=0).stdout
        assert "docker build --tag usenet/prometheus:" in printed


def test_an_image_that_is_only_made_here_is_not_looked_for_in_a_registry(home: Path) -> None:
    refused = run("--home", str(home), "images", "pull", "nfs", "-n", code=3).stderr
    assert "no registry has the image of nfs: it is only made here" in refused
    assert "usenet images build nfs" in refused


@pytest.mark.parametrize("words", [("images", "pull"), ("services", "pull"), ("images", "save", "stack.tar")])
def test_without_an_engine_no_image_is_tried(home: Path, words: tuple[str, ...]) -> None:
    refused = run("--home", str(home), *words, code=5)
    assert refused.stdout == ""
    assert refused.stderr.startswith("error: no container engine answers (")


def test_help_says_what_the_stack_directory_is_by_default() -> None:
    told = " ".join(run("services", "list", "--help", code=0).stdout.split())
    assert "Default: $USENET_HOME, the nearest with a usenet.yaml, ~/usenet; for root /srv/usenet." in told
