"""Steps are printed before they happen, so each says what it does."""

from __future__ import annotations

import pytest

from tests import stacks
from usenet.domain import steps
from usenet.domain.steps import Create, GetImage, MakeDirectories, MakeSecrets, Start, Step, Wait, WriteStack


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (MakeDirectories(("/a",), 1000, 1000, 0o750), "make directory /a for 1000:1000, mode 0750"),
        (MakeDirectories(("/p/a", "/p/b"), 1, 2, 0o2775), "make 2 directories in /p for 1:2, mode 2775"),
        (MakeSecrets({"A_KEY": "hex32", "B": "password"}), "make 2 secrets in .env: A_KEY, B"),
        (GetImage("tv", "example.org/tv:1", ""), "pull image example.org/tv:1 for tv"),
        (GetImage("tv", "usenet/tv:b", "tv"), "build image usenet/tv:b for tv"),
        (WriteStack(("compose.yaml",), ("files/x/y",)), "write stack/compose.yaml, remove stack/files/x/y"),
        (Start(("a", "b")), "start a, b"),
        (Create(("a", "b"), alone=True), "create a, b"),
        (Create(("a",), off=("b",)), "create a, remove b (off)"),
        (Create((), off=("b",)), "remove b (off)"),
        (Wait(("a", "b")), "wait until healthy: a, b"),
    ],
)
def test_every_step_in_words(step: Step, text: str) -> None:
    assert steps.describe(step) == text


def test_directories_are_owned_by_the_media_user_with_the_modes_of_the_layout() -> None:
    plan = stacks.plan(stacks.HOSTS["intel-igpu"], stacks.settings(stacks.sets()["default"], data="/pool"))
    data, own = steps.directories(plan)
    assert (data.mode, own.mode) == (0o2775, 0o750)
    assert {(s.uid, s.gid) for s in (data, own)} == {(1000, 1000)}
    kinds = ("movies", "tv", "music", "books", "comics")
    wanted = {f"/pool/{base}/{kind}" for base in ("torrents", "usenet/complete", "media") for kind in kinds}
    assert wanted | {"/pool", "/pool/usenet/incomplete"} <= {*data.paths}
    assert all(path == "/pool" or path.startswith("/pool/") for path in data.paths)
    assert {"/srv/usenet/config/jellyfin/cache", "/srv/usenet/config/sonarr"} <= {*own.paths}
    assert all(path.startswith("/srv/usenet/config/") for path in own.paths)


@pytest.mark.parametrize("name", stacks.sets())
def test_every_directory_that_is_bound_is_made_beforehand(name: str) -> None:
    """The engine would make a missing one root's, or refuse."""
    plan = stacks.plan(stacks.HOSTS["amd"], stacks.settings(stacks.sets()[name]))
    made = {path for step in steps.directories(plan) for path in step.paths}
    bound = {b.source for g in plan.grants.values() for b in g.binds if b.directory}
    assert bound <= made
    for step in steps.directories(plan):
        assert list(step.paths) == sorted(step.paths), "parents first"
    assert not any(path.startswith(("/var", "/proc", "/sys", "/run")) for path in made)


def test_waves_start_in_order_and_orphans_go_once() -> None:
    plan = stacks.plan(stacks.HOSTS["amd"], stacks.settings(("sonarr", "bazarr", "prowlarr")))
    assert steps.starts(plan, frozenset(), ("gone",)) == (
        Create(("prowlarr", "sonarr", "bazarr"), off=("gone",)),
        Start(("prowlarr",)),
        Wait(("prowlarr",)),
        Start(("sonarr",)),
        Wait(("sonarr",)),
        Start(("bazarr",)),
        Wait(("bazarr",)),
    )


def test_only_what_was_asked_for_starts_and_nothing_is_removed() -> None:
    plan = stacks.plan(stacks.HOSTS["amd"], stacks.settings(("sonarr", "bazarr", "prowlarr")))
    assert steps.starts(plan, frozenset({"bazarr"})) == (
        Create(("bazarr",), alone=True),
        Start(("bazarr",)),
        Wait(("bazarr",)),
    )


def test_compose_may_see_to_what_they_depend_on_where_that_is_created_too() -> None:
    plan = stacks.plan(stacks.HOSTS["amd"], stacks.settings(("sonarr", "bazarr", "prowlarr")))
    first, *_ = steps.starts(plan, frozenset({"prowlarr", "sonarr"}))
    assert first == Create(("prowlarr", "sonarr"))
