"""Root folders by difference: what is wanted of which drive, and that nothing is ever taken from a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from posixpath import normpath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import making
from tests import stacks as saved
from usenet.domain.binds import binds
from usenet.domain.storage import roots, spots
from usenet.domain.storage.intent import DriveSettings
from usenet.domain.storage.marker import Marker
from usenet.domain.storage.roots import Added, Difference, Has, Present, Root
from usenet.domain.storage.seen import Held, Place, Seen

HOME, DATA = "/srv/usenet", "/srv/usenet/data"
MARKER = Marker(stack="s", name="films", uuid="U")


def drive(**changes: Any) -> DriveSettings:
    return DriveSettings(**{"uuid": "U", "type": "ext4", **changes})


def seen(**changes: Any) -> Seen:
    held = Held(source="/dev/sdb1", marker=MARKER)
    return Seen(**{"data": DATA, "shared": True, "stack": "s", "places": {"films": Place(held=held)}, **changes})


def views(*services: str, **changes: Any) -> dict[str, Any]:
    settings = making.settings(*services, **changes)
    known = saved.catalog().services
    return {name: binds(name, known[name], settings, HOME, DATA, "", host=making.host()) for name in services}


def wanted(*services: str, there: Sequence[str] = (), shelf: Seen | None = None, **changes: Any) -> tuple[Root, ...]:
    places = spots.spots({"films": drive(**changes)})
    return roots.wanted(places, shelf or seen(), views(*services), {"films": frozenset(there)})


@pytest.mark.parametrize(
    ("service", "kind"),
    [("sonarr", "tv"), ("radarr", "movies"), ("lidarr", "music"), ("readarr", "books"), ("whisparr", "adult")],
)
def test_each_service_has_its_directory_as_it_sees_it(service: str, kind: str) -> None:
    (root,) = wanted(service)
    assert root.path == f"/data/drives/films/media/{kind}"
    assert root.host == f"{DATA}/drives/films/media/{kind}"
    assert root.wait == ""


def test_the_reader_gets_what_is_there_and_what_will_be() -> None:
    found = wanted("radarr", "jellyfin", there=("music", "photos"))
    assert {(one.service, one.kind) for one in found} == {
        ("radarr", "movies"),
        ("jellyfin", "movies"),
        ("jellyfin", "music"),
    }
    assert {one.path for one in found if one.service == "jellyfin"} == {
        "/data/drives/films/media/movies",
        "/data/drives/films/media/music",
    }


@pytest.mark.parametrize("role", ["downloads", "recordings", "backup"])
def test_a_drive_for_something_else_has_none(role: str) -> None:
    assert wanted("sonarr", "radarr", "jellyfin", there=("movies",), role=role) == ()


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (None, "the drive is away"),
        (Held(source="/dev/sdb1", alive=False, marker=MARKER), "the drive does not answer"),
        (Held(source="/dev/sdb1"), "no marker of this stack"),
        (Held(source="/dev/sdb1", marker=Marker(stack="other", name="films", uuid="U")), "no marker of this stack"),
        (Held(source="/dev/sdb1", marker=Marker(stack="s", name="films", uuid="V")), "no marker of this stack"),
        (Held(source="/dev/sdb1", read_only=True, marker=MARKER), "read-only"),
    ],
)
def test_nothing_is_added_for_a_drive_that_can_not_be_written_to(held: Held | None, words: str) -> None:
    found = wanted("radarr", shelf=seen(places={"films": Place(held=held)}))
    plan = roots.difference(found, {"radarr": Has()}, (), spots.spots({"films": drive()}))
    assert plan.adds == ()
    assert words in plan.notes[0]


def test_a_read_only_drive_is_shown_and_not_sorted_into() -> None:
    held = Held(source="/dev/sdb1", read_only=True)
    found = wanted(
        "radarr", "jellyfin", there=("movies",), shelf=seen(places={"films": Place(held=held)}), read_only=True
    )
    has = {"radarr": Has(), "jellyfin": Has(libraries={"Films": "movies"})}
    plan = roots.difference(found, has, (), spots.spots({"films": drive(read_only=True)}))
    assert [(one.root.service, one.library) for one in plan.adds] == [("jellyfin", "Films")]


def test_a_service_that_may_only_read_gets_no_root_folder() -> None:
    own = views("radarr", services={"radarr": {"data": "read"}})
    (root,) = roots.wanted(spots.spots({"films": drive()}), seen(), own, {"films": frozenset()})
    assert root.wait == "radarr may only read there"


def test_a_service_that_does_not_see_drives_gets_none() -> None:
    (root,) = roots.wanted(spots.spots({"films": drive()}), seen(), {"radarr": ()}, {"films": frozenset()})
    assert "does not see" in root.wait


@pytest.mark.parametrize(
    ("type_", "umask", "mode"),
    [("ext4", "002", 0o2775), ("xfs", "022", 0o2755), ("exfat", "002", 0o775), ("ntfs", "007", 0o770)],
)
def test_the_mode_is_that_of_the_stack(type_: str, umask: str, mode: int) -> None:
    assert spots.mode(spots.spots({"films": drive(type=type_)})["films"], seen(umask=umask)) == mode


@pytest.mark.parametrize("path", ["/data/drives/films/media/movies", "/data/drives/films/media/movies/"])
def test_what_is_there_needs_no_call(path: str) -> None:
    plan = roots.difference(wanted("radarr"), {"radarr": Has(present=(Present(id="1", path=path),))}, (), {})
    assert (plan.adds, plan.removes, plan.notes) == ((), (), ())


@pytest.mark.parametrize("path", ["/data", "/data/drives/films/", "/data/drives/films/media/movies/kids"])
def test_no_root_folder_lies_in_another(path: str) -> None:
    plan = roots.difference(wanted("radarr"), {"radarr": Has(present=(Present(id="1", path=path),))}, (), {})
    assert plan.adds == ()
    assert path in plan.notes[0]


def test_a_path_that_only_begins_alike_is_another() -> None:
    beside = Has(present=(Present(id="1", path="/data/drives/films/media/movies-old"),))
    assert len(roots.difference(wanted("radarr"), {"radarr": beside}, (), {}).adds) == 1


def library(has: Has) -> Difference:
    return roots.difference(
        wanted("jellyfin", there=("movies",)), {"jellyfin": has}, (), spots.spots({"films": drive()})
    )


def test_the_library_is_the_only_one_of_its_kind_or_the_one_of_the_data_root() -> None:
    two = {"Kids": "movies", "Films": "movies", "Shows": "tvshows"}
    assert library(Has(libraries={"F": "movies", "S": "tvshows"})).adds[0].library == "F"
    assert "no library of the kind movies" in library(Has(libraries={"S": "tvshows"})).notes[0]
    assert "nobody can tell" in library(Has(libraries=two)).notes[0]
    own = (Present(id="Films", path="/data/media/movies"), Present(id="Kids", path="/kids"))
    assert library(Has(libraries=two, present=own)).adds[0].library == "Films"


OLD = Added(service="radarr", drive="old", path="/data/drives/old/media/movies")


def gone(
    used: str = "", drives: Mapping[str, DriveSettings] | None = None, ours: Sequence[Added] = (OLD,)
) -> Difference:
    has = {"radarr": Has(present=(Present(id="7", path=OLD.path + "/", used=used),))}
    return roots.difference((), has, ours, spots.spots(drives or {}))


def test_what_we_added_goes_with_its_drive() -> None:
    (remove,) = gone().removes
    assert (remove.service, remove.present.id) == ("radarr", "7")
    assert gone(drives={"old": drive(role="backup")}).removes != ()


def test_what_is_used_stays_and_is_said() -> None:
    plan = gone(used="Alien")
    assert plan.removes == ()
    assert plan.notes == (f"radarr: {OLD.path} stays, though old is no drive of its own for media now; in use: Alien",)
    assert plan.kept == (OLD,)


def test_what_a_person_added_stays() -> None:
    assert gone(ours=()).removes == ()


def test_a_drive_that_is_only_away_keeps_everything() -> None:
    assert gone(drives={"old": drive()}).removes == ()


def test_a_service_that_does_not_run_is_left_alone() -> None:
    plan = roots.difference(wanted("sonarr"), {}, (OLD,), {})
    assert (plan.adds, plan.removes, plan.kept) == ((), (), (OLD,))


def pooled(used: str = "") -> Difference:
    """What is called for where the drive, which had its own paths, is in the pool now."""
    places = spots.spots({"films": drive()}, ["films"])
    held = Held(source="usenet-pool", marker=MARKER)
    shelf = seen(places={"films": seen().places["films"], "pool": Place(held=held)})
    want = roots.wanted(places, shelf, views("radarr", "jellyfin"), {"pool": frozenset()})
    path = "/data/drives/films/media/movies"
    has = {
        "radarr": Has(present=(Present(id="1", path=path, used=used),)),
        "jellyfin": Has(present=(Present(id="F", path=path, used=used),), libraries={"F": "movies"}),
    }
    return roots.difference(want, has, [Added(service=s, drive="films", path=path) for s in has], places)


def test_the_pool_takes_the_place_of_its_drives() -> None:
    plan = pooled()
    assert {(one.root.service, one.root.path) for one in plan.adds} == {
        ("radarr", "/data/drives/pool/media/movies"),
        ("jellyfin", "/data/drives/pool/media/movies"),
    }
    assert {one.service for one in plan.removes} == {"radarr", "jellyfin"}


def test_no_library_shows_a_file_twice() -> None:
    plan = pooled(used="Alien")
    assert [one.root.service for one in plan.adds] == ["radarr"]
    assert plan.removes == ()
    assert any("twice" in note for note in plan.notes)


def test_a_pool_of_drives_for_something_else_has_none() -> None:
    assert spots.spots({"old": drive(role="backup")}, ["old"]) == {}


@pytest.mark.parametrize(("held", "words"), [(None, "the pool is away"), (Held(source="x", alive=False), "not answer")])
def test_a_pool_that_is_away_is_said(held: Held | None, words: str) -> None:
    places = spots.spots({"films": drive()}, ["films"])
    assert words in spots.ready("pool", places["pool"], seen(places={"pool": Place(held=held)}))


NAMES = ("a", "b", "c", "d")
SERVICES = ("sonarr", "radarr", "jellyfin")
names = st.sampled_from(NAMES)


@st.composite
def situations(draw: st.DrawFn) -> tuple[Any, ...]:
    """Some drives in some states, services that have some of the paths and others, and what we added of it."""
    drives = {
        name: drive(uuid=name, role=draw(st.sampled_from(["media", "media", "backup"])))
        for name in draw(st.sets(names))
    }
    places = {
        name: Place(held=Held(source=f"/dev/{name}", marker=Marker(stack="s", name=name, uuid=name)))
        for name in draw(st.sets(names))
    }
    members = draw(st.sets(st.sampled_from(sorted(drives)))) if drives else set()
    if members and draw(st.booleans()):
        places["pool"] = Place(held=Held(source="usenet-pool", marker=Marker(stack="s", name="x", uuid="x")))
    there = {name: frozenset(draw(st.sets(st.sampled_from(["movies", "tv", "music"])))) for name in (*NAMES, "pool")}
    kinds_ = st.sampled_from(["movies", "tv", "music"])
    paths = st.builds("/data/drives/{}/media/{}".format, names | st.just("pool"), kinds_) | st.just("/data/media/tv")
    has: dict[str, Has] = {}
    for service in draw(st.sets(st.sampled_from(SERVICES))):
        held = [
            Present(id=f"{n}", path=path + draw(st.sampled_from(["", "/"])), used=draw(st.sampled_from(["", "Alien"])))
            for n, path in enumerate(draw(st.sets(paths)))
        ]
        libraries = {"F": "movies", "S": "tvshows"} if service == "jellyfin" else None
        held = [replace(one, id="F") if libraries else one for one in held]
        has[service] = Has(present=tuple(held), libraries=libraries)
    pool = [
        Added(service=s, drive=normpath(p.path).split("/")[3], path=normpath(p.path))
        for s, one in has.items()
        for p in one.present
        if "/drives/" in p.path
    ]
    pool.append(Added(service="radarr", drive="a", path="/data/drives/a/media/nowhere"))
    ours = tuple(draw(st.lists(st.sampled_from(pool), unique=True)))
    return spots.spots(drives, members), seen(places=places), views(*SERVICES), there, has, ours


def applied(
    plan: Difference, has: Mapping[str, Has], ours: Sequence[Added]
) -> tuple[dict[str, Has], tuple[Added, ...]]:
    """What the services have, and what we know of it, once every call of a plan was made."""
    after = dict(has)
    record = list(plan.kept)
    for add in plan.adds:
        one = Present(id=add.library or "99", path=add.root.path)
        after[add.root.service] = replace(after[add.root.service], present=(*after[add.root.service].present, one))
        record.append(Added(service=add.root.service, drive=add.root.drive, path=add.root.path))
    for remove in plan.removes:
        rest = tuple(one for one in after[remove.service].present if one != remove.present)
        after[remove.service] = replace(after[remove.service], present=rest)
        record = [o for o in record if (o.service, o.path) != (remove.service, normpath(remove.present.path))]
    return after, tuple(record)


@given(situations())
def test_the_calls_lead_to_what_is_wanted_and_then_there_are_none(situation: tuple[Any, ...]) -> None:
    places, shelf, own, there, has, ours = situation
    want = roots.wanted(places, shelf, own, there)
    plan = roots.difference(want, has, ours, places)
    after, record = applied(plan, has, ours)
    added = {(one.root.service, one.root.path) for one in plan.adds}

    again = roots.difference(want, after, record, places)
    assert (again.adds, again.removes) == ((), ())
    assert again.kept == record
    for root in want:
        # There is no library for music, and none shows a pool beside what is in it.
        shown = root.service != "jellyfin" or (root.kind != "music" and root.drive != "pool")
        if root.service in has and not root.wait and shown:
            assert root.path in {normpath(one.path) for one in after[root.service].present}
    for remove in plan.removes:
        assert not remove.present.used
        owner = next(o for o in ours if (o.service, o.path) == (remove.service, normpath(remove.present.path)))
        assert owner.drive not in places
    for service, before in has.items():
        removed = {one.present for one in plan.removes if one.service == service}
        assert set(before.present) - removed <= set(after[service].present)
    assert all(one.root.drive in places for one in plan.adds)
    assert len(added) == len(plan.adds)
