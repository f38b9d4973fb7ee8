"""Which services the words of a command line mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.making import host, service, settings
from usenet.actions import deploy
from usenet.domain import meant
from usenet.domain.errors import ValidationError
from usenet.domain.plan import Observed
from usenet.domain.tuning import tune

GROUPS = {"jellyfin": "media", "nzbget": "download", "aria2": "download", "caddy": "network"}


@pytest.mark.parametrize(
    ("names", "group", "found"),
    [
        ((), "", ("jellyfin", "nzbget", "aria2", "caddy")),
        ((), "download", ("nzbget", "aria2")),
        (("caddy", "jellyfin"), "", ("caddy", "jellyfin")),
        (("caddy",), "download", ("caddy", "nzbget", "aria2")),
        (("aria2",), "download", ("aria2", "nzbget")),
        (("caddy", "nzbget", "caddy"), "", ("caddy", "nzbget")),
    ],
)
def test_names_and_a_group_are_added_and_each_is_meant_once(
    names: tuple[str, ...], group: str, found: tuple[str, ...]
) -> None:
    assert meant.services(names, group, GROUPS) == found


@given(st.lists(st.sampled_from(sorted(GROUPS))), st.sampled_from(["", *GROUPS.values()]))
def test_every_word_counts_and_nothing_else(names: list[str], group: str) -> None:
    found = meant.services(names, group, GROUPS)
    expected = {*names, *(n for n, g in GROUPS.items() if g == group)} if names or group else {*GROUPS}
    assert {*found} == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize(
    ("names", "group", "message", "hint"),
    [
        (("sonarr",), "", "this stack: sonarr is off", "usenet services enable sonarr"),
        (("jellyfim",), "", "there is no service 'jellyfim'", "did you mean jellyfin? see: usenet services list"),
        (("sonar",), "", "there is no service 'sonar'", "did you mean sonarr? see: usenet services list"),
        ((), "cameras", "no service of this stack is in group 'cameras'", "there are: download, media, network"),
        (("caddy",), "x", "no service of this stack is in group 'x'", "there are: download, media, network"),
    ],
)
def test_what_is_not_there_is_told_with_a_cure(names: tuple[str, ...], group: str, message: str, hint: str) -> None:
    with pytest.raises(ValidationError) as caught:
        meant.services(names, group, GROUPS, lambda: [*GROUPS, "sonarr"])
    assert message in str(caught.value)
    assert caught.value.hint == hint


def test_up_takes_what_is_meant_and_what_it_needs_and_says_what_is_left_out() -> None:
    catalog = {
        "web": service(needs=("base",)),
        "base": service(ports=[{"container": 1}], group="network"),
        "gone": service(ports=[{"container": 2}], image="usenet/none:1"),
    }
    plan = tune(host(), settings("web", "gone"), catalog, Observed(), home="/h", available=True)
    assert deploy.chosen(plan, ("web", "web"), "network") == ("web", "base")
    assert deploy.chosen(plan, (), "") == ()
    with pytest.raises(ValidationError, match="this stack: gone is left out: there is no recipe"):
        deploy.chosen(plan, ("gone",), "")
    with pytest.raises(ValidationError, match="this stack: off is off"):
        deploy.chosen(plan, ("off",), "", {"off", *catalog})
