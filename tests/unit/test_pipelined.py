"""Many questions on one connection, to a real server: every form of answer, and none."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import peers
from usenet.adapters import engine, http, pipelined
from usenet.adapters.http import Answer, NoAnswer
from usenet.adapters.pipelined import Questions

PATHS = ["/a", "/b", "/c"]


def framed(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nServer: x\r\nContent-LENGTH: {len(body)}\r\n\r\n".encode() + body


def chunked(*parts: bytes) -> bytes:
    body = b"".join(b"%x;name=value\r\n%s\r\n" % (len(part), part) for part in parts)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n" + body + b"0\r\nTrailer: 1\r\n\r\n"


def asked(raw: bytes, paths: Sequence[str] = PATHS, timeout: float = 30) -> list[Answer]:
    with peers.listening(peers.answers(raw)) as port:
        questions = Questions(http.tcp("127.0.0.1", port), paths, host="here", timeout=timeout)
        return list(questions.answers())


def test_all_are_asked_before_the_first_is_answered() -> None:
    heard: list[bytes] = []

    def listen(peer: socket.socket) -> None:
        while b"".join(heard).count(b"\r\n\r\n") < len(PATHS):
            heard.append(peer.recv(65536))
        peer.sendall(framed(b"1") * len(PATHS))

    with peers.listening(listen) as port:
        found = list(Questions(http.tcp("127.0.0.1", port), PATHS, host="here", timeout=30).answers())
    assert re.findall(rb"GET (\S+) HTTP/1.1\r\nHost: here\r\n", b"".join(heard)) == [b"/a", b"/b", b"/c"]
    assert found == [Answer(200, b"1")] * 3


def test_answers_of_every_form_stay_apart() -> None:
    raw = chunked(b"on", b"e", b"\r\n\r\n") + framed(b"", "404 Not Found") + framed(b"HTTP/1.1 200 OK\r\n\r\n")
    expected = [Answer(200, b"one\r\n\r\n"), Answer(404, b""), Answer(200, b"HTTP/1.1 200 OK\r\n\r\n")]
    assert asked(raw) == expected
    assert asked(framed(b"1") + b"HTTP/1.0 200 OK\r\n\r\nto the end", PATHS[:2])[1].body == b"to the end"


@pytest.mark.parametrize(
    ("rest", "why"),
    [
        (b"", "without an answer"),
        (b"SSH-2.0\r\n\r\n", "not HTTP"),
        (framed(b"12345")[:-1], "in the middle"),
        (chunked(b"12345").partition(b"5\r\n0")[0], "in the middle"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "in the middle"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nx", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "invalid"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "not HTTP"),
    ],
)
def test_what_came_before_a_broken_answer_is_known(rest: bytes, why: str) -> None:
    with peers.listening(peers.answers(framed(b"1") + rest)) as port:
        answers = Questions(http.tcp("127.0.0.1", port), PATHS[:2], host="here", timeout=30).answers()
        assert next(answers) == Answer(200, b"1")
        with pytest.raises(NoAnswer, match=why):
            next(answers)


def test_nobody_and_nothing() -> None:
    with peers.nobody() as port, pytest.raises(NoAnswer, match="refused"):
        Questions(http.tcp("127.0.0.1", port), PATHS, host="here", timeout=30)
    with peers.listening(peers.silent) as port, pytest.raises(NoAnswer, match="in time"):
        list(Questions(http.tcp("127.0.0.1", port), PATHS, host="here", timeout=0.2).answers())


@given(
    st.lists(
        st.sampled_from([chunked(b"ab", b"c"), framed(b"x"), b"\r\n", b"HTTP/1.1 ", b"5\r\n", b"\xff"]) | st.binary()
    )
)
def test_no_bytes_are_anything_but_answers_or_none(parts: list[bytes]) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(b"".join(parts)[:60_000])
        questions = Questions(lambda _: ours, PATHS, host="here", timeout=30)
        theirs.shutdown(socket.SHUT_WR)
        with suppress(NoAnswer):
            assert len(list(questions.answers())) == len(PATHS)


# asking the engine about many containers


Reply = Callable[[str], bytes]


def engine_of(reply: Reply, path: Path, monkeypatch: pytest.MonkeyPatch) -> AbstractContextManager[int]:
    """Answers each question on a connection in its turn; no bytes: it hangs up."""

    def behave(peer: socket.socket) -> None:
        waiting = b""
        while data := peer.recv(65536):
            *whole, waiting = (waiting + data).split(b"\r\n\r\n")
            for question in whole:
                if not (raw := reply(question.split()[1].decode().split("/")[2])):
                    return
                peer.sendall(raw)
                if b"Connection: close" in question:
                    return

    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    return peers.listening(behave, path=path)


def seen(container: str) -> bytes:
    return chunked(json.dumps({"Id": container}).encode())


def test_more_containers_than_one_connection_takes(socket_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [f"c{n}" for n in range(2 * pipelined.MOST + 1)]
    with engine_of(seen, socket_path, monkeypatch):
        assert engine.inspect_all(many) == {one: {"Id": one} for one in many}
        assert engine.inspect_all([]) == {}


def test_one_that_is_gone_or_makes_no_sense_costs_no_other(socket_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = {"gone": framed(b'{"message": "no such container"}', "404 Not Found"), "cut": framed(b"{")}
    odd |= {"other": seen("another"), "nothing": framed(b""), "list": framed(b"[]")}
    with engine_of(lambda one: odd.get(one) or seen(one), socket_path, monkeypatch):
        assert list(engine.inspect_all(["a", "gone", "other", "b", "cut", "nothing", "list", "c"])) == ["a", "b", "c"]


def test_one_that_the_engine_breaks_over_costs_no_other(socket_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reply(one: str) -> bytes:
        return b"" if one == "bad" else framed(json.dumps({"Id": one}).encode())

    with engine_of(reply, socket_path, monkeypatch):
        assert list(engine.inspect_all(["a", "bad", "b", "c"])) == ["a", "b", "c"]


def test_no_engine_knows_nothing(socket_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{socket_path}")
    assert engine.inspect_all(["a", "b"]) == {}


@given(st.lists(st.tuples(st.binary(max_size=40), st.booleans()), min_size=1, max_size=8), st.integers(1, 50))
def test_in_which_pieces_it_comes_makes_no_difference(bodies: list[tuple[bytes, bool]], piece: int) -> None:
    raw = b"".join(chunked(*filter(None, (body[:3], body[3:]))) if cut else framed(body) for body, cut in bodies)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipelined, "PIECE", piece)
        found = asked(raw, [f"/{number}" for number in range(len(bodies))])

    assert found == [Answer(200, body) for body, _ in bodies]
