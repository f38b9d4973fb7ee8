"""Uploads to S3 over HTTP, through a front that makes trouble: to an imitation, and to real servers where they are."""

from __future__ import annotations

import base64
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from usenet.recorder.errors import Unreachable
from usenet.recorder.upload.credentials import Secret
from usenet.recorder.upload.gcs import GCS
from usenet.recorder.upload.layout import key_of
from usenet.recorder.upload.pace import Pace, Patience
from usenet.recorder.upload.queue import Times, Uploader
from usenet.recorder.upload.s3 import S3, S3Place
from usenet.recorder.upload.storage import Found, Gone, Part, Refused, Storage, Wrong, sums
from usenet.recorder.upload.uploader import is_uploaded

from .uploads.front import Front, Plan, Trouble
from .uploads.memory import Clock
from .uploads.s3_server import ACCESS, BUCKET, SECRET, SMALLEST, Store
from .uploads.segments import Growing, finished
from .uploads.servers import REAL, RealS3, Server, StandIn, installed

SERVERS = [
    pytest.param(name, marks=pytest.mark.skipif(not installed(name), reason=f"no {name} on this machine"))
    for name in REAL
]


@pytest.fixture(params=["imitation", *SERVERS])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    made = StandIn() if request.param == "imitation" else RealS3(request.param, tmp_path / "server")
    yield made
    made.stop()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "cam").mkdir(parents=True)
    return tmp_path / "root"


def place(front: Front, secret: str = SECRET, bucket: str = BUCKET, checksum: str = "auto") -> S3Place:
    return S3Place(bucket, lambda: (Secret(ACCESS), Secret(secret)), front.url, checksum=checksum)


def uploading(root: Path, storage: Storage, most: int = 400) -> tuple[Uploader, bool]:
    """Step with a clock of its own until all is uploaded; whether it came to that in so many steps."""
    clock = Clock()
    uploader = Uploader(root, storage, prefix="p", times=Times(clock, clock, lambda: Patience(1, 10)))
    for _ in range(most):
        clock.sleep(uploader.step())
        if uploader.metrics.segments and not uploader.metrics.waiting:
            return uploader, True
    return uploader, False


def once(plan: Plan) -> Plan:
    """The first trouble that a plan makes, and no more."""
    made: list[Trouble] = []

    def first(method: str, url: str) -> Trouble | None:
        trouble = None if made else plan(method, url)
        made.extend([trouble] if trouble else [])
        return trouble

    return first


def is_part(method: str, url: str) -> bool:
    return method == "PUT" and "partNumber=" in url


def is_completion(method: str, url: str) -> bool:
    return method == "POST" and "uploadId=" in url


def whole(server: Server, root: Path, path: Path) -> None:
    assert server.objects() == {key_of(path, root, "p"): path.read_bytes()}
    assert server.open_uploads() == 0


@pytest.mark.parametrize("checksum", ["sha256", "md5", "auto"])
def test_a_segment_is_uploaded_whole(server: Server, root: Path, checksum: str) -> None:
    path = finished(root / "cam", 2 * SMALLEST + 12345)
    uploader, done = uploading(root, S3("far", place(server.front, checksum=checksum)))
    assert done
    assert uploader.metrics.errors == 0
    assert is_uploaded(path, ["far"])
    whole(server, root, path)


def test_a_small_segment_is_one_part(server: Server, root: Path) -> None:
    path = finished(root / "cam", 5000)
    assert uploading(root, S3("far", place(server.front)))[1]
    whole(server, root, path)


def test_a_live_segment_is_sent_before_it_ends(server: Server, root: Path) -> None:
    growing = Growing(root / "cam").grow(3 * SMALLEST)
    storage = S3("far", place(server.front))
    clock = Clock()
    uploader = Uploader(root, storage, prefix="p", part_size=SMALLEST, times=Times(clock, clock))
    for _ in range(10):
        clock.sleep(uploader.step())
    assert uploader.metrics.parts_sent == 2
    assert server.objects() == {}
    path = growing.grow(1000).finish()
    server.front.asked.clear()
    assert uploading(root, storage)[1]
    assert sum(is_part(*asked) for asked in server.front.asked) == 2
    whole(server, root, path)


