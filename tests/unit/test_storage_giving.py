"""Files and directories given to the user of the stack, while somebody puts links in their place."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from usenet.adapters.storage import giving, tree
from usenet.domain.errors import SystemFailure
from usenet.domain.storage.marker import FILE

ME = os.getuid(), os.getgid()


def mode(path: Path) -> int:
    return path.lstat().st_mode & 0o7777


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data root, beside a directory that is nobody's business here."""
    for folder in ("data/media/tv", "victim/tv"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "passwd").touch(0o400)
    return tmp_path / "data"


def test_what_the_user_cannot_write_to_is_counted_and_given(data: Path) -> None:
    tv = data / "media" / "tv"
    for name, its in (("run", 0o500), ("open", 0o466), ("mine", 0o600), ("group", 0o420), (FILE, 0o400)):
        (tv / name).touch()
        (tv / name).chmod(its)
    for folder in (tv / "closed", data / "media" / "lost+found"):
        folder.mkdir(0o500)
    (tv / "link").symlink_to(data.parent / "victim" / "tv" / "passwd")
    os.mkfifo(tv / "pipe", 0o400)
    assert tree.foreign(str(data / "media"), *ME, data=str(data)) == 4  # passwd, run, closed and pipe
    tree.own_below(str(data / "media"), *ME, data=str(data))
    assert {path.name: mode(path) for path in tv.iterdir() if path.name != "link"} == {
        "passwd": 0o600, "run": 0o700, "open": 0o466, "mine": 0o600, "group": 0o420, FILE: 0o400, "closed": 0o700,
        "pipe": 0o600,
    }  # fmt: skip
    assert mode(data / "media" / "lost+found") == 0o500
    assert mode(data.parent / "victim" / "tv" / "passwd") == 0o400
    assert tree.foreign(str(data / "media"), *ME, data=str(data)) == 0


def swapped(monkeypatch: pytest.MonkeyPatch, call: str, when: Callable[[object], bool], path: Path, to: Path) -> None:
    """In the moment before giving makes a call, `path` is moved away and a link is in its place."""
    real = getattr(os, call)

    def late(first: object, *rest: object, **more: object) -> object:
        if when(first) and not path.is_symlink():
            path.rename(path.with_name("aside"))
            path.symlink_to(to)
        return real(first, *rest, **more)

    monkeypatch.setattr(os, call, late)


@pytest.mark.parametrize("call", ["open", "chmod", "chown", "listdir"])
@pytest.mark.parametrize("name", ["tv", "passwd"])
def test_a_link_in_the_place_of_what_was_looked_at_leads_nowhere(
    call: str, name: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = data.parent / "victim" / "tv"
    path, to = (data / "media/tv", victim) if name == "tv" else (data / "media/tv/passwd", victim / "passwd")
    deep = {
        "open": lambda first: first == name,
        "listdir": lambda first: "tv" in str(Path(f"/proc/self/fd/{first}").readlink()),
    }
    before = mode(victim)
    swapped(monkeypatch, call, deep.get(call, lambda _: True), path, to)
    giving.main(["give", str(data), str(data / "media"), *map(str, ME)])
    assert path.is_symlink(), "the link was put there in time"
    assert (mode(victim), mode(victim / "passwd")) == (before, 0o400)


@pytest.mark.parametrize("path", ["media/link", "media/link/tv"])
def test_no_link_below_the_data_root_is_followed(path: str, data: Path) -> None:
    victim = data.parent / "victim"
    (data / "media" / "link").symlink_to(victim / "tv" if path == "media/link" else victim)
    before = mode(victim / "tv")
    for do in (tree.own_below, tree.foreign):
        with pytest.raises(SystemFailure, match=path):
            do(str(data / path), *ME, data=str(data))
    with pytest.raises(SystemFailure, match=path):
        tree.own(str(data / path), *ME, 0o2777, data=str(data))
    assert (mode(victim / "tv"), mode(victim / "tv" / "passwd")) == (before, 0o400)


def test_the_data_root_may_be_a_link_and_one_directory_is_given_alone(data: Path) -> None:
    (data.parent / "elsewhere").symlink_to(data)
    root = data.parent / "elsewhere"
    tree.own(str(root), *ME, 0o2770, data=str(root))
    tree.own(str(root / "media" / "tv"), *ME, 0o2750, data=str(root))
    assert (mode(data), mode(data / "media" / "tv"), mode(data / "media" / "tv" / "passwd")) == (0o2770, 0o2750, 0o400)


def test_what_can_not_be_looked_at_is_told(data: Path, monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    def broken(*_: object) -> list[str]:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "listdir", broken)
    assert giving.main(["count", str(data), str(data / "media"), *map(str, ME)]) == 1
    assert capfd.readouterr().err == f"{data}/media: Input/output error"
