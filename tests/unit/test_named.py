"""Our NamedTuple is typing's: whatever a class of it can do, this one does."""

from __future__ import annotations

import pickle
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usenet.domain import named


class Ours(named.NamedTuple):
    """A service."""

    name: str
    ports: tuple[int, ...] = ()
    KIND = "service"

    @property
    def first(self) -> int | None:
        return self.ports[0] if self.ports else None

    @classmethod
    def read(cls, text: str) -> Ours:
        return cls(text)


class Theirs(typing.NamedTuple):
    """A service."""

    name: str
    ports: tuple[int, ...] = ()
    KIND = "service"

    @property
    def first(self) -> int | None:
        return self.ports[0] if self.ports else None

    @classmethod
    def read(cls, text: str) -> Theirs:
        return cls(text)


@given(st.text(), st.lists(st.integers()).map(tuple))
def test_values_are_the_same(name: str, ports: tuple[int, ...]) -> None:
    ours, theirs = Ours(name, ports=ports), Theirs(name, ports=ports)

    assert ours == theirs == (name, ports)
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    assert (ours.first, ours._asdict(), hash(ours)) == (theirs.first, theirs._asdict(), hash(theirs))
    assert ours._replace(name="x") == theirs._replace(name="x")
    assert pickle.loads(pickle.dumps(ours)) == ours
    assert type(Ours.read(name)) is Ours


def test_classes_are_the_same() -> None:
    for name in ("__doc__", "_fields", "_field_defaults", "KIND", "__match_args__", "__bases__"):
        assert getattr(Ours, name) == getattr(Theirs, name), name
    assert typing.get_type_hints(Ours) == typing.get_type_hints(Theirs)
    assert (Ours.__module__, Ours.__qualname__) == (__name__, "Ours")


def test_what_has_a_default_comes_last() -> None:
    with pytest.raises(TypeError):

        class Wrong(named.NamedTuple):
            first: int = 1
            second: int


def test_a_field_that_is_missing_is_missed() -> None:
    with pytest.raises(TypeError, match="name"):
        Ours()  # type: ignore[call-arg]