TROUBLES = {
    "reset in the middle of a part": lambda m, u: Trouble(reset_after=2_000_000) if is_part(m, u) else None,
    "reset at the start of a part": lambda m, u: Trouble(reset_after=0) if is_part(m, u) else None,
    "part taken, answer lost": lambda m, u: Trouble(lose_answer=True) if is_part(m, u) else None,
    "completed, answer lost": lambda m, u: Trouble(lose_answer=True) if is_completion(m, u) else None,
    "begun, answer lost": lambda m, u: Trouble(lose_answer=True) if u.endswith("uploads") else None,
    "500": lambda m, u: Trouble(status=500, code="InternalError") if is_part(m, u) else None,
    "500 at completion": lambda m, u: Trouble(status=500, code="InternalError") if is_completion(m, u) else None,
    "slow down": lambda m, u: Trouble(status=503, code="SlowDown") if is_part(m, u) else None,
    "the storage waited too long": lambda m, u: Trouble(status=400, code="RequestTimeout") if is_part(m, u) else None,
    "slow down at once": lambda m, u: Trouble(status=503, code="SlowDown"),
    "403": lambda m, u: Trouble(status=403, code="AccessDenied") if is_part(m, u) else None,
    "bad gateway, no XML": lambda m, u: Trouble(status=502) if m == "HEAD" else None,
}


@pytest.mark.parametrize("name", TROUBLES)
def test_trouble_costs_a_try_and_no_byte(server: Server, root: Path, name: str) -> None:
    path = finished(root / "cam", SMALLEST + 5 * 1024 * 1024)
    server.front.plan = once(TROUBLES[name])
    uploader, done = uploading(root, S3("far", place(server.front)))
    assert done
    assert uploader.metrics.errors == 1
    assert is_uploaded(path, ["far"])
    assert server.objects() == {key_of(path, root, "p"): path.read_bytes()}
    assert server.open_uploads() == (name == "begun, answer lost")  # it has no parts, and no journal knows of it


def test_a_wrong_checksum_is_not_believed(server: Server, root: Path) -> None:
    path = finished(root / "cam", SMALLEST + 1000)

    def lie(url: str, headers: dict[str, str]) -> dict[str, str]:
        return {
            name: "AAAA-2" if name.lower() in ("x-amz-checksum-sha256", "etag") else value
            for name, value in headers.items()
        }

    server.front.plan = lambda method, url: Trouble(edit=lie) if method == "HEAD" else None
    uploader, done = uploading(root, S3("far", place(server.front)), most=40)
    assert not done
    assert uploader.metrics.errors > 2
    assert not is_uploaded(path, ["far"])
    server.front.plan = lambda method, url: None
    assert uploading(root, S3("far", place(server.front)))[1]
    whole(server, root, path)


def test_a_server_that_restarts_is_found_again(server: Server, root: Path) -> None:
    growing = Growing(root / "cam").grow(3 * SMALLEST)
    storage = S3("far", place(server.front))
    uploading(root, storage, most=6)
    server.restart()
    path = growing.finish()
    assert uploading(root, storage)[1]
    whole(server, root, path)


def test_the_wrong_key_or_bucket_is_refused_and_nothing_is_lost(server: Server, root: Path) -> None:
    path = finished(root / "cam", 5000)
    for wrong in (place(server.front, secret="another"), place(server.front, bucket="missing")):
        uploader, done = uploading(root, S3("far", wrong), most=5)
        assert not done
        assert uploader.metrics.errors > 1
    with pytest.raises(Refused) as told:
        S3("far", place(server.front, bucket="missing")).begin("k")
    assert "make the bucket" in told.value.hint
    assert uploading(root, S3("far", place(server.front)))[1]
    whole(server, root, path)


