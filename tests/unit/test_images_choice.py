"""Where an image comes from, and why; what can't be had is said, never guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usenet.domain import images
from usenet.domain.plan import Observed
from usenet.domain.settings import ImageSource

REMOTE, MADE = "example.org/tv:1", "usenet/tv:bookworm-1"
RECIPE = {"tv": MADE}


@pytest.mark.parametrize(
    ("reference", "registry"),
    [
        ("jellyfin/jellyfin:1", "docker.io"),
        ("caddy:2", "docker.io"),
        ("lscr.io/linuxserver/sonarr:4", "lscr.io"),
        ("localhost/x:1", "localhost"),
        ("localhost:5000/x:1", "localhost:5000"),
        ("nas:5000/x:1", "nas:5000"),
        ("registry.example.org/a/b/c:1", "registry.example.org"),
        ("usenet/aria2:bookworm", "docker.io"),
    ],
)
def test_registry(reference: str, registry: str) -> None:
    assert images.registry(reference) == registry


@pytest.mark.parametrize(
    ("source", "reference", "observed", "expected"),
    [
        ("auto", REMOTE, Observed(), (REMOTE, "", "from example.org")),
        ("auto", REMOTE, Observed(reachable={"example.org": True}, buildable=RECIPE), (REMOTE, "", "from example.org")),
        (
            "auto",
            REMOTE,
            Observed(reachable={"example.org": False}, buildable=RECIPE),
            (MADE, "tv", "made from Debian's packages: example.org does not answer"),
        ),
        (
            "auto",
            REMOTE,
            Observed(reachable={"example.org": False}),
            ("", "", "example.org does not answer, and there is no recipe to make its image here"),
        ),
        (
            "auto",
            REMOTE,
            Observed(images=frozenset({REMOTE}), reachable={"example.org": False}, buildable=RECIPE),
            (REMOTE, "", "in the engine's store"),
        ),
        (
            "auto",
            REMOTE,
            Observed(images=frozenset({MADE}), buildable=RECIPE),
            (MADE, "tv", "made here before, and in the engine's store"),
        ),
        ("pull", REMOTE, Observed(images=frozenset({MADE}), buildable=RECIPE), (REMOTE, "", "from its registry")),
        (
            "build",
            REMOTE,
            Observed(images=frozenset({REMOTE}), buildable=RECIPE),
            (MADE, "tv", "made from Debian's packages, as set"),
        ),
        (
            "build",
            REMOTE,
            Observed(images=frozenset({REMOTE})),
            ("", "", "there is no recipe to make its image here; it comes from a registry only"),
        ),
        (
            "pull",
            REMOTE,
            Observed(reachable={"example.org": False}, buildable=RECIPE),
            ("", "", "example.org does not answer, and images are only pulled"),
        ),
        (
            "pull",
            REMOTE,
            Observed(images=frozenset({REMOTE}), reachable={"example.org": False}),
            (REMOTE, "", "in the engine's store"),
        ),
        (
            "auto",
            REMOTE,
            Observed(reachable={"example.org": True}, refused={REMOTE: "it has no such image"}, buildable=RECIPE),
            (MADE, "tv", "made from Debian's packages: it has no such image"),
        ),
        ("pull", "usenet/tv:bookworm", Observed(buildable=RECIPE), (MADE, "tv", "only made here")),
        ("auto", "usenet/tv:bookworm", Observed(buildable=RECIPE), (MADE, "tv", "only made here")),
    ],
)
def test_choice(source: ImageSource, reference: str, observed: Observed, expected: tuple[str, str, str]) -> None:
    made = images.choose("tv", reference, source, observed)
    assert (made.reference, made.build, made.because) == expected


@given(
    st.sampled_from(["auto", "pull", "build"]),
    st.sampled_from([REMOTE, "usenet/tv:bookworm"]),
    st.builds(
        Observed,
        images=st.frozensets(st.sampled_from([REMOTE, MADE])),
        refused=st.dictionaries(st.just(REMOTE), st.just("no")),
        reachable=st.dictionaries(st.sampled_from(["example.org", "docker.io"]), st.booleans()),
        buildable=st.sampled_from([{}, RECIPE]),
    ),
)
def test_there_is_always_a_reason_and_never_a_build_without_a_recipe(
    source: ImageSource, reference: str, observed: Observed
) -> None:
    made = images.choose("tv", reference, source, observed)
    assert made.because
    assert bool(made.build) == (made.reference == MADE)
    assert not made.build or observed.buildable
    if made.reference == REMOTE:
        given = observed.reachable.get("example.org", True) and not observed.refused
        assert given or REMOTE in observed.images


@pytest.mark.parametrize(
    ("observed", "had", "because"),
    [
        (Observed(buildable=RECIPE), True, "set in usenet.yaml"),
        (Observed(images=frozenset({REMOTE}), reachable={"example.org": False}), True, "set in usenet.yaml"),
        (Observed(reachable={"example.org": False}), False, f"example.org does not answer, and {REMOTE} is set in"),
        (Observed(refused={REMOTE: "it has none"}, buildable=RECIPE), False, f"it has none, and {REMOTE} is set in"),
    ],
)
def test_an_image_of_ones_own_is_that_one_or_none(observed: Observed, had: bool, because: str) -> None:
    made = images.own(REMOTE, observed)
    assert (made.reference, made.build) == (REMOTE if had else "", "")
    assert because in made.because
