"""What can be wrong with the storage of a stack, decided without a machine."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from usenet.actions.storage import check
from usenet.actions.storage import inside as looking
from usenet.actions.storage.shelf import Shelf
from usenet.adapters.home import Home
from usenet.adapters.storage import inside
from usenet.domain.errors import SystemFailure
from usenet.domain.host import Cpu, Drive, Filesystem, Host, Memory, System
from usenet.domain.settings import Settings
from usenet.domain.storage import checks
from usenet.domain.storage import inside as faults
from usenet.domain.storage.checks import Entry, Own, OwnBelow
from usenet.domain.storage.converge import converge
from usenet.domain.storage.inside import InsideBind, Pair
from usenet.domain.storage.intent import DriveSettings
from usenet.domain.storage.marker import Marker
from usenet.domain.storage.offers import Offer
from usenet.domain.storage.seen import Held, Place, Seen
from usenet.domain.storage.steps import Detach

OFFER = Offer(
    device="/dev/sdb1",
    drive=Drive(name="sdb", path="/dev/sdb", size=1),
    size=1,
    filesystem=Filesystem(source="/dev/sdb1", type="ext4", uuid="u1"),
)
FILMS = {"films": DriveSettings(uuid="u1", type="ext4")}
ALL = InsideBind(source="/d", target="/data", writable=True, propagation="rslave")
LINK = Pair(source="/data/torrents", target="/data/media")


def _right() -> Seen:
    """Everything as it should be."""
    held = Held(source="/dev/sdb1", marker=Marker(stack="s", name="films", uuid="u1"))
    seen = Seen(
        data="/d",
        shared=True,
        stack="s",
        offers=(OFFER,),
        drivers=frozenset({"ext4"}),
        places={"films": Place(held=held)},
    )
    persist = converge(FILMS, seen).steps[-1]
    return replace(seen, lines=persist.lines)  # type: ignore[union-attr]


def _told(seen: Seen) -> list[str]:
    return [f"{p.about}: {p.what}" for p in checks.of_steps(converge(FILMS, seen), seen)]


def test_what_is_right_is_no_problem() -> None:
    assert _told(_right()) == []
    assert list(checks.of_markers(FILMS, _right())) == []


@pytest.mark.parametrize(
    ("change", "about", "word"),
    [
        ({"shared": False}, "/d", "private mount"),
        ({"lines": ()}, "/d", "fstab"),
        ({"places": {"films": Place(guarded=True)}}, "films", "not mounted"),
        ({"places": {"films": Place()}}, "films", "not guarded"),
        ({"places": {"films": Place(held=Held(source="/dev/sdb1", alive=False))}}, "films", "does not answer"),
        ({"offers": (), "places": {"films": Place(guarded=True)}}, "films", "not plugged in"),
        ({"offers": ()}, "films", "the drive is gone"),
    ],
)
def test_what_is_not_as_wanted_is_said_in_words(change: dict[str, object], about: str, word: str) -> None:
    seen = replace(_right(), **change)  # type: ignore[arg-type]
    assert [told for told in _told(seen) if told.startswith(f"{about}:") and word in told], _told(seen)


def test_a_drive_without_its_marker_is_told() -> None:
    seen = replace(_right(), places={"films": Place(held=Held(source="/dev/sdb1"))})
    assert _told(seen) == ["films: it has no marker", "films: it is there and not mounted"], "and may be another"
    (problem,) = checks.of_markers(FILMS, seen)
    assert "no marker" in problem.what
    assert "storage add u1 --name films" in problem.cure
    assert list(checks.of_markers({"films": DriveSettings(uuid="u1", read_only=True)}, seen)) == []


@pytest.mark.parametrize(("propagation", "wrong"), [("rslave", 0), ("rshared", 0), ("rprivate", 1), ("", 1)])
def test_a_bind_that_hides_later_drives_is_a_problem(propagation: str, wrong: int) -> None:
    for source in ("/d", "/d/drives"):
        bind = replace(ALL, source=source, propagation=propagation)
        assert len(list(faults.of_binds("sonarr", [bind], "/d/drives"))) == wrong
    for source in ("/d/media", "/d/drives-old", "/etc"):
        assert not list(faults.of_binds("sonarr", [replace(ALL, source=source, propagation="")], "/d/drives"))


def test_a_drive_that_a_service_does_not_see_is_told() -> None:
    drives = replace(ALL, source="/d/drives", target="/data/drives")
    mounted = {"/d/drives/films": "8:17"}
    for binds in ([ALL], [drives]):
        assert not list(faults.unseen("s", binds, {"/data/drives/films": "8:17"}, mounted))
        (old,) = faults.unseen("s", binds, {"/data/drives/films": "8:33"}, mounted)
        assert "/data/drives/films is an earlier drive" in old.what
        (empty,) = faults.unseen("s", binds, {}, mounted)
        assert "/data/drives/films is an empty directory" in empty.what
    assert not list(faults.unseen("s", [replace(ALL, source="/d/media")], {}, mounted))


def test_links_are_tried_where_both_sides_can_be_written() -> None:
    def tried(*binds: InsideBind) -> list[tuple[str, str]]:
        return [(p.source, p.target) for p in faults.pairs(binds, ["/data", "/data/drives/films"])]

    both = [
        (f"{base}/{down}", f"{base}/media")
        for base in ("/data", "/data/drives/films")
        for down in ("torrents", "usenet/complete")
    ]
    assert tried(ALL) == both
    assert tried(replace(ALL, writable=False)) == []
    media = replace(ALL, source="/d/media", target="/data/media")
    assert tried(ALL, replace(media, writable=False)) == both[2:]
    assert tried(media) == []
    assert tried(media, replace(ALL, source="/x/torrents", target="/data/torrents")) == both[:1]


def test_why_a_link_fails() -> None:
    holding = {"/": "/dev/sda2", "/d/media": "server:/films"}
    apart = replace(ALL, source="/x", target="/data/torrents")
    cross = "ln: failed to create hard link: Invalid cross-device link"

    def why(said: str, *binds: InsideBind, mounts: dict[str, str] = holding) -> str:
        found = faults.of_link("sonarr", LINK, said, binds, mounts)
        return found.what if found else ""

    assert why("", ALL) == ""
    assert "one is on /dev/sda2 (/), the other on server:/films (/d/media)" in why(cross, ALL)
    assert "they are two mounts inside" in why("ln: x: Cross-device link", ALL, apart)
    assert "keeps each file where its directory is" in why(cross, ALL, mounts={"/": "/dev/sda2"})
    assert why("touch: Permission denied", ALL).endswith("into /data/media: touch: Permission denied")


@pytest.mark.parametrize(
    ("entry", "umask", "repair"),
    [
        (Entry(uid=1000, gid=1000, mode=0o2775), "002", None),
        (Entry(uid=1000, gid=1000, mode=0o2770), "002", None),
        (Entry(uid=1000, gid=1000, mode=0o2755), "022", None),
        (Entry(uid=1000, gid=1000, mode=0o2755), "002", 0o2775),
        (Entry(uid=1000, gid=1000, mode=0o0775), "002", 0o2775),
        (Entry(uid=1000, gid=1000, mode=0o2575), "002", 0o2775),
        (Entry(uid=0, gid=1000, mode=0o2775), "002", 0o2775),
        (Entry(uid=1000, gid=0, mode=0o2700), "022", 0o2750),
    ],
)
def test_owner_and_mode_of_a_directory(entry: Entry, umask: str, repair: int | None) -> None:
    problems, repairs = checks.of_directories({"/d": entry}, uid=1000, gid=1000, umask=umask)
    assert [one.mode for one in repairs] == ([] if repair is None else [repair])
    assert len(problems) == len(repairs)


def test_missing_directories_are_one_problem_without_a_repair_of_owners() -> None:
    found = {f"/d/media/{n}": None for n in range(9)}
    (problem,), repairs = checks.of_directories(found, uid=1, gid=1, umask="002")
    assert problem.about == "/d/media"
    assert "and 6 more" in problem.what
    assert repairs == ()


def test_a_repair_says_how_far_it_goes() -> None:
    assert "not what is in it" in checks.describe(Own(path="/d", uid=1, gid=2, mode=0o2775))
    assert "give 12345 files" in checks.describe(OwnBelow(path="/d", uid=1, gid=2, entries=12345))


def test_binds_are_read_from_what_the_engine_says() -> None:
    mounts = [
        {"Type": "bind", "Source": "/d", "Destination": "/data", "RW": True, "Propagation": "rslave"},
        {"Type": "volume", "Name": "x", "Destination": "/cache", "RW": True, "Propagation": ""},
    ]
    assert inside.binds({"Mounts": mounts}) == (ALL,)
    assert inside.binds({"Mounts": None}) == ()


def test_a_dry_run_makes_no_file_inside_a_service_and_says_what_it_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    bound = [{"Type": "bind", "Source": "/d", "Destination": "/data", "RW": True, "Propagation": "rslave"}]
    sonarr = {"Id": "c1", "State": {"Pid": 0}, "Config": {}, "Mounts": bound}
    monkeypatch.setattr(looking, "_running", lambda _: {"sonarr": sonarr})
    monkeypatch.setattr(inside, "mounts", lambda _: None)
    monkeypatch.setattr(inside, "link", lambda container, *_: tried.append(container) or {})
    host = Host(
        cpu=Cpu(model="", cores=1, threads=1, architecture=""),
        memory=Memory(total=1, available=1),
        system=System(kernel="", distribution=""),
        sources={},
    )
    shelf = Shelf(Home(Path("/h")), Settings(), host, _right())
    assert "was not tried" in looking.look(shelf, (), (), dry_run=True)[1][-1]
    assert tried == []
    assert looking.look(shelf, (), ()) == ((), ())
    assert tried == ["c1"]


def test_nothing_is_mended_for_a_plain_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    gone, below = Detach(target="/d/drives/films", because="gone"), OwnBelow(path="/d/media", uid=1, gid=1, entries=2)
    found = check.Checked(problems=(), steps=(gone,), repairs=(below,))
    with pytest.raises(SystemFailure, match="only root can do this, nothing was changed"):
        check.fix(Home(tmp_path), found, say=pytest.fail)
    assert list(tmp_path.iterdir()) == []