def test_keys_that_were_corrected_need_no_restart(server: Server, root: Path) -> None:
    path, keys = finished(root / "cam", 5000), ["another"]
    storage = S3("far", S3Place(BUCKET, lambda: (Secret(ACCESS), Secret(keys[-1])), server.front.url))
    uploader, done = uploading(root, storage, most=5)
    assert not done
    keys.append(SECRET)
    clock = Clock()
    for _ in range(20):
        clock.sleep(uploader.step())
    assert uploading(root, storage)[1] or is_uploaded(path, ["far"])
    whole(server, root, path)


def test_what_the_storage_tells_is_understood(server: Server) -> None:
    storage, data = S3("far", place(server.front)), b"x" * 1000
    told = sums(data)
    assert storage.stat("none") is None
    upload = storage.begin("k/ä b+c.mp4")
    token = storage.part("k/ä b+c.mp4", upload, 3, data, told)
    assert storage.parts("k/ä b+c.mp4", upload) == {(3, 1000, token)}
    with pytest.raises(Wrong):
        storage.part("k/ä b+c.mp4", upload, 4, data, sums(b"others"))
    storage.abort("k/ä b+c.mp4", upload)
    storage.abort("k/ä b+c.mp4", upload)
    for gone in (lambda: storage.parts("k/ä b+c.mp4", upload), lambda: storage.part("k", upload, 1, data, told)):
        with pytest.raises(Gone):
            gone()


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "RequestTimeout", Unreachable),
        (429, "TooManyRequests", Unreachable),
        (500, "InternalError", Unreachable),
        (503, "SlowDown", Unreachable),
        (400, "BadDigest", Wrong),
        (400, "InvalidArgument", Refused),
        (403, "AccessDenied", Refused),
        (404, "NoSuchBucket", Refused),
        (507, "InsufficientStorage", Refused),
        (404, "NoSuchUpload", Gone),
    ],
)
def test_what_an_answer_means(status: int, code: str, kind: type[Exception]) -> None:
    server = StandIn()
    server.front.plan = lambda method, url: Trouble(status=status, code=code)
    with pytest.raises(kind) as told:
        S3("far", place(server.front)).part("k", "md5:u", 1, b"x", sums(b"x"))
    assert type(told.value) is kind
    assert code in str(told.value)
    server.stop()


def test_more_parts_than_one_answer_lists(root: Path) -> None:
    server = StandIn(Store(page=2))
    storage = S3("far", place(server.front))
    upload = storage.begin("k")
    for number in range(1, 8):
        storage.part("k", upload, number, b"x", sums(b"x"))
    assert {number for number, _, _ in storage.parts("k", upload)} == set(range(1, 8))
    server.stop()


def test_a_storage_without_sha256_is_asked_for_md5(root: Path) -> None:
    server = StandIn(Store(knows_sha256=False))
    path = finished(root / "cam", 2 * SMALLEST)
    uploader, done = uploading(root, S3("far", place(server.front)))
    assert done
    assert uploader.metrics.errors == 0
    whole(server, root, path)
    server.stop()


def test_another_size_is_no_proof_whatever_the_checksum(server: Server) -> None:
    storage, data = S3("far", place(server.front)), b"x" * 1000
    upload = storage.begin("k")
    storage.complete("k", upload, [Part(1, sums(data), storage.part("k", upload, 1, data, sums(data)))])
    found = storage.stat("k")
    assert found is not None
    assert storage.agrees(found, [sums(data)])
    assert not storage.agrees(replace(found, size=999), [sums(data)])
    assert not storage.agrees(found, [sums(data), sums(b"")])


def test_a_checksum_that_is_not_told_is_no_proof() -> None:
    storage = S3("far", S3Place("b", lambda: (Secret("a"), Secret("s"))))
    assert not storage.agrees(Found(1, {"md5": ""}), [sums(b"x")])
    assert not storage.agrees(Found(1, {"md5": "", "sha256": ""}), [sums(b"x")])
    assert not GCS("far", S3Place("b", lambda: (Secret("a"), Secret("s")))).agrees(Found(1, {}), [sums(b"x", crc=True)])


