"""What the sidecar is told: read as it is meant, or refused with place, expectation and cure."""

from __future__ import annotations

import json
import logging
import stat
from pathlib import Path

import pytest

from usenet.recorder.policy import PRESETS, Flush
from usenet.recorder.sidecar import auth, config, logs
from usenet.recorder.sidecar.reading import ConfigError
from usenet.recorder.sidecar.wishes import Listen

WHOLE = """
directory: /drives/cctv/recordings
marker: {file: /drives/cctv/.usenet-drive.json, id: 9c1e}
fallback: {directory: spare}
listen: 0.0.0.0:9000
token_file: secret/token
grace_seconds: 12.5
log: text
recovery: {policy: align, seconds: 3}
budget: {max_bytes: 500G, max_percent: 90, min_free: 1G, policy: evict, uploaded_first: true}
upload: {prefix: home, storages: {offsite: {bucket: cctv, credentials: keys, rate: 2M, endpoint: "http://s3/"}}}
cameras:
  front-door: {url: "rtsp://camera/one"}
  garden:
    url_file: garden.url
    transport: udp
    flush: evidence
    segment_seconds: 600
    segment_bytes: 1G
    audio: false
    enabled: false
    protect: {reason: kept for the insurance}
    title: Behind the house
  gate: {url: "rtsp://camera/two", flush: {chunk_ms: 100, sync_ms: 500}}
"""


def written(folder: Path, text: str, name: str = "recorder.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("said", "first"),
    [("", True), ("budget: {policy: evict}\n", True), ("budget: {policy: evict, uploaded_first: false}\n", False)],
)
def test_who_uploads_deletes_nothing_before_its_copy_is_verified(tmp_path: Path, said: str, first: bool) -> None:
    upload = "upload: {storages: {offsite: {bucket: cctv, credentials: keys}}}\n"
    assert config.load(written(tmp_path, f"directory: r\n{upload}{said}"), {}).budget.uploaded_first is first
    assert not config.load(written(tmp_path, "directory: r\nbudget: {policy: evict}\n"), {}).budget.uploaded_first


def test_the_whole_of_it(tmp_path: Path) -> None:
    found = config.load(written(tmp_path, WHOLE), {})
    assert found.place.directory == Path("/drives/cctv/recordings")
    assert found.place.marker
    assert found.place.marker.id == "9c1e"
    assert [str(place.directory) for place in found.places] == [str(found.place.directory), str(tmp_path / "spare")]
    assert found.listen == Listen("0.0.0.0", 9000)
    assert found.token_file == tmp_path / "secret" / "token"
    assert (found.grace_seconds, found.log) == (12.5, "text")
    assert (found.recovering.policy, found.recovering.seconds) == ("align", 3)
    assert (found.budget.max_bytes, found.budget.min_free) == (500 << 30, 1 << 30)
    assert found.budget.uploaded_first
    (target,) = found.uploading.targets
    assert (found.uploading.prefix, target.name, target.kind, target.bucket) == ("home", "offsite", "s3", "cctv")
    assert (target.credentials, target.rate, target.endpoint) == (tmp_path / "keys", 2 << 20, "http://s3/")
    door, garden, gate = found.cameras.values()
    assert (door.url, door.url_file, door.flush, door.enabled) == ("rtsp://camera/one", None, PRESETS["default"], True)
    assert (garden.url_file, garden.transport, garden.audio) == (tmp_path / "garden.url", "udp", False)
    assert (garden.flush, garden.segment_seconds, garden.segment_bytes) == (PRESETS["evidence"], 600, 1 << 30)
    assert garden.protect
    assert gate.flush == Flush("time", 100, 500)


def test_json_says_the_same_as_yaml(tmp_path: Path) -> None:
    text = {"directory": "r", "cameras": {"door": {"url": "rtsp://c/"}}}
    one = config.load(written(tmp_path, json.dumps(text), "a.json"), {})
    other = config.load(written(tmp_path, "directory: r\ncameras: {door: {url: 'rtsp://c/'}}\n"), {})
    assert one == other


def test_without_a_file_the_variables_say_where_and_nothing_is_recorded(tmp_path: Path) -> None:
    found = config.load(None, {"USENET_RECORDER_DIRECTORY": str(tmp_path), "USENET_RECORDER_LISTEN": "[::1]:0"})
    assert (found.place.directory, found.listen, dict(found.cameras)) == (tmp_path, Listen("::1", 0), {})


def test_by_itself_it_listens_to_this_machine_alone(tmp_path: Path) -> None:
    assert config.load(written(tmp_path, "directory: r"), {}).listen.host == "127.0.0.1"


def test_a_first_file_is_written_once_and_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "recorder.yaml"
    config.make(path, "/data/recordings")
    found = config.load(path, {})
    assert (found.place.directory, dict(found.cameras)) == (Path("/data/recordings"), {})
    path.write_text("mine")
    config.make(path, "/data/recordings")
    assert path.read_text() == "mine"


