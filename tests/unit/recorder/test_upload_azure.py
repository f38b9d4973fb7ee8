"""Uploads to Azure's block blobs through a front that makes trouble: to an imitation, and to Azurite where it is."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from usenet.recorder.errors import Unreachable
from usenet.recorder.upload.azure import Azure, AzurePlace
from usenet.recorder.upload.credentials import Secret
from usenet.recorder.upload.layout import key_of
from usenet.recorder.upload.pace import Pace, Patience
from usenet.recorder.upload.queue import Times, Uploader
from usenet.recorder.upload.storage import Found, Gone, Part, Refused, Wrong, sums
from usenet.recorder.upload.uploader import is_uploaded

from .uploads.azure_server import ACCOUNT, CONTAINER, KEY, sas_signature
from .uploads.front import Plan, Trouble
from .uploads.memory import Clock
from .uploads.segments import Growing, finished
from .uploads.servers import AzureStandIn, Azurite, installed

MISSING = pytest.mark.skipif(not installed("azurite-blob"), reason="no azurite-blob on this machine")
REAL = pytest.param("azurite", marks=MISSING)
PART = 100_000
Place = AzureStandIn | Azurite


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    made = Azurite(tmp_path_factory.mktemp("azurite"))
    yield made
    made.stop()


@pytest.fixture(params=["imitation", REAL])
def server(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "azurite":
        yield request.getfixturevalue("emulator").fresh()
        return
    made = AzureStandIn()
    yield made
    made.stop()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "cam").mkdir(parents=True)
    return tmp_path / "root"


def azure(server: Place, *, key: str = KEY, sas: str = "", container: str = "", pace: Pace | None = None) -> Azure:
    secrets = (None, Secret(sas)) if sas else (Secret(key), None)
    at = f"{server.front.url}/{ACCOUNT}"
    return Azure("far", AzurePlace(ACCOUNT, container or server.container, lambda: secrets, at), pace)


def uploading(root: Path, storage: Azure, most: int = 100) -> tuple[Uploader, bool]:
    """Step with a clock of its own until all is uploaded; whether it came to that in so many steps."""
    clock = Clock()
    times = Times(clock, clock, lambda: Patience(1, 10))
    uploader = Uploader(root, storage, prefix="p", part_size=PART, times=times)
    for _ in range(most):
        clock.sleep(uploader.step())
        if uploader.metrics.segments and not uploader.metrics.waiting:
            return uploader, True
    return uploader, False


def once(method: str, query: str, trouble: Trouble) -> Plan:
    left = iter([trouble])
    return lambda asked, url: next(left, None) if asked == method and query in url else None


def whole(server: Place, root: Path, path: Path) -> None:
    assert server.objects() == {key_of(path, root, "p"): path.read_bytes()}


def test_a_segment_is_uploaded_whole(server: Place, root: Path) -> None:
    path = finished(root / "cam", 5 * PART + 123)
    uploader, done = uploading(root, azure(server))
    assert done
    assert uploader.metrics.errors == 0
    assert is_uploaded(path, ["far"])
    whole(server, root, path)
    assert server.open_uploads() == 0


def test_with_a_shared_access_signature(server: Place, root: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    words = {"sv": "2020-08-04", "ss": "b", "srt": "co", "sp": "rwc", "se": "2099-01-01T00:00:00Z"}
    signature = sas_signature(words, base64.b64decode(KEY))
    sas = "&".join(f"{name}={quote(value, '')}" for name, value in (words | {"sig": signature}).items())
    path = finished(root / "cam", 2 * PART)
    server.front.plan = once("PUT", "comp=block&", Trouble(status=403, code="AuthorizationFailure"))
    storage = azure(server, sas=f"?{sas}")
    uploader, done = uploading(root, storage)
    assert done
    assert "AuthorizationFailure" in uploader.metrics.last_error
    whole(server, root, path)
    told = caplog.text + repr(storage) + str(vars(storage)) + repr(uploader.metrics)
    assert signature not in told
    assert quote(signature, "") not in told


def test_a_live_segment_is_sent_before_it_ends(server: Place, root: Path) -> None:
    growing = Growing(root / "cam").grow(3 * PART)
    storage = azure(server)
    uploader, _ = uploading(root, storage, most=8)
    assert uploader.metrics.parts_sent == 2
    assert server.objects() == {}
    path = growing.cut(PART + 5).finish()
    uploader, done = uploading(root, storage)
    assert done
    assert uploader.metrics.parts_sent == 2  # the one that was cut, and the first
    whole(server, root, path)
    assert server.open_uploads() == 0


TROUBLES = {
    "reset in the middle of a block": ("PUT", "comp=block&", Trouble(reset_after=PART // 2)),
    "block taken, answer lost": ("PUT", "comp=block&", Trouble(lose_answer=True)),
    "made, answer lost": ("PUT", "comp=blocklist", Trouble(lose_answer=True)),
    "server error": ("PUT", "comp=block&", Trouble(status=500, code="InternalError")),
    "busy": ("GET", "comp=blocklist", Trouble(status=503, code="ServerBusy")),
    "busy at the end": ("PUT", "comp=blocklist", Trouble(status=503, code="ServerBusy")),
    "refused": ("PUT", "comp=block&", Trouble(status=403, code="AuthenticationFailed")),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_trouble_costs_a_try_and_no_byte(server: Place, root: Path, name: str) -> None:
    path = finished(root / "cam", 3 * PART)
    server.front.plan = once(*TROUBLES[name])
    uploader, done = uploading(root, azure(server))
    assert done
    assert uploader.metrics.errors == 1
    assert is_uploaded(path, ["far"])
    whole(server, root, path)


def test_a_wrong_size_is_not_believed(server: Place, root: Path) -> None:
    path = finished(root / "cam", 2 * PART)

    def lie(url: str, headers: dict[str, str]) -> dict[str, str]:
        size = "x-ms-blob-content-length"
        return {name: "7" if name.lower() == size and value != "0" else value for name, value in headers.items()}

    server.front.plan = lambda method, url: Trouble(edit=lie) if method == "GET" else None
    assert not uploading(root, azure(server), most=30)[1]
    assert not is_uploaded(path, ["far"])
    server.front.plan = lambda method, url: None
    assert uploading(root, azure(server))[1]
    whole(server, root, path)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (500, "OperationTimedOut", Unreachable),
        (503, "ServerBusy", Unreachable),
        (400, "Md5Mismatch", Wrong),
        (400, "InvalidBlockList", Wrong),
        (403, "AuthenticationFailed", Refused),
        (404, "ContainerNotFound", Refused),
        (404, "BlobNotFound", Gone),
        (409, "BlobAlreadyExists", Gone),
    ],
)
def test_what_an_answer_means(status: int, code: str, kind: type[Exception]) -> None:
    server = AzureStandIn()
    server.front.plan = lambda method, url: Trouble(status=status, code=code)
    with pytest.raises(kind) as told:
        azure(server).part("k", "blocks", 1, b"x", sums(b"x"))
    assert type(told.value) is kind
    assert code in str(told.value)
    server.stop()


def test_other_blocks_are_no_proof() -> None:
    storage = Azure("far", AzurePlace(ACCOUNT, CONTAINER, lambda: (None, None)))
    assert not storage.agrees(Found(1, {"blocks": ""}), [sums(b"x")])
    assert not storage.agrees(Found(1, {"blocks": "eA==:1"}), [sums(b"x")])
    assert not storage.agrees(Found(0, {}), [])


def test_a_server_that_restarts_is_found_again(server: Place, root: Path) -> None:
    growing = Growing(root / "cam").grow(3 * PART)
    storage = azure(server)
    uploading(root, storage, most=6)
    server.restart()
    path = growing.finish()
    assert uploading(root, storage)[1]
    whole(server, root, path)


def test_the_wrong_key_or_container_is_refused(server: Place, root: Path) -> None:
    path = finished(root / "cam", 5000)
    other = base64.b64encode(b"another").decode()
    for storage in (azure(server, key=other), azure(server, container="missing")):
        uploader, done = uploading(root, storage, most=4)
        assert not done
        assert uploader.metrics.errors > 1
    with pytest.raises(Refused) as told:
        azure(server, container="missing").part("k", "blocks", 1, b"x", sums(b"x"))
    assert "make the bucket" in told.value.hint
    assert uploading(root, azure(server))[1]
    whole(server, root, path)


def test_what_azure_tells_is_understood(server: Place) -> None:
    storage, data, name = azure(server), b"x" * 1000, "k/ä b+c.mp4"
    assert storage.stat(name) is None
    assert storage.parts(name, "blocks") == set()
    token = storage.part(name, "blocks", 3, data, sums(data))
    assert storage.parts(name, "blocks") == {(3, 1000, token)}
    assert storage.stat(name) is None  # it has blocks, but is not there yet
    with pytest.raises(Wrong):
        storage.part(name, "blocks", 4, data, sums(b"others"))
    with pytest.raises(Wrong):
        storage.complete(name, "blocks", [Part(1, sums(b"never sent"), token.replace("M", "N", 1))])
    storage.complete(name, "blocks", [Part(3, sums(data), token)])
    assert server.objects() == {name: data}
    storage.part(name, "blocks", 3, data, sums(data))
    with pytest.raises(Gone):  # it is never overwritten, even by one that did not look
        storage.complete(name, "blocks", [Part(3, sums(data), token)])


def test_no_more_than_the_rate_is_sent(server: Place, root: Path) -> None:
    path = finished(root / "cam", 4 * PART)
    clock = Clock(0)
    pace = Pace(PART, burst=PART / 10, clock=clock, sleep=clock.sleep)
    assert uploading(root, azure(server, pace=pace))[1]
    assert path.stat().st_size / PART - 0.2 < clock.now < path.stat().st_size / PART + 0.2