def test_no_more_than_the_rate_is_sent(server: Server, root: Path) -> None:
    path = finished(root / "cam", 2 * SMALLEST)
    clock = Clock(0)
    pace = Pace(1 << 20, burst=1 << 16, clock=clock, sleep=clock.sleep)
    assert uploading(root, S3("far", place(server.front), pace))[1]
    whole(server, root, path)
    assert path.stat().st_size / (1 << 20) - 0.1 < clock.now < path.stat().st_size / (1 << 20) + 0.5


def test_no_secret_is_told_anywhere(server: Server, root: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    finished(root / "cam", 5000)
    storage = S3("far", place(server.front))
    server.front.plan = once(lambda m, u: Trouble(status=403, code="AccessDenied") if is_part(m, u) else None)
    uploader, done = uploading(root, storage)
    assert done
    assert "AccessDenied" in uploader.metrics.last_error
    told = caplog.text + repr(storage) + str(vars(storage)) + repr(uploader.metrics)
    told += "".join(file.read_bytes().decode(errors="replace") for file in root.rglob("*.upload"))
    assert SECRET not in told


def test_google_s_checksum_is_compared(server: Server, root: Path) -> None:
    """Google was never asked: this is S3 with the header that its documentation describes."""
    path = finished(root / "cam", SMALLEST + 1000)
    crc, seen = sums(path.read_bytes(), crc=True).crc or 0, []

    def google(url: str, headers: dict[str, str]) -> dict[str, str]:
        seen.append(url)
        told = crc if len(seen) > 1 else crc ^ 1
        return {**headers, "x-goog-hash": f"crc32c={base64.b64encode(told.to_bytes(4, 'big')).decode()}", "ETag": '"x"'}

    server.front.plan = lambda method, url: Trouble(edit=google) if method == "HEAD" and server.objects() else None
    uploader, done = uploading(root, GCS("far", place(server.front)))
    assert done
    assert uploader.metrics.errors == 1  # the first answer was another checksum
    whole(server, root, path)


PROGRAM = """
import sys
from pathlib import Path
from tests.unit.recorder.test_upload_s3 import S3, S3Place, Secret, uploading, BUCKET, ACCESS, SECRET
uploading(Path(sys.argv[1]), S3("far", S3Place(BUCKET, lambda: (Secret(ACCESS), Secret(SECRET)), sys.argv[2])))
"""


def killed(root: Path, front: Front, at: int, *, after: bool) -> bool:
    """Run an uploader in a process that is killed before, or after, its n-th request; False if it made fewer."""
    command = [sys.executable, "-c", PROGRAM, str(root), front.url]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[3], stderr=subprocess.DEVNULL)
    left = iter(range(at, -1, -1))

    def plan(method: str, url: str) -> Trouble | None:
        if next(left, -1) != 0:
            return None
        if not after:
            os.kill(process.pid, signal.SIGKILL)
            return Trouble(reset_after=0)

        def kill(url: str, headers: dict[str, str]) -> dict[str, str]:
            os.kill(process.pid, signal.SIGKILL)
            return headers

        return Trouble(edit=kill)

    front.plan = plan
    process.wait(300)
    front.plan = lambda method, url: None
    return process.returncode == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_every_request(server: Server, root: Path, after: bool) -> None:
    at, path = 0, finished(root / "cam", 2 * SMALLEST)
    while killed(root, server.front, at, after=after):
        verified = is_uploaded(path, ["far"])
        assert not verified or server.objects()
        assert uploading(root, S3("far", place(server.front)))[1] or verified
        assert is_uploaded(path, ["far"])
        objects = server.objects()
        assert objects.pop(key_of(path, root, "p")) == path.read_bytes()
        path.unlink()
        at += 1
        path = finished(root / "cam", 2 * SMALLEST, f"20261121T18{at:02}00.000Z.mp4", seed=at)
    assert at > 5
    assert len(server.objects()) == at + 1