FAULTS = {
    "directory: [": (r"recorder\.yaml: line 1: ", ""),
    "[]": ("expected keys and values, found a list", "cameras"),
    "cameras: {}": (r"directory: expected a text, found nothing", "directory"),
    "directory: r\nlisten: 8080": ("listen: expected a text, found 8080", "a text"),
    "directory: r\nlisten: 'there:x'": ("listen: expected an address and a port", "127.0.0.1:8095"),
    "directory: r\nmarker: {file: x}": ("recorder.yaml: marker: id: expected a text", "id"),
    "directory: r\nbudget: {max_byte: 1G}": ('budget: "max_byte" means nothing', "did you mean max_bytes?"),
    "directory: r\nbudget: {max_bytes: lots}": ("max_bytes: expected bytes, such as 500G", "500G"),
    "directory: r\nbudget: {policy: delete}": ('expected refuse or stop or evict, found "delete"', "evict"),
    "directory: r\nbudget: {max_percent: 101}": ("a number from 1 to 100, found 101", "from 1 to 100"),
    "directory: r\nbudget: {max_percent: .nan}": ("a number from 1 to 100, found nan", "from 1 to 100"),
    "directory: r\ngrace_seconds: yes": ("grace_seconds: expected a number from 1 to 600, found true", "600"),
    "directory: r\ncameras: {../x: {url: a}}": ('"../x" can\'t be the name', "small letters"),
    "directory: r\ncameras: {door: {}}": ("cameras/door: expected either url or url_file, found neither", "url_file"),
    "directory: r\ncameras: {door: {url: a, url_file: b}}": ("found both", "url_file"),
    "directory: r\ncameras: {door: {url: a, segment_seconds: 2.5}}": ("a whole number from 2", "whole"),
    "directory: r\ncameras: {door: {url: a, flush: fast}}": ("evidence or default or hdd or archive", "hdd"),
    "directory: r\ncameras: {door: {url: a, flush: {cut: never}}}": ("cameras/door/flush: cut: expected frame", "gop"),
    "directory: r\ncameras: {door: {url: a, audio: 1}}": ("audio: expected true or false, found 1", "true or false"),
    "directory: r\ncameras: {door: a}": ("door: expected keys and values", "keys"),
    "directory: r\nbudget: {uploaded_first: true}": ("upload: expected storages", "storages"),
    "directory: r\nupload: {storages: {NAS: {bucket: b}}}": ("NAS: a storage's name", "offsite"),
    "directory: r\nupload: {storages: {nas: {}}}": ("upload/storages/nas: bucket: expected a text", "bucket"),
    "directory: r\nupload: {storages: {nas: {kind: azure, bucket: b}}}": ("nas: account: expected a text", "account"),
    "directory: r\nupload: {storages: {nas: {bucket: b, key: x}}}": ('nas: "key" means nothing', "bucket"),
    "directory: r\nfallback: {}": ("fallback: directory: expected a text", "directory"),
}


@pytest.mark.parametrize("text", FAULTS)
def test_a_fault_is_told_with_its_place_and_its_cure(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        config.load(path, {})
    says, cure = FAULTS[text]
    assert str(path) in caught.value.message
    assert says.replace("\\", "") in caught.value.message
    assert cure in caught.value.hint
    assert caught.value.code == 4


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        config.load(tmp_path / "none.yaml", {})


def test_the_thirty_third_camera_is_refused(tmp_path: Path) -> None:
    cameras = {f"c{number}": {"url": "rtsp://c/"} for number in range(32)}
    path = written(tmp_path, json.dumps({"directory": "r", "cameras": cameras}), "a.json")
    assert len(config.load(path, {}).cameras) == 32
    path.write_text(json.dumps({"directory": "r", "cameras": cameras | {"one-more": {"url": "rtsp://c/"}}}))
    with pytest.raises(ConfigError, match="33 cameras are more than the 32") as caught:
        config.load(path, {})
    assert "a second recorder" in caught.value.hint


def test_no_fault_tells_a_password(tmp_path: Path) -> None:
    for key in ("url", "url_file"):
        path = written(tmp_path, f"directory: r\ncameras: {{door: {{{key}: ['rtsp://u:geheim@c/']}}}}")
        with pytest.raises(ConfigError) as caught:
            config.load(path, {})
        assert "geheim" not in caught.value.message + caught.value.hint
    found = config.load(written(tmp_path, "directory: r\ncameras: {door: {url: 'rtsp://u:geheim@c/'}}"), {})
    assert "geheim" not in repr(found)


def test_the_token_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "secret" / "token"
    first, text = auth.token(path), path.read_text().strip()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert first.allows(f"Bearer {text}")
    assert auth.token(path).allows(f"bearer {text}")
    for wrong in ("", "Bearer", f"Bearer {text}x", f"Bearer {text[:-1]}", text, f"Basic {text}", "Bearer é\udcff"):
        assert not first.allows(wrong)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="others may read the token") as caught:
        auth.token(path)
    assert caught.value.hint == f"chmod 600 {path}"
    assert text not in repr(first)


def test_an_empty_token_lets_nobody_in(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.touch(mode=0o600)
    with pytest.raises(ConfigError, match="shorter than 16"):
        auth.token(path)


def test_a_line_of_the_log_holds_no_password(capsys: pytest.CaptureFixture[str]) -> None:
    root, ours = logging.getLogger(), logging.getLogger("usenet.recorder")
    before = (root.handlers, root.level, ours.level)
    try:
        for form in ("json", "text"):
            logs.begin(form)  # type: ignore[arg-type]
            log = logging.getLogger("usenet.recorder.test")
            log.info("asking rtsp://u:geheim@c/?password=geheim&x=1", extra={"event": "x", "url": "rtsp://u:geheim@c"})
            try:
                raise OSError("rtsp://u:geheim@c/")
            except OSError:
                log.exception("failed")
        said = capsys.readouterr().err
    finally:
        root.handlers, level, ours_level = before
        root.setLevel(level)
        ours.setLevel(ours_level)
    assert "geheim" not in said
    first = json.loads(said.splitlines()[0])
    assert (first["level"], first["event"], first["url"]) == ("info", "x", "rtsp://c")
