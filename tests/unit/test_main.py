"""The command as typed: exit codes, errors in two forms, flags anywhere, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import usenet

BUG = "raise RuntimeError('broken API_KEY=hunter2')"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    (made / "usenet.yaml").write_text("services: {prowlarr: }\n")
    return made


def run(*words: str, code: int, program: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `usenet`, or a small program around it, as a person would; without a terminal on stdin."""
    argv = [sys.executable, "-c", program, *words] if program else [sys.executable, "-m", "usenet", *words]
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "DOCKER_HOST": "unix:///nonexistent/docker.sock", **environment},
    )
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def error(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(done.stdout)["error"]
    assert done.stderr == ""
    return told


def test_version() -> None:
    assert run("--version", code=0).stdout == f"usenet {usenet.__version__}\n"


@pytest.mark.parametrize("words", [(), ("services",), ("images",), ("config",), ("hardware",)])
def test_a_noun_alone_shows_its_verbs(words: tuple[str, ...]) -> None:
    done = run(*words, code=2)
    assert "Usage: usenet" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nonsense",), "No such command 'nonsense'"),
        (("services", "nonsense"), "No such command 'nonsense'"),
        (("services", "list", "--nonsense"), "No such option: --nonsense"),
        (("services", "exec"), "Missing argument"),
        (("services", "logs", "--tail"), "requires an argument"),
        (("services", "up", "--timeout", "x"), """Invalid value for '--timeout': expected a number, found "x\""""),
        (("init", "--uid", "1.5"), """Invalid value for '--uid': expected a whole number, found "1.5\""""),
    ],
)
def test_words_that_do_not_fit(words: tuple[str, ...], message: str) -> None:
    done = run(*words, code=2)
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert "\nhint:  see: usenet" in done.stderr
    assert "Traceback" not in done.stderr
    told = error(run(*words, "--json", code=2)) if "--tail" not in words else error(run("--json", *words, code=2))
    assert told["code"] == 2
    assert message in told["message"]


@pytest.mark.parametrize(
    ("text", "words", "code", "message"),
    [
        ("services: {prowlar: }\n", ("services", "plan"), 3, "there is no service 'prowlar'"),
        ("serices: {}\n", ("services", "plan"), 4, "serices"),
        ("services: [\n", ("services", "plan"), 4, "usenet.yaml"),
        ("services: {sonarr: {port: 9696}, prowlarr: }\n", ("services", "plan"), 3, "both want port 9696"),
        ("services: {prowlarr: }\n", ("services", "up"), 5, "no container engine answers"),
        ("services: {prowlarr: }\n", ("services", "status"), 4, "no stack was written"),
        ("services: {prowlarr: }\n", ("services", "enable", "prowlar"), 3, "did you mean prowlarr"),
    ],
)
def test_each_kind_of_failure_has_its_code(
    home: Path, text: str, words: tuple[str, ...], code: int, message: str
) -> None:
    (home / "usenet.yaml").write_text(text + "images: pull\n")
    done = run("--home", str(home), *words, code=code)
    assert message in done.stderr
    assert "hint:  " in done.stderr
    assert "Traceback" not in done.stderr
    told = error(run("--home", str(home), *words, "--json", code=code))
    assert told["code"] == code
    assert message in f"{told['path']} {told['message']} {told['hint']}"
    assert not (home / "stack").exists()


@pytest.mark.parametrize("words", [("services", "up"), ("config", "get"), ("images", "load")])
def test_help_has_no_types_of_python_in_it(words: tuple[str, ...]) -> None:
    assert "<" not in run(*words, "--help", code=0).stdout


def test_no_stack_directory(tmp_path: Path) -> None:
    done = run("--home", str(tmp_path / "none"), "services", "plan", code=4)
    assert "there is no usenet.yaml in" in done.stderr
    assert "usenet init" in done.stderr


@pytest.mark.parametrize("place", range(3))
def test_flags_hold_wherever_they_stand(home: Path, place: int) -> None:
    words = ["services", "list"]
    words[place:place] = ["--json", "--home", str(home)]
    rows = json.loads(run(*words, code=0).stdout)
    assert rows


def test_verbose_shows_where(home: Path) -> None:
    (home / "usenet.yaml").write_text("services: {nonsense: }\n")
    done = run("-v", "--home", str(home), "services", "plan", code=3)
    assert "Traceback" in done.stderr
    assert "error: usenet.yaml: services/nonsense: there is no service" in done.stderr


PATCHED = f"""
import sys
from usenet.actions import services
def listed(*words):
    {BUG}
services.listed = listed
from usenet.cli.main import main
main()
"""


