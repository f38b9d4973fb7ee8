"""What `services status` and `hardware list` do without Typer is what they do with it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from usenet.cli import hardware_view, quick, root, status_view
from usenet.cli.flags import FLAGS, NAMES

WORDS = ["services", "status", "sonarr", "--json", "-q", "--quiet", "-n", "--dry-run", "-y", "--yes", "-v", "--verbose"]
WORDS += [
    "--home",
    "/srv/a",
    "--home=/srv/b",
    "--group",
    "-g",
    "media",
    "--group=media",
    "--host",
    "saved.json",
    "list",
    "hardware",
    "-gmedia",
    "--help",
    "--",
    "-",
    "",
]
VERB = st.lists(st.sampled_from(WORDS), max_size=3)


def flags() -> dict[str, Any]:
    return {name: getattr(FLAGS, name) for name in NAMES}


def clean() -> None:
    vars(FLAGS).clear()


def told(run: Any, words: list[str]) -> object:
    """What `run` shows for `words`: names, group or file, and flags; None where it shows nothing."""
    seen: list[object] = []
    clean()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            status_view,
            "show",
            lambda names, group: seen.append((list(names), group, flags())),
        )
        patch.setattr(
            hardware_view,
            "show",
            lambda saved, compose=None: seen.append((saved, flags())),
        )
        try:
            run(words)
        except Exception:  # words that Typer refuses, in whatever way
            return None
        finally:
            clean()
    return seen[0] if seen else None


@given(
    st.tuples(VERB, VERB, VERB, st.sampled_from([("services", "status"), ("hardware", "list")])).map(
        lambda v: [*v[0], v[3][0], *v[1], v[3][1], *v[2]]
    )
)
@example(["services", "status", "--group", "media", "--home", "/srv/a", "sonarr"])
@example(["--json", "services", "-q", "status", "-n", "-y"])
@example(["hardware", "list", "--host", "/saved.json", "--home", "/srv/a"])
@example(["hardware", "--host", "/saved.json", "list"])
@example(["hardware", "list", "sonarr"])
def test_it_understands_what_typer_understands_or_nothing(words: list[str]) -> None:
    ours = told(quick.execute, words)
    assert ours is None or ours == told(root.execute, words)


@pytest.mark.parametrize(
    "words",
    [
        ["services", "status"],
        ["--home", "/srv/a", "services", "status", "sonarr", "radarr", "--json"],
        ["services", "--quiet", "status", "-g", "media"],
        ["hardware", "list", "--json"],
        ["hardware", "-q", "list", "--host", "saved.json"],
    ],
)
def test_it_takes_the_usual_words(words: list[str]) -> None:
    assert told(quick.execute, words) is not None


@pytest.mark.parametrize(
    "words", [[], ["services"], ["status"], ["services", "up"], ["services", "status", "--help"], ["hardware"]]
)
def test_it_leaves_the_rest_alone(words: list[str]) -> None:
    assert quick.understand(words) is None


def test_completion_is_typers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_USENET_COMPLETE", "complete_bash")
    assert quick.execute(["services", "status"]) is False
