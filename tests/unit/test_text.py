"""What the emitter writes, a YAML reader reads back unchanged."""

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from usenet.compose.text import Value, dump

KEYS = st.text(max_size=60)
SCALARS = st.none() | st.booleans() | st.integers() | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=15)


@given(st.dictionaries(KEYS, VALUES, min_size=1))
@example({"port": "22:22", "no": "no", "mode": "0755", "tilde": "~", "merge": "<<", "nothing": "", "float": "1e3"})
@example({"list": [[], {}, [["a"]], {"b": [1]}], "line": "a\nb", "astral": "\U0001f600", "nel": "\x85"})
def test_round_trip(value: dict[str, Value]) -> None:
    assert yaml.safe_load(dump(value)) == value


def test_form() -> None:
    assert dump({"a": {"b": ["x", {"c": 1, "d": "2"}], "e": {}}, "f": True}) == (
        'a:\n  b:\n    - x\n    - c: 1\n      d: "2"\n  e: {}\nf: true\n'
    )


@pytest.mark.parametrize(
    "word", ["no", "Yes", "on", "null", "~", "1", "0x1f", "1:30", "", " a", "a ", "a: b", "#a", "-"]
)
def test_doubtful_words_are_quoted(word: str) -> None:
    assert dump({"k": word}).startswith('k: "')
