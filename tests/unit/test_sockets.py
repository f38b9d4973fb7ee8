"""Who listens where, told of sockets that this very test opened."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from usenet.adapters import sockets
from usenet.domain.plan import PortHolder

TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM


@contextlib.contextmanager
def bound(family: int, kind: int, address: str) -> Iterator[int]:
    with contextlib.ExitStack() as exits:
        try:
            made = exits.enter_context(socket.socket(family, kind))
            made.bind((address, 0))
        except OSError:
            pytest.skip(f"this machine has no {address}")
        if kind == TCP:
            made.listen()
        yield made.getsockname()[1]


def holders(port: int) -> list[PortHolder]:
    return [h for h in sockets.listening() if h.port == port and f"process {os.getpid()})" in h.owner]


@pytest.mark.parametrize(
    ("family", "kind", "address", "seen"),
    [
        (socket.AF_INET, TCP, "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET, TCP, "0.0.0.0", "0.0.0.0"),
        (socket.AF_INET, UDP, "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET6, TCP, "::", "0.0.0.0"),
        (socket.AF_INET6, TCP, "::1", "127.0.0.1"),
        (socket.AF_INET6, UDP, "::", "0.0.0.0"),
        (socket.AF_INET6, TCP, "::ffff:127.0.0.1", "127.0.0.1"),
    ],
)
def test_a_listener_is_found_with_its_process(family: int, kind: int, address: str, seen: str) -> None:
    with bound(family, kind, address) as port:
        (found,) = holders(port)
    assert found.protocol == ("tcp" if kind == TCP else "udp")
    assert found.address == seen
    assert found.service == ""
    assert found.owner.split(" (")[0]


def test_a_connection_is_no_listener() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        server.accept()[0],
    ):
        assert holders(client.getsockname()[1]) == []
        assert len(holders(server.getsockname()[1])) == 1


def test_a_connected_udp_socket_waits_for_nobody() -> None:
    with socket.socket(socket.AF_INET, UDP) as made:
        made.connect(("127.0.0.1", 9))
        assert holders(made.getsockname()[1]) == []


def test_a_socket_that_was_closed_is_gone() -> None:
    with bound(socket.AF_INET, TCP, "127.0.0.1") as port:
        pass
    assert holders(port) == []


def test_the_addresses_are_those_that_can_be_bound() -> None:
    found = sockets.addresses()
    assert "127.0.0.1" in found
    for address in found:
        with socket.socket() as made:
            try:
                made.bind((address, 0))
            except OSError:  # that network went while we looked: an engine makes and removes them all the time
                assert address not in sockets.addresses(), address


HEAD = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"


@pytest.mark.parametrize(
    ("routes", "address"),
    [
        (
            "lo 00000000 010200C0 0003 0 0 5 00000000 0 0 0\nnone 00000000 010200C0 0003 0 0 0 00000000 0 0 0\n",
            "127.0.0.1",
        ),
        ("lo 0000007F 00000000 0001 0 0 0 000000FF 0 0 0\n", ""),
        ("", ""),
    ],
)
def test_the_address_for_others_is_on_the_default_route(tmp_path: Path, routes: str, address: str) -> None:
    table = tmp_path / "route"
    assert sockets.lan_address(table) == ""
    table.write_text(HEAD + routes)
    assert sockets.lan_address(table) == address
