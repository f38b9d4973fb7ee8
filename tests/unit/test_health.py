"""Health is asked where it can be answered."""

import pytest

from tests.making import service, settings
from usenet.domain import health, ports
from usenet.domain.service import Family


def test_probe_asks_the_published_port() -> None:
    thing = service(ports=[{"container": 80, "host": 8080}], health={"http": "/ping", "start_period": 9})
    found = health.probe(thing, ports.publications("t", thing, settings("t")), "stack")
    assert (found.kind, found.address, found.port, found.path, found.start_period) == (
        "http",
        "127.0.0.1",
        8080,
        "/ping",
        9,
    )


def test_probe_of_a_port_on_every_address_asks_this_machine() -> None:
    thing = service()
    found = health.probe(thing, ports.publications("t", thing, settings("t", publish="lan")), "stack")
    assert found.address == "127.0.0.1"


def test_probe_of_an_unpublished_port_asks_the_container() -> None:
    thing = service(ports=[{"container": 2375, "publish": False}], health={"tcp": True})
    assert (health.probe(thing, (), "stack").address, health.probe(thing, (), "host").address) == ("", "127.0.0.1")
    assert health.probe(thing, (), "stack").port == 2375


def test_nothing_to_ask() -> None:
    assert health.probe(service(ports=[], health={}), (), "stack").kind == "running"


@pytest.mark.parametrize(
    ("family", "asked", "starts"),
    [
        ("linuxserver", {"http": "/ping"}, ("CMD", "curl", "-fsS")),
        ("official", {"http": "/", "check": "wget"}, ("CMD", "wget", "-q")),
        ("official", {"http": "/"}, ()),
        ("official", {"http": "/", "check": "image"}, ()),
        ("built", {"http": "/", "check": "image"}, ("CMD", "busybox", "wget")),
        ("built", {"tcp": True}, ("CMD", "bash", "-c")),
        ("linuxserver", {"http": "/", "method": "OPTIONS"}, ("CMD", "bash", "-c")),
        ("official", {"http": "/", "method": "OPTIONS", "check": "wget"}, ()),
        ("official", {"tcp": True}, ()),
        ("official", {"command": ["gluetun", "healthcheck"]}, ("CMD", "gluetun", "healthcheck")),
    ],
)
def test_check_uses_what_the_image_has(family: Family, asked: dict[str, object], starts: tuple[str, ...]) -> None:
    assert health.check(service(family="official", health=asked), family)[:3] == starts


def test_image_check_counts_only_for_the_image_that_has_it() -> None:
    thing = service(health={"http": "/", "check": "image"})
    assert health.self_checking(thing, "official")
    assert not health.self_checking(service(), "official")
    assert not health.self_checking(service(ports=[], health={"check": "image"}), "built")


@pytest.mark.parametrize(
    ("state", "answers", "age", "verdict"),
    [
        ("running", True, 1, "healthy"),
        ("running", False, 1, "starting"),
        ("running", False, 99, "unhealthy"),
        ("running", None, 99, "running"),
        ("restarting", None, 0, "unhealthy"),
        ("exited", None, 0, "stopped"),
        ("absent", None, 0, "stopped"),
    ],
)
def test_verdict(state: str, answers: bool | None, age: float, verdict: str) -> None:
    assert health.verdict(state, answers=answers, age=age, start_period=60) == verdict
