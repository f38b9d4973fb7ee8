"""What the scanner reads is what `json` reads: the same values, the same refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usenet.adapters import scanned

scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text())
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
pieces = st.lists(
    st.sampled_from(['{"a"', ":", "1.5e3", "[", "]", "}", ",", '"\\u00e9"', "NaN", "-", " \n", '"\n"', "true"])
)


def told(read: Any, data: bytes) -> tuple[str, Any]:
    try:
        return "read", repr(read(data))
    except ValueError as refusal:
        return "refused", type(refusal)


@given(values, st.booleans())
def test_every_document(value: object, ascii_: bool) -> None:
    assert scanned.loads(f" {json.dumps(value, ensure_ascii=ascii_)}\n".encode(errors="surrogatepass")) == value


@given(
    st.one_of(pieces.map("".join).map(str.encode), st.binary(), values.map(json.dumps).map(str.encode)), st.integers(0)
)
def test_anything_else(data: bytes, cut: int) -> None:
    data = data[: cut % (len(data) + 1)]

    assert told(scanned.loads, data) == told(json.loads, data)


@pytest.mark.parametrize("data", [b"\xef\xbb\xbf{}", '{"a": 1}'.encode("utf-16"), b"[" * 100])
def test_what_only_json_takes(data: bytes) -> None:
    assert told(scanned.loads, data) == told(json.loads, data)


def test_the_scanner_itself_reads_what_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "loads", lambda _: pytest.fail("json was asked"))

    assert scanned.loads(b' {"a": [1, 2.5, "\\u00e9"]}\n') == {"a": [1, 2.5, "é"]}


@given(st.text(st.characters()) | st.sampled_from(['a"b', "a\\", "\ud800", "\0"]))
def test_a_text_is_written_as_json_writes_it(text: str) -> None:
    assert scanned.quoted(text) == json.dumps(text)
