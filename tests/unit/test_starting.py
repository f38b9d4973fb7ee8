"""Who may start: needs are healthy first, nobody starts twice, and everybody's end is known."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from usenet.domain.plan import Grant
from usenet.domain.starting import Progress, blocked, ready

NAMES = "abcdefgh"


def grant(name: str, needs: tuple[str, ...] = (), after: tuple[str, ...] = ()) -> Grant:
    return Grant(service=name, title="", group="other", role="local", image="i:1", needs=needs, after=after)


def waiting(*names: str) -> dict[str, Progress]:
    return {name: Progress(service=name) for name in names}


def test_needs_must_be_healthy_and_after_only_settled() -> None:
    grants = {"a": grant("a"), "b": grant("b", needs=("a",)), "c": grant("c", after=("a",))}
    now = waiting("a", "b", "c")
    assert ready(grants, now) == ("a",)
    now["a"] = Progress(service="a", state="starting")
    assert ready(grants, now) == ()
    now["a"] = Progress(service="a", state="failed")
    assert ready(grants, now) == ("c",)
    assert blocked(grants, now) == {"b": "a"}
    now["a"] = Progress(service="a", state="healthy")
    assert ready(grants, now) == ("b", "c")
    assert blocked(grants, now) == {}


def test_what_is_not_started_now_is_not_waited_for() -> None:
    grants = {"a": grant("a"), "b": grant("b", needs=("a",), after=("a",))}
    assert ready(grants, waiting("b")) == ("b",)


def test_a_skipped_need_blocks_too() -> None:
    grants = {"a": grant("a"), "b": grant("b", needs=("a",))}
    now = {"a": Progress(service="a", state="skipped"), "b": Progress(service="b")}
    assert blocked(grants, now) == {"b": "a"}


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Grant]:
    """Services of which each needs and follows only earlier ones: no circle."""
    made = {}
    for number, name in enumerate(NAMES[: draw(st.integers(1, len(NAMES)))]):
        earlier = st.lists(st.sampled_from(NAMES[:number]), unique=True) if number else st.just([])
        made[name] = grant(name, needs=tuple(draw(earlier)), after=tuple(draw(earlier)))
    return made


@given(graphs(), st.data())
def test_every_up_comes_to_an_end(grants: dict[str, Grant], data: st.DataObject) -> None:
    """Whatever becomes of each service, in whatever order they answer."""
    now, starts = waiting(*grants), dict.fromkeys(grants, 0)
    for _ in range(4 * len(grants) + 4):
        if all(p.settled for p in now.values()):
            break
        for name, lost in blocked(grants, now).items():
            assert now[lost].state in ("failed", "skipped")
            assert lost in grants[name].needs
            now[name] = replace(now[name], state="skipped")
        for name in ready(grants, now):
            assert all(now[n].state == "healthy" for n in grants[name].needs)
            assert all(now[a].settled for a in grants[name].after)
            starts[name] += 1
            now[name] = replace(now[name], state="starting")
        going = [n for n, p in now.items() if p.state == "starting"]
        if going:
            one = data.draw(st.sampled_from(going))
            now[one] = replace(now[one], state=data.draw(st.sampled_from(["healthy", "failed"])))
    assert all(p.settled for p in now.values()), "somebody waits for ever"
    assert all(count == (now[name].state != "skipped") for name, count in starts.items())
    for name, progress in now.items():
        if progress.state == "skipped":
            assert any(now[n].state in ("failed", "skipped") for n in grants[name].needs)