def test_a_bug_leaves_a_report_without_secrets(home: Path, tmp_path: Path) -> None:
    (home / ".env").write_text("API_KEY=hunter2\n")
    words = ("--home", str(home), "services", "list")
    done = run(*words, code=70, program=PATCHED, XDG_STATE_HOME=str(tmp_path / "state"))
    assert "error: this is a bug in usenet: RuntimeError" in done.stderr
    assert "Traceback" not in done.stderr
    (report,) = (tmp_path / "state" / "usenet").glob("report-*.txt")
    assert str(report) in done.stderr
    assert "RuntimeError" in report.read_text()
    assert "hunter2" not in report.read_text() + done.stderr + done.stdout
    assert report.stat().st_mode & 0o777 == 0o600
    told = error(run(*words, "--json", code=70, program=PATCHED, XDG_STATE_HOME=str(tmp_path / "state")))
    assert told["code"] == 70


def test_a_reader_that_goes_away_is_no_bug(home: Path) -> None:
    """`usenet services list --json | head -1`"""
    read, write = os.pipe()
    argv = [sys.executable, "-m", "usenet", "--home", str(home), "services", "list", "--json"]
    process = subprocess.Popen(argv, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    os.close(read)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert told == ""


def test_stdin_closed(home: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    script = f"exec '{sys.executable}' -m usenet init --home '{new}' <&-"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stderr
    assert "there is no terminal" in done.stderr
    assert "--yes" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (new / "usenet.yaml").exists()


def test_version_as_json() -> None:
    for words in (("--version", "--json"), ("--json", "--version")):
        assert json.loads(run(*words, code=0).stdout) == {"version": usenet.__version__}


FULL = "error: the output can't be written: No space left on device\n"


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ("services list >&-", 0, ""),
        ("services list >/dev/full", 5, FULL),
        ("services list --json >/dev/full", 5, FULL),
        ("services list 2>/dev/full >/dev/full", 5, ""),
        ("services list >&- 2>&-", 0, ""),
        ("services status --json >/dev/full", 5, FULL),
        ("services status 2>/dev/full", 5, ""),
        ("services url --json >/dev/full", 5, FULL),
        ("services nothing --json >/dev/full", 5, FULL),
        ("hardware list >&-", 0, ""),
        ("hardware list >/dev/full", 5, FULL),
    ],
)
def test_an_output_that_takes_nothing_is_no_bug(home: Path, words: str, code: int, told: str, buffered: bool) -> None:
    script = f"exec '{sys.executable}' {'' if buffered else '-u'} -m usenet --home '{home}' {words}"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=60, env=environment)
    assert (done.returncode, done.stderr) == (code, told)


def planned(home: Path) -> Path:
    """A stack of one service that was written, and never started."""
    port = {"address": "127.0.0.1", "host": 1, "container": 1, "protocol": "tcp", "use": "page"}
    probe = {"kind": "http", "address": "127.0.0.1", "port": 1, "path": "/", "status": []}
    grant = {"title": "A", "group": "media", "image": "a:1", "ports": [port], "probe": probe}
    (home / "stack").mkdir(exist_ok=True)
    text = json.dumps({"project": "x", "grants": {"sonarr": grant}, "files": []})
    (home / "stack" / "plan.json").write_text(text)
    return home


def status(home: Path, *words: str, engine: str = "unix:///nonexistent/docker.sock") -> tuple[int, str]:
    command = [sys.executable, "-m", "usenet", "--home", str(home), "services", "status", *words]
    environment = {**os.environ, "DOCKER_HOST": engine}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    return done.returncode, done.stderr


def test_a_wrong_name_is_told_before_a_missing_engine(home: Path) -> None:
    code, told = status(planned(home), "sonar")
    assert (code, "did you mean sonarr?" in told) == (3, True), told
    code, told = status(home, "sonarr")
    assert (code, "no container engine answers" in told) == (5, True), told


@pytest.mark.parametrize("engine", ["tcp://[::1", "tcp://h:abc", "ssh://h"])
def test_an_engine_at_no_address_is_told(home: Path, engine: str) -> None:
    code, told = status(planned(home), engine=engine)
    assert (code, f"DOCKER_HOST={engine} is not supported" in told) == (5, True), told


def test_a_stack_that_can_not_be_read_is_no_bug(home: Path) -> None:
    (home / "stack" / "plan.json").mkdir(parents=True)
    code, told = status(home)
    assert (code, "can't be read: Is a directory" in told) == (5, True), told
