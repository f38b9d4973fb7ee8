"""The addresses of this machine, and which process listens on which of its ports."""

from __future__ import annotations

import socket
from pathlib import Path

import psutil

from usenet.domain.plan import PortHolder

ROUTES = Path("/proc/net/route")


def listening() -> tuple[PortHolder, ...]:
    """Every listening TCP and bound UDP port with its process; without root other users' processes have no name."""
    found = []
    for connection in psutil.net_connections(kind="inet"):
        if not connection.laddr or (connection.type.name == "SOCK_STREAM" and connection.status != psutil.CONN_LISTEN):
            continue
        if connection.type.name == "SOCK_DGRAM" and connection.raddr:
            continue
        found.append(
            PortHolder(
                port=connection.laddr.port,
                protocol="tcp" if connection.type.name == "SOCK_STREAM" else "udp",
                owner=_owner(connection.pid),
                address=_address(connection.laddr.ip),
            )
        )
    return tuple(found)


def addresses() -> frozenset[str]:
    """Every IPv4 address of this machine; empty where they can't be seen."""
    try:
        cards = psutil.net_if_addrs().values()
    except OSError:
        return frozenset()
    return frozenset(one.address for card in cards for one in card if one.family == socket.AF_INET)


def lan_address(routes: Path = ROUTES) -> str:
    """This machine's IPv4 address on the interface of its default route (proc_net_route); empty without one."""
    cards = psutil.net_if_addrs()
    found = (one.address for name in _outward(routes) for one in cards.get(name, ()) if one.family == socket.AF_INET)
    return next(found, "")


def _outward(routes: Path) -> list[str]:
    """The interfaces of the default routes, the preferred first."""
    try:
        rows = [line.split() for line in routes.read_text().splitlines()[1:]]
    except OSError:
        return []
    defaults = [row for row in rows if len(row) > 7 and row[1] == row[7] == "00000000"]
    return [row[0] for row in sorted(defaults, key=lambda row: int(row[6]))]


def _address(ip: str) -> str:
    if ip == "::":
        return "0.0.0.0"  # noqa: S104 - the same ports, seen from IPv4
    return ip.removeprefix("::ffff:").replace("::1", "127.0.0.1")


def _owner(pid: int | None) -> str:
    if pid is None:
        return "a process of another user"
    try:
        return f"{psutil.Process(pid).name()} (process {pid})"
    except psutil.Error:
        return f"process {pid}"
