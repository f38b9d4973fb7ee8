"""Services start after what they need."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usenet.domain import order
from usenet.domain.errors import ValidationError

NAMES = st.sampled_from("abcdefgh")
ACYCLIC = st.dictionaries(NAMES, st.lists(NAMES, unique=True)).map(
    lambda graph: {name: [o for o in others if o < name] for name, others in graph.items()}
)


def test_waves_are_the_earliest_possible() -> None:
    before = {"bazarr": ["sonarr"], "sonarr": ["prowlarr"], "prowlarr": [], "jellyfin": ["plex"]}
    assert order.waves(before) == (("jellyfin", "prowlarr"), ("sonarr",), ("bazarr",))


def test_a_circle_is_named() -> None:
    with pytest.raises(ValidationError, match="in a circle: a, b, c, a"):
        order.waves({"a": ["b"], "b": ["c"], "c": ["a"], "d": []})


@given(ACYCLIC)
def test_every_name_comes_once_and_after_its_needs(graph: dict[str, list[str]]) -> None:
    waves = order.waves(graph)
    place = {name: number for number, wave in enumerate(waves) for name in wave}
    assert sorted(place) == sorted(graph)
    assert sum(map(len, waves)) == len(graph)
    assert all(place[o] < place[name] for name, others in graph.items() for o in others if o in place)


def test_closure_adds_needs_of_needs_once() -> None:
    assert order.closure(["a"], {"a": ["b", "c"], "b": ["c"], "c": ["a"]}) == ("a", "b", "c")
