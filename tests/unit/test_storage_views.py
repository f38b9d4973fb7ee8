"""What a person reads of the drives: whole lines in the help, tables that fit, and no failure where nothing failed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from usenet.actions import storage
from usenet.actions.storage import Changed, Row, watch
from usenet.actions.storage.status import DriveStatus, PoolStatus, StorageStatus, Usage
from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.cli.main import run
from usenet.cli.root import COMMANDS
from usenet.cli.storage import findings, health, taken
from usenet.domain.storage.converge import Finding
from usenet.domain.storage.health import State, Word
from usenet.domain.storage.steps import Guard, Step, Unmount

LONG = "2c3ed24b-ad34-4531-8092-762dc8f2"
ROOM = Usage(size=200 << 20, used=15 << 10, available=180 << 20)


@pytest.fixture
def home(tmp_path: Path) -> str:
    (tmp_path / "usenet.yaml").write_text("name: films\n")
    return str(tmp_path)


@pytest.mark.parametrize("words", [*((noun,) for noun in COMMANDS), ("storage", "pool")])
def test_no_line_of_the_help_is_cut_off(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run([*words, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line for line in lines if line.endswith("...") or len(line) > 80] == []


def drive(name: str, state: State) -> DriveStatus:
    return DriveStatus(
        drive=name, state=state, why="", well=True, path=f"/srv/usenet/data/drives/{name}",
        device="/dev/sdb1", type="ext4", role="media", usage=ROOM, fill=0.0,
    )  # fmt: skip


def test_the_table_of_drives_fits_a_narrow_terminal_and_says_where_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(console, "on_terminal", lambda: True)
    data = "/srv/usenet/data"
    pool = PoolStatus(
        path=f"{data}/drives/pool", state="mounted", policy="mfs", drives=(LONG,), away=(), usage=ROOM, fill=0.0
    )
    told = (drive(LONG, "read-only"), drive("films", "not mounted"))
    health._status(StorageStatus(data=data, usage=ROOM, fill=0.0, drives=told, pool=pool))
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[:2] == [LONG, "read-only"] for line in lines)
    assert any("films" in line and "not mounted" in line and "200 MiB" in line for line in lines)
    assert f"(data) is {data}" in lines
    assert any(line.startswith(f"(pool) is {data}/drives/pool: {LONG}") for line in lines)
    assert max(map(len, lines[: lines.index(f"(data) is {data}")])) <= 80


def test_the_table_of_drives_has_their_places_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    health._status(StorageStatus(data="/d", usage=None, fill=None, drives=(drive("films", "mounted"),), pool=None))
    head, data, films = capsys.readouterr().out.splitlines()
    assert head.split()[-1] == "where"
    assert data.endswith("/d")
    assert films.endswith("/srv/usenet/data/drives/films")


@pytest.mark.parametrize("json", [False, True])
def test_a_watch_that_a_person_ends_has_not_failed(
    json: bool, home: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ended(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(watch, "watch", ended)
    assert run(["--home", home, "storage", "watch", *(["--json"] if json else [])]) == 130
    told = capsys.readouterr()
    assert told.err == ""
    assert told.out == ("" if json else "no longer watching\n")


def test_a_policy_must_be_named(home: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--home", home, "storage", "pool", "policy"]) == 2
    assert "usenet storage pool show" in capsys.readouterr().err


def test_what_stays_wrong_is_a_problem_and_not_the_failure_of_the_verb(capsys: pytest.CaptureFixture[str]) -> None:
    findings.tell([Finding(drive="films", what="it is away", cure="plug it in"), Finding(drive="pool", what="full")])
    assert capsys.readouterr().err == "problem: films: it is away; plug it in\nproblem: pool: full\n"


def test_a_dry_run_shows_each_step_with_its_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(FLAGS, "dry_run", True)
    taken.tell((Unmount(target="/d/a"), Guard(path="/d/b")), (), "films: removed")
    marks = ("unmount /d/a", "  umount /d/a", "make the mountpoint /d/b", "  chattr +i /d/b")
    out = capsys.readouterr().out
    assert sorted(marks, key=out.index) == list(marks)
    assert "removed" not in out
    taken.tell((), (), "films: removed")
    assert capsys.readouterr().out == "nothing to do\n"


@pytest.mark.parametrize(("steps", "words"), [((), "films: in the stack already\n"), ((Guard(path="/d"),), "added\n")])
def test_a_drive_that_is_there_already_is_not_said_to_be_added(
    steps: tuple[Step, ...], words: str, home: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(storage, "add", lambda *_, **__: Changed(name="films", steps=steps))
    assert run(["--home", home, "storage", "add", "films"]) == 0
    assert capsys.readouterr().out.endswith(words)


def test_a_size_that_nobody_knows_is_empty(
    home: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away = Row(
        name="films", device="", type="ext4", label="", uuid="u", model="", serial="", bus="", size=0, used=None,
        smart=Word(), state="away",
    )  # fmt: skip
    monkeypatch.setattr(storage, "listed", lambda *_, **__: ([away], 0))
    assert run(["--home", home, "storage", "list"]) == 0
    assert "0 B" not in capsys.readouterr().out


def test_the_list_says_in_a_word_what_the_drive_says_and_json_why(
    home: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = Row(
        name="films", device="/dev/sdb1", type="ext4", label="", uuid="u", model="", serial="", bus="", size=1,
        used=None, smart=Word("signs", "/dev/sdb: 8 moved sectors"), state="mounted",
    )  # fmt: skip
    monkeypatch.setattr(storage, "listed", lambda *_, **__: ([row], 3))
    assert run(["--home", home, "storage", "list"]) == 0
    _, films, more = capsys.readouterr().out.splitlines()
    assert films.split()[-2:] == ["signs", "mounted"]
    assert more.startswith("3 more")
    assert run(["--home", home, "storage", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["smart"] == {"state": "signs", "why": "/dev/sdb: 8 moved sectors"}
