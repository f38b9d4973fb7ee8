"""Questions to the recorder and its answers: who may ask, what is refused, and the bytes of a recording."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientPayloadError
from aiohttp.test_utils import TestClient

from tests.unit.recorder.sidecar_bed import TOKEN, Scripted, asked, hours, recorded, station
from usenet.recorder.sidecar import metrics, serving
from usenet.recorder.sidecar.metrics import Figure
from usenet.recorder.sidecar.wishes import Camera

Client = TestClient[Any, Any]
NAME = "20261121T120000.000Z.mp4"

ROUTES = [
    ("GET", "/status"),
    ("GET", "/cameras"),
    ("POST", "/cameras/door/start"),
    ("POST", "/cameras/door/stop"),
    ("POST", "/cameras/door/rotate"),
    ("GET", "/recordings"),
    ("GET", f"/recordings/door/{NAME}"),
    ("POST", f"/recordings/door/{NAME}/protect"),
    ("DELETE", f"/recordings/door/{NAME}/protect"),
    ("GET", "/nothing"),
]


@pytest.mark.parametrize("header", ["", "Bearer wrong", f"Basic {TOKEN}", TOKEN])
def test_without_the_token_nothing_is_told(tmp_path: Path, header: str) -> None:
    recorded(tmp_path, "door")

    async def do(client: Client) -> None:
        for method, path in ROUTES:
            answer = await client.request(method, path, headers={"Authorization": header})
            assert answer.status == 401, path
            told = await answer.json()
            assert set(told) == {"code", "message", "hint"}
            assert NAME not in str(told)

    asked(station(tmp_path, "door"), do)


def test_health_and_figures_need_no_token(tmp_path: Path) -> None:
    async def do(client: Client) -> None:
        for path, status in (("/health/live", 200), ("/health/ready", 503), ("/metrics", 200)):
            answer = await client.get(path, headers={"Authorization": ""})
            assert answer.status == status, path

    asked(station(tmp_path), do, ready=False)


def test_nothing_is_started_before_what_was_cut_off_is_recovered(tmp_path: Path) -> None:
    async def do(client: Client) -> None:
        answer = await client.post("/cameras/door/start")
        assert (answer.status, (await answer.json())["code"]) == (503, "not_ready")

    asked(station(tmp_path, "door"), do, ready=False)
    assert not (tmp_path / "door").exists()


def test_a_recording_from_start_to_stop(tmp_path: Path) -> None:
    of = station(tmp_path, "door", "gate")

    async def do(client: Client) -> None:
        begun = await (await client.post("/cameras/door/start")).json()
        assert (begun["state"], begun["segment"], begun["until"]) == ("recording", NAME, None)
        again = await client.post("/cameras/door/start")
        assert (again.status, (await again.json())["code"]) == (409, "recording")
        states = {one["name"]: one["state"] for one in (await (await client.get("/cameras")).json())["cameras"]}
        assert states == {"door": "recording", "gate": "idle"}
        assert (await client.post("/cameras/door/rotate")).status == 200
        done = await (await client.post("/cameras/door/stop")).json()
        (file,) = done["files"]
        assert file["size"] == (tmp_path / "door" / NAME).stat().st_size
        assert (file["name"], file["start"], file["end"]) == (
            NAME,
            "2026-11-21T12:00:00.000Z",
            _later(file["duration"]),
        )
        assert file["duration"] == pytest.approx(2, abs=0.1)
        for verb in ("stop", "rotate"):
            idle = await client.post(f"/cameras/door/{verb}")
            assert (idle.status, (await idle.json())["code"]) == (409, "idle")
        unknown = await client.post("/cameras/attic/start")
        assert (unknown.status, (await unknown.json())["hint"]) == (404, "there are: door, gate")

    asked(of, do)


def _later(seconds: float) -> str:
    return f"2026-11-21T12:00:{seconds:06.3f}Z"


def test_a_duration_may_be_a_fraction_and_ends_the_recording(tmp_path: Path) -> None:
    async def do(client: Client) -> None:
        begun = await (await client.post("/cameras/door/start", json={"duration": 1.25})).json()
        assert begun["until"] > begun["since"]
        for _ in range(600):
            if (await (await client.get("/cameras")).json())["cameras"][0]["state"] == "idle":
                break
            await asyncio.sleep(0.05)
        assert [path.name for path in (tmp_path / "door").iterdir()] == [NAME]

    asked(station(tmp_path, "door"), do)


WRONG = (
    '{"duration": 0}',
    '{"duration": -1}',
    '{"duration": 86401}',
    '{"duration": "60"}',
    '{"duration": true}',
    '{"duration": NaN}',
    '{"duration": Infinity}',
    '{"duration": [1]}',
    '{"length": 5}',
    "[]",
    "{",
)


@pytest.mark.parametrize("body", WRONG)
def test_a_wrong_body_is_refused_with_a_sentence(tmp_path: Path, body: str) -> None:
    async def do(client: Client) -> None:
        answer = await client.post("/cameras/door/start", data=body, headers={"Content-Type": "application/json"})
        told = await answer.json()
        assert answer.status == 400
        assert told["message"]
        assert told["hint"]

    of = station(tmp_path, "door")
    asked(of, do)
    assert not of.posts["door"].recording


def test_recordings_are_listed_the_newest_first_in_parts(tmp_path: Path) -> None:
    for number in range(3):
        recorded(tmp_path, "door", hours(number))
    recorded(tmp_path, "gate", hours(1.5))

    async def do(client: Client) -> None:
        async def names(query: str) -> list[str]:
            told = await (await client.get(f"/recordings?{query}")).json()
            return [f"{one['camera']} {one['start'][11:16]}" for one in told["recordings"]]

        assert await names("") == ["door 14:00", "gate 13:30", "door 13:00", "door 12:00"]
        assert await names("camera=door&limit=1&offset=1") == ["door 13:00"]
        assert await names("since=2026-11-21T13:00:00Z&until=2026-11-21T14:00:00Z") == ["gate 13:30", "door 13:00"]
        assert await names("since=2026-11-21T15:30:00%2B02:00&until=2026-11-21T14:00:00") == ["gate 13:30"]
        assert (await (await client.get("/recordings?limit=1")).json())["total"] == 4
        assert len(await names("until=9999-12-31T23:59:59.999999Z")) == 4
        for wrong in (
            "limit=0",
            "limit=1001",
            "limit=x",
            "offset=-1",
            "since=yesterday",
            "since=0001-01-01T00:00:00%2B09:00",
            "limit=٣",
        ):
            answer = await client.get(f"/recordings?{wrong}")
            assert (answer.status, (await answer.json())["code"]) == (400, "bad_query"), wrong

    asked(station(tmp_path), do)


def test_protection_is_a_file_that_a_person_can_read(tmp_path: Path) -> None:
    path = recorded(tmp_path, "door")
    where = f"/recordings/door/{NAME}"

    async def do(client: Client) -> None:
        told = await (await client.post(f"{where}/protect", json={"reason": "Der Zaun"})).json()
        assert (told["protected"], told["reason"]) == (True, "Der Zaun")
        assert '"Der Zaun"' in path.with_name(NAME + ".protected").read_text()
        for wrong in ({}, {"reason": " "}, {"reason": 5}):
            assert (await client.post(f"{where}/protect", json=wrong)).status == 400
        for _ in range(2):
            assert not (await (await client.delete(f"{where}/protect")).json())["protected"]
        assert [one.name for one in path.parent.iterdir()] == [NAME]
        assert (
            await client.post("/recordings/door/20000101T000000.000Z.mp4/protect", json={"reason": "x"})
        ).status == 404

    asked(station(tmp_path), do)


@pytest.mark.parametrize(
    ("asks", "status", "bytes_"),
    [
        (None, 200, slice(None)),
        ("bytes=0-99", 206, slice(0, 100)),
        ("bytes=100-", 206, slice(100, None)),
        ("bytes=-10", 206, slice(-10, None)),
        ("bytes=0-99999999", 206, slice(None)),
        ("bytes=99999999-", 416, None),
        ("bytes=5-1", 200, slice(None)),
        ("bytes=0-1,5-6", 200, slice(None)),
        ("pages=1", 200, slice(None)),
    ],
)
def test_the_bytes_of_a_recording(tmp_path: Path, asks: str | None, status: int, bytes_: slice | None) -> None:
    data = recorded(tmp_path, "door").read_bytes()

    async def do(client: Client) -> None:
        headers = {"Range": asks} if asks else {}
        answer = await client.get(f"/recordings/door/{NAME}", headers=headers)
        assert answer.status == status
        if bytes_ is None:
            assert answer.headers["Content-Range"] == f"bytes */{len(data)}"
            return
        assert await answer.read() == data[bytes_]
        assert answer.headers["Content-Type"] == "video/mp4"
        if status == 206:
            begin, end, _ = bytes_.indices(len(data))
            assert answer.headers["Content-Range"] == f"bytes {begin}-{end - 1}/{len(data)}"
        head = await client.head(f"/recordings/door/{NAME}", headers=headers)
        assert (head.status, head.headers["Content-Length"]) == (status, answer.headers["Content-Length"])
        assert await head.read() == b""

    asked(station(tmp_path), do)


def test_a_part_of_a_file_that_changed_is_the_whole_of_the_new_one(tmp_path: Path) -> None:
    data = recorded(tmp_path, "door").read_bytes()

    async def do(client: Client) -> None:
        tag = (await client.get(f"/recordings/door/{NAME}")).headers["ETag"]
        for given, status in ((tag, 206), ('"another"', 200)):
            answer = await client.get(f"/recordings/door/{NAME}", headers={"Range": "bytes=0-9", "If-Range": given})
            assert (answer.status, await answer.read()) == (status, data[:10] if status == 206 else data)

    asked(station(tmp_path), do)


def test_a_live_recording_is_one_file_for_as_long_as_it_is_read(tmp_path: Path) -> None:
    from tests.unit.recorder.sidecar_bed import NOON, clock, samples
    from tests.unit.recorder.takes import TRACKS
    from usenet.recorder.reader import read
    from usenet.recorder.recorder import Recorder

    (tmp_path / "door").mkdir()
    recorder = Recorder(tmp_path / "door", TRACKS, clock=clock(NOON))
    given = samples(4)

    def write(part: slice) -> None:
        for sample in given[part]:
            recorder.write(sample)

    async def do(client: Client) -> None:
        write(slice(0, 200))
        sent_on = await client.get(f"/recordings/door/{NAME}", allow_redirects=False)
        assert sent_on.status == 307
        where = sent_on.headers["Location"]
        first = await (await client.get(where, headers={"Range": "bytes=0-999"})).read()
        write(slice(200, None))
        whole = await (await client.get(where)).read()
        assert whole[:1000] == first
        rest = await client.get(where, headers={"Range": "bytes=1000-"})
        assert first + await rest.read() == whole
        recorder.close()
        assert await (await client.get(where)).read() == whole
        (tmp_path / "x.mp4").write_bytes(whole)
        assert sum(len(list(track)) for track in read(tmp_path / "x.mp4").tracks) > 100
        finished = await (await client.get(f"/recordings/door/{NAME}")).read()
        assert finished == (tmp_path / "door" / NAME).read_bytes()

    asked(station(tmp_path), do)


OUTSIDE = [
    "/recordings/../../etc/passwd",
    "/recordings/door/../../token",
    "/recordings/door/..%2f..%2ftoken",
    "/recordings/%2e%2e/token.mp4",
    f"/recordings/..%2fplace%2fdoor/{NAME}",
    "/recordings/door/%2e%2e%2f%2e%2e%2ftoken.mp4",
    "/recordings/door/token.mp4",
    "/recordings/door/20261121T120000.000Z.mp4.part",
    "/recordings/door/20261121T120000.000Z.mp4%00.mp4",
    "/recordings/link/" + NAME,
    "/recordings/door/20990101T000000.000Z.mp4",
]


@pytest.mark.parametrize("path", OUTSIDE)
def test_no_path_leads_outside(tmp_path: Path, path: str) -> None:
    from yarl import URL

    place = tmp_path / "place"
    recorded(place, "door")
    (place / "token.mp4").write_text("secret")
    (tmp_path / "token").write_text("secret")
    recorded(tmp_path / "elsewhere", "door")
    (place / "link").symlink_to(tmp_path / "elsewhere" / "door")
    (place / "door" / "20990101T000000.000Z.mp4").symlink_to(tmp_path / "token")

    async def do(client: Client) -> None:
        for method, more in (("GET", ""), ("POST", "/protect"), ("DELETE", "/protect")):
            url = URL(str(client.make_url("/")).rstrip("/") + path + more, encoded=True)
            answer = await client.session.request(method, url, json={"reason": "x"})
            assert answer.status in (400, 404), (method, url)
            assert "secret" not in await answer.text()

    asked(station(place), do)


def test_who_reads_slowly_holds_nobody_up(tmp_path: Path) -> None:
    path = recorded(tmp_path, "door", seconds=20)
    with path.open("ab") as file:
        file.truncate(64 << 20)

    async def do(client: Client) -> None:
        answers = [await client.get(f"/recordings/door/{NAME}") for _ in range(20)]  # headers only, nothing is read
        assert (await client.get("/status")).status == 200
        assert len(await (await client.get(f"/recordings/door/{NAME}", headers={"Range": "bytes=0-9"})).read()) == 10
        for answer in answers:
            answer.close()

    asked(station(tmp_path), do)


def test_a_camera_that_hangs_holds_no_other_up(tmp_path: Path) -> None:
    import threading

    release = threading.Event()

    class Hanging(Scripted):
        def stop(self) -> list[Path]:
            release.wait(60)
            return super().stop()

    def feed(camera: Camera) -> Scripted:
        kind = Hanging if camera.name == "hangs" else Scripted
        return kind(camera, tmp_path / camera.name)

    async def do(client: Client) -> None:
        for name in ("hangs", "good"):
            assert (await client.post(f"/cameras/{name}/start")).status == 200
        waiting = asyncio.create_task(client.post("/cameras/hangs/stop"))
        for _ in range(3):
            assert (await client.post("/cameras/good/stop")).status == 200
            assert (await client.post("/cameras/good/start")).status == 200
            assert (await client.get("/status")).status == 200
        assert not waiting.done()
        release.set()
        assert (await waiting).status == 200

    asked(station(tmp_path, "hangs", "good", feed=feed), do)


def test_a_file_that_can_t_be_read_to_its_end_is_cut_off_and_not_filled_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = recorded(tmp_path, "door", seconds=60).read_bytes()
    read = serving.FileView.read

    def fails(self: serving.FileView, offset: int, length: int) -> bytes:
        if offset:
            raise OSError(5, "Input/output error")
        return read(self, offset, 1000)

    monkeypatch.setattr(serving.FileView, "read", fails)

    async def do(client: Client) -> None:
        answer = await client.get(f"/recordings/door/{NAME}")
        assert int(answer.headers["Content-Length"]) == len(data)
        with pytest.raises(ClientPayloadError):
            await answer.read()
        assert (await client.get("/status")).status == 200

    asked(station(tmp_path), do)


def test_a_bug_is_told_as_one_and_nothing_more(tmp_path: Path) -> None:
    class Broken(Scripted):
        def start(self) -> None:
            raise KeyError("inner secret")

    async def do(client: Client) -> None:
        answer = await client.post("/cameras/door/start")
        assert answer.status == 500
        assert "inner secret" not in await answer.text()
        assert (await answer.json())["code"] == "bug"

    asked(station(tmp_path, "door", feed=lambda camera: Broken(camera, tmp_path)), do)


SAMPLE = re.compile(r'[a-z0-9_]+(\{([a-z_]+="(\\.|[^"\\\n])*",?)*\})? (-?\d+(\.\d+)?|NaN|[+-]Inf)')


def test_the_figures_are_in_prometheus_own_form(tmp_path: Path) -> None:
    of = station(tmp_path, "door", "gate")
    text = metrics.text(of.figures())
    seen: set[str] = set()
    for line in text.splitlines():
        if line.startswith("#"):
            _, kind, name, *_ = line.split(" ")
            assert (kind, name) not in seen, "told twice"
            seen.add(f"{kind} {name}")
        else:
            assert SAMPLE.fullmatch(line), line
            assert f"TYPE {re.split('[{ ]', line)[0]}" in seen
    assert 'usenet_recorder_durable_lag_seconds{camera="gate"} 0' in text.splitlines()
    assert "usenet_recorder_fsync_p99_seconds 0.001500" in text.splitlines()


def test_a_figure_with_odd_words_stays_one_line() -> None:
    figure = Figure("x", "a\\b\nc", float("inf"), {"directory": 'a"b\\c\nd'})
    assert metrics.text([figure]).splitlines() == [
        "# HELP usenet_recorder_x a\\\\b\\nc",
        "# TYPE usenet_recorder_x gauge",
        'usenet_recorder_x{directory="a\\"b\\\\c\\nd"} +Inf',
    ]
