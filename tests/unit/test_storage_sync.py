"""usenet storage sync as a whole, against stand-ins: all or nothing, nothing twice, nothing of a person's."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.arr_server import KEY, Fault
from tests.unit import storage_services
from tests.unit.storage_services import Bench
from usenet.actions.storage import sync
from usenet.adapters import rest
from usenet.adapters.storage import roots as disk
from usenet.cli.main import run
from usenet.domain.errors import ConfigError, SystemFailure, UsenetError
from usenet.domain.storage.roots import Added

FILMS = "/data/drives/films/media/movies"
SHOWS = "/data/drives/films/media/tv"


@pytest.fixture
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> Iterator[Bench]:
    with storage_services.bench(tmp_path, monkeypatch, record_property) as made:
        yield made


def test_every_service_knows_every_drive_and_a_second_run_changes_nothing(bench: Bench) -> None:
    own = bench.use("sonarr", "radarr", "lidarr", "readarr", "whisparr")
    (jellyfin,) = bench.use("jellyfin", libraries={"F": "movies", "S": "tvshows", "M": "music", "B": "books"})
    bench.drives("films", "more")
    bench.sync()
    for one, kind in zip(own, ("tv", "movies", "music", "books", "adult"), strict=True):
        assert set(one.folders) == {f"/data/drives/{drive}/media/{kind}" for drive in ("films", "more")}
    assert jellyfin.folders[FILMS] == "F"
    assert len(jellyfin.folders) == 8
    before = {path: path.lstat().st_mtime_ns for path in bench.home.path.rglob("*") if path.name != "lock"}
    for one in (*own, jellyfin):
        one.asked.clear()
    done = bench.sync()
    assert [one.changes for one in (*own, jellyfin)] == [[]] * 6
    assert (done.calls, done.directories) == ((), ())
    assert {p: p.lstat().st_mtime_ns for p in bench.home.path.rglob("*") if p.name != "lock"} == before


def test_directories_are_made_on_the_drive_for_the_group(bench: Bench) -> None:
    bench.use("radarr")
    bench.drives("films")
    done = bench.sync()
    made = bench.home.path / "data/drives/films/media/movies"
    assert done.directories == (str(made),)
    assert stat.S_IMODE(made.stat().st_mode) == 0o2775
    assert not (made.parent / "tv").exists()


def test_nothing_is_made_where_the_drive_is_not_mounted(bench: Bench) -> None:
    (radarr,) = bench.use("radarr")
    bench.drives("films")
    bench.mounted = []
    done = bench.sync()
    assert list((bench.home.path / "data/drives/films").iterdir()) == []
    assert radarr.changes == []
    assert any("the drive is away" in note for note in done.notes)


def test_a_dry_run_shows_the_calls_and_changes_nothing(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    (radarr,) = bench.use("radarr")
    bench.drives("films")
    before = {path: path.lstat().st_mtime_ns for path in bench.home.path.rglob("*")}
    assert run(["--home", str(bench.home.path), "storage", "sync", "--dry-run"]) == 0
    out = capsys.readouterr().out
    url = f"http://127.0.0.1:{radarr.port}/api/v3/rootfolder"
    assert f"make {bench.home.path}/data/drives/films/media/movies\n" in out
    assert f"radarr: POST {url} {FILMS}: the drive films is in the stack\n" in out
    assert radarr.changes == []
    assert {path: path.lstat().st_mtime_ns for path in bench.home.path.rglob("*")} == before


def test_json_is_one_document_without_a_key(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.use("radarr")
    bench.drives("films")
    assert run(["--home", str(bench.home.path), "storage", "sync", "--json", "--verbose"]) == 0
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert told["calls"][0]["path"] == FILMS
    assert KEY not in printed.out + printed.err


@pytest.mark.parametrize("verbose", [(), ("--verbose",)])
def test_no_key_in_an_error_or_a_traceback(
    bench: Bench, capsys: pytest.CaptureFixture[str], verbose: tuple[str, ...]
) -> None:
    (radarr,) = bench.use("radarr")
    bench.drives("films")
    radarr.fail("POST", Fault(400, body=json.dumps([{"errorMessage": f"the key {KEY}"}]).encode()))
    assert run(["--home", str(bench.home.path), *verbose, "storage", "sync"]) == 1
    printed = capsys.readouterr()
    assert KEY not in printed.out + printed.err
    assert "radarr at http" in printed.err


def test_who_is_off_or_does_not_run_is_left_out_with_a_line(bench: Bench) -> None:
    sonarr, radarr = bench.use("sonarr", "radarr")
    bench.drives("films")
    bench.running.remove("sonarr")
    done = bench.sync()
    assert sonarr.asked == []
    assert FILMS in radarr.folders
    assert (done.off, done.asleep) == (("lidarr", "readarr", "whisparr", "jellyfin"), ("sonarr",))


def test_jellyfin_without_a_key_is_left_out_with_its_cure(bench: Bench) -> None:
    (jellyfin,) = bench.use("jellyfin")
    bench.drives("films")
    bench.home.env.write_text("JELLYFIN_API_KEY=\n")
    assert any("JELLYFIN_API_KEY" in note for note in bench.sync().notes)
    assert jellyfin.asked == []


def test_the_key_and_the_url_base_of_config_xml(bench: Bench) -> None:
    (radarr,) = bench.use("radarr", base="/films")
    bench.drives("films")
    bench.home.env.write_text("")
    bench.home.config("radarr").mkdir(parents=True)
    text = f"<Config><ApiKey>{KEY}</ApiKey><UrlBase>/films</UrlBase></Config>"
    (bench.home.config("radarr") / "config.xml").write_text(text)
    bench.sync()
    assert FILMS in radarr.folders


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(403), UsenetError),
        (Fault(404), UsenetError),
        (Fault(400), UsenetError),
        (Fault(409), UsenetError),
        (Fault(429, {"Retry_After": "3600"}), UsenetError),
        (Fault(301, {"Location": "http://127.0.0.1:1/"}), UsenetError),
    ],
)
def test_when_one_fails_what_this_run_added_is_taken_back(bench: Bench, fault: Fault, error: type[Exception]) -> None:
    sonarr, radarr = bench.use("sonarr", "radarr", folders={})
    sonarr.folders, radarr.folders = {"/data/media/tv": 1}, {"/data/media/movies": 1}
    bench.drives("films", "more")
    radarr.fail("POST", Fault(503), Fault(503), fault)
    with pytest.raises(error, match="what was added before that was taken back"):
        bench.sync()
    assert sonarr.folders == {"/data/media/tv": 1}
    assert radarr.folders == {"/data/media/movies": 1}
    assert bench.record == set()
    bench.sync()
    assert {SHOWS, FILMS} <= sonarr.folders.keys() | radarr.folders.keys()


def test_an_add_whose_answer_was_lost_is_taken_back_too(bench: Bench) -> None:
    sonarr, radarr = bench.use("sonarr", "radarr", folders={})
    sonarr.folders, radarr.folders = {}, {}
    bench.drives("films")
    radarr.fail("POST", Fault(500, after=True))
    # The list that would tell whether it was done fails as well, as often as it is asked for; then it is back.
    get = radarr.do

    def down(method: str, path: str, query: Any, body: Any) -> tuple[int, Any]:
        if method == "POST":
            radarr.fail("GET", *[Fault(500)] * (1 + len(rest.PAUSES)) * (1 + len(rest.PAUSES)))
            radarr.fail("POST", *[Fault(500)] * 9)
        if method == "DELETE":
            radarr.faults.clear()
        return get(method, path, query, body)

    radarr.do = down  # type: ignore[method-assign]
    with pytest.raises(UsenetError, match="it answered 500"):
        bench.sync()
    assert sonarr.folders == {}
    assert radarr.folders == {}


def test_what_can_not_be_taken_back_is_said_and_remembered(bench: Bench) -> None:
    sonarr, radarr = bench.use("sonarr", "radarr", folders={})
    sonarr.folders, radarr.folders = {}, {}
    bench.drives("films")
    radarr.fail("POST", Fault(400))
    sonarr.fail("DELETE", *[Fault(500)] * 9)
    with pytest.raises(UsenetError, match=f"still there: sonarr: {SHOWS}"):
        bench.sync()
    assert bench.record == {("sonarr", SHOWS)}


def test_the_pool_takes_the_place_of_its_drives(bench: Bench) -> None:
    (radarr,) = bench.use("radarr")
    bench.drives("films", "more")
    bench.sync()
    drives = json.loads(bench.home.settings.read_text())["storage"]["drives"]
    bench.write({"storage": {"drives": drives, "pool": {"drives": {"films": {}, "more": {}}}}})
    (bench.home.path / "data/drives/pool").mkdir()
    bench.sync()
    assert radarr.folders == {}  # it is not mounted
    bench.mounted.append("pool")
    bench.sync()
    assert set(radarr.folders) == {"/data/drives/pool/media/movies"}
    assert bench.record == {("radarr", "/data/drives/pool/media/movies")}


def test_a_person_who_interrupts_leaves_nothing_half_done(bench: Bench) -> None:
    sonarr, radarr = bench.use("sonarr", "radarr", folders={})
    sonarr.folders, radarr.folders = {}, {}
    bench.drives("films")

    def say(words: str) -> None:
        if words.startswith("radarr"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sync.sync(bench.home, say=say)
    assert (sonarr.folders, radarr.folders, bench.record) == ({}, {}, set())


class Killed(BaseException):
    """The process is gone: nothing is taken back."""


def test_the_next_run_finishes_one_that_was_killed_anywhere(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    sonarr, radarr = bench.use("sonarr", "radarr", folders={})
    remember, steps = disk.remember, -1

    def step(*words: Any) -> None:
        nonlocal steps
        steps -= 1
        if steps == -1:
            raise Killed

    def remembering(*told: Any) -> None:
        step()
        remember(*told)
        step()

    monkeypatch.setattr(disk, "remember", remembering)
    for number in range(20):
        sonarr.folders, radarr.folders = {"/data/drives/gone/media/tv": 7, "/data/media/tv": 8}, {}
        remember(bench.home, [Added(service="sonarr", drive="gone", path="/data/drives/gone/media/tv")])
        bench.drives("films", "more")
        steps = number
        with monkeypatch.context() as dead, suppress(Killed):
            dead.setattr(sync._Run, "_take_back", lambda run: [])
            sync.sync(bench.home, say=step)
            assert number > 12  # it was not killed: there were no more steps
        steps = -1
        bench.sync()
        assert set(sonarr.folders) == {"/data/media/tv", SHOWS, "/data/drives/more/media/tv"}
        assert set(radarr.folders) == {FILMS, "/data/drives/more/media/movies"}
        assert bench.record <= {("sonarr", path) for path in sonarr.folders} | {("radarr", p) for p in radarr.folders}
        assert bench.sync().calls == ()


def test_a_wrong_key_changes_nothing(bench: Bench) -> None:
    (radarr,) = bench.use("radarr")
    bench.drives("films")
    radarr.key = "a" * 32
    with pytest.raises(ConfigError, match="no API key"):
        bench.sync()
    assert radarr.folders == {}


def test_nobody_is_changed_when_somebody_can_not_be_asked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "PATIENCE", 0.3)
    sonarr, radarr = bench.use("sonarr", "radarr")
    bench.drives("films")
    radarr.fail("GET", Fault(silent=True))
    with pytest.raises(UsenetError, match="no answer in time"):
        bench.sync()
    assert sonarr.changes == []


def test_the_root_folder_of_a_drive_that_was_removed_goes_if_nothing_uses_it(bench: Bench) -> None:
    sonarr, radarr = bench.use("sonarr", "radarr", folders={})
    sonarr.folders, radarr.folders = {"/data/media/tv": 1, "/data/drives/films/own": 2}, {}
    bench.drives("films", "more")
    bench.sync()
    radarr.users["movie"] = [{"title": "Alien", "path": f"{FILMS}/Alien (1979)"}]
    bench.drives("more")
    done = bench.sync()
    assert SHOWS not in sonarr.folders
    assert "/data/drives/films/own" in sonarr.folders
    assert FILMS in radarr.folders
    assert any("in use: Alien" in note for note in done.notes)
    radarr.users.clear()
    bench.sync()
    assert FILMS not in radarr.folders
    assert bench.record == {("sonarr", "/data/drives/more/media/tv"), ("radarr", "/data/drives/more/media/movies")}


def test_what_a_person_added_is_not_removed_though_it_is_what_we_would_have(bench: Bench) -> None:
    (radarr,) = bench.use("radarr", folders={FILMS: 5})
    bench.drives("films")
    bench.sync()
    bench.drives()
    bench.sync()
    assert FILMS in radarr.folders


def test_a_drive_that_is_away_keeps_its_root_folders(bench: Bench) -> None:
    (radarr,) = bench.use("radarr")
    bench.drives("films")
    bench.sync()
    bench.mounted = []
    bench.sync()
    assert FILMS in radarr.folders


def test_a_record_that_is_damaged_is_no_reason_to_guess(bench: Bench) -> None:
    (radarr,) = bench.use("radarr")
    bench.drives("films")
    bench.sync()
    (bench.home.state / disk.RECORD).write_text('{"added": [{"drive"')
    with pytest.raises(ConfigError, match="is damaged"):
        bench.sync()
    assert FILMS in radarr.folders


def test_a_full_drive_stops_it_before_any_call(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    (radarr,) = bench.use("radarr")
    bench.drives("films")

    def full(*place: Any) -> None:
        raise SystemFailure("no space left")

    monkeypatch.setattr(disk.files, "make_directory", full)
    with pytest.raises(SystemFailure, match="no space left"):
        bench.sync()
    assert radarr.changes == []


def test_without_drives_nobody_is_asked(bench: Bench) -> None:
    (radarr,) = bench.use("radarr")
    assert "usenet storage add" in bench.sync().notes[0]
    assert radarr.asked == []
