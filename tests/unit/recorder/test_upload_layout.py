"""Which files are segments, and what they are called over there; and secrets, which are shown nowhere."""

from __future__ import annotations

import os
import pickle
import time
from pathlib import Path

import pytest

from usenet.recorder.errors import RecorderError
from usenet.recorder.io import Files
from usenet.recorder.upload.credentials import Secret, credentials
from usenet.recorder.upload.layout import Tree, head_of, journal_of, key_of, storage_name
from usenet.recorder.upload.storage import Refused
from usenet.recorder.upload.targets import Target, open_storage, uploads

from .uploads.segments import NAME, Growing


@pytest.mark.parametrize(
    ("path", "prefix", "key"),
    [
        (f"front/{NAME}", "home", f"home/front/2026/11/21/{NAME}"),
        (f"front/{NAME}", "", f"front/2026/11/21/{NAME}"),
        (f"yard/gate/{NAME}", "/a/b/", f"a/b/yard/gate/2026/11/21/{NAME}"),
        (NAME, "p", f"p/2026/11/21/{NAME}"),
        ("c/20261121T172229.250Z-2.mp4", "", "c/2026/11/21/20261121T172229.250Z-2.mp4"),
    ],
)
def test_keys(path: str, prefix: str, key: str) -> None:
    assert key_of(Path("/r", path), Path("/r"), prefix) == key


def test_only_segments_are_found(tmp_path: Path) -> None:
    camera = tmp_path / "front"
    camera.mkdir()
    other = "20261121T180000.000Z.mp4"
    for name in (NAME, f"{other}.part", f"{other}.index", f"{other}.commit", "holiday.mp4", f"{NAME}.bak", "x.part"):
        (camera / name).touch()
    gone = camera / "20261121T190000.000Z.mp4"
    journal_of(gone, "near").touch()
    journal_of(camera / NAME, "far").touch()
    seen = Tree(tmp_path, "near").look()
    assert seen.finished == {camera / NAME}
    assert seen.live == {camera / other}
    assert seen.journals == {gone}


def test_a_segment_under_both_its_names_is_finished(tmp_path: Path) -> None:
    (tmp_path / NAME).touch()
    (tmp_path / f"{NAME}.part").touch()
    seen = Tree(tmp_path, "near").look()
    assert (seen.finished, seen.live) == ({tmp_path / NAME}, frozenset())


def test_a_look_sees_what_changed_since_the_last(tmp_path: Path) -> None:
    tree, directory = Tree(tmp_path, "near"), tmp_path / "deep" / "front"
    assert not tree.look().live
    directory.mkdir(parents=True)
    live = directory / f"{NAME}.part"
    live.touch()
    assert tree.look().live == {directory / NAME}
    for each in (directory, directory.parent, tmp_path):
        os.utime(each, (1e9, 1e9))  # long ago: nothing has changed since
    assert tree.look() == tree.look()
    live.rename(directory / NAME)
    assert tree.look().finished == {directory / NAME}
    (directory / NAME).unlink()
    assert tree.look() == Tree(tmp_path, "near").look()


def test_a_directory_that_did_not_change_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, real = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda directory: (read.append(directory), real(directory))[1])
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / NAME).touch()
    os.utime(tmp_path / "old", (1e9, 1e9))
    soon = time.time() + 3600
    os.utime(tmp_path, (soon, soon))  # as if it changed this very moment, however long the looks take
    tree = Tree(tmp_path, "near")
    assert tree.look() == tree.look() == tree.look()
    assert read.count(f"{tmp_path}/old") == 1
    assert read.count(str(tmp_path)) == 3  # it may change again in the same instant


def test_a_directory_that_is_not_there_has_no_segments(tmp_path: Path) -> None:
    assert not Tree(tmp_path / "none", "near").look().finished


@pytest.mark.parametrize("name", ["", "A", "a/b", "../x", "a.b", "-a", "a" * 64])
def test_names_that_are_no_storage(name: str) -> None:
    with pytest.raises(ValueError, match="small letters"):
        storage_name(name)


def test_the_head_ends_where_the_chunks_begin(tmp_path: Path) -> None:
    growing = Growing(tmp_path, head=444)
    assert head_of(Files(), str(growing.part)) == 444
    growing.grow(1000)
    assert head_of(Files(), str(growing.part)) == 444
    assert head_of(Files(), str(growing.finish())) is None


def test_secrets_come_from_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# of the bucket\nAWS_ACCESS_KEY_ID = me\n\nAWS_SECRET_ACCESS_KEY=a=b/c+\nOTHER=x\n")
    for mode in (0o644, 0o640, 0o604):
        file.chmod(mode)
        with pytest.raises(RecorderError, match="others can read") as told:
            credentials(file, "AWS_ACCESS_KEY_ID")
        assert "chmod 600" in told.value.hint
    file.chmod(0o600)
    found = credentials(file, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "MISSING")
    assert {name: secret.reveal() for name, secret in found.items()} == {
        "AWS_ACCESS_KEY_ID": "me",
        "AWS_SECRET_ACCESS_KEY": "a=b/c+",
    }


def test_a_file_is_all_that_is_asked_where_one_is_named(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.touch(0o600)
    assert credentials(file, "A", environment={"A": "1"}) == {}
    assert credentials(None, "A", "B", environment={"A": "1", "B": ""})["A"].reveal() == "1"
    with pytest.raises(RecorderError, match="No such file"):
        credentials(tmp_path / "none", "A")


def test_a_secret_is_shown_nowhere() -> None:
    secret = Secret("hush")
    for text in (str(secret), repr(secret), f"{secret}", f"{[secret]}", f"{secret!r:>5}"):
        assert "hush" not in text
    with pytest.raises(TypeError):
        pickle.dumps(secret)


@pytest.mark.parametrize("kind", ["s3", "azure", "gcs"])
def test_a_storage_is_opened_by_plain_words_and_shows_no_secret(kind: str) -> None:
    environment = {
        **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "GCS_ACCESS_KEY_ID"), "hush"),
        **dict.fromkeys(("GCS_SECRET_ACCESS_KEY", "AZURE_STORAGE_KEY"), "hush"),
    }
    storage = open_storage(Target("far", kind, "bucket", account="me"), environment)  # type: ignore[arg-type]
    assert storage.name == "far"
    assert "bucket" in repr(storage)
    assert "hush" not in repr(storage) + repr(vars(storage))


@pytest.mark.parametrize("kind", ["s3", "azure", "gcs"])
def test_credentials_are_read_when_they_are_needed(kind: str, tmp_path: Path) -> None:
    missing = open_storage(Target("far", kind, "bucket", account="me"), {})  # type: ignore[arg-type]
    with pytest.raises(Refused, match="credentials are missing"):
        missing.stat("key")
    file = tmp_path / "keys"
    storage = open_storage(Target("far", kind, "bucket", account="me", credentials=file))  # type: ignore[arg-type]
    with pytest.raises(Refused, match="No such file"):
        storage.stat("key")
    file.write_text("x")
    file.chmod(0o644)
    with pytest.raises(Refused, match="others can read"):
        storage.stat("key")


def test_every_directory_goes_to_every_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "hush")
    near, far = Target("near", "s3", "b"), Target("far", "s3", "b")
    assert [told.storage for told in uploads([near, far], [tmp_path, tmp_path / "other"]).metrics] == ["near", "far"]
    with pytest.raises(ValueError, match="same name"):
        uploads([near, near], [tmp_path])
