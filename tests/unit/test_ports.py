"""Ports are unique, and a conflict is named with its owner and a cure before anything starts."""

import pytest

from tests.making import service, settings
from usenet.domain import ports
from usenet.domain.errors import SystemFailure, ValidationError
from usenet.domain.plan import PortHolder
from usenet.domain.reach import Publication
from usenet.domain.settings import Settings


def published(host: int, address: str = "127.0.0.1", protocol: str = "tcp") -> tuple[Publication, ...]:
    return (Publication(address=address, host=host, container=80, protocol=protocol, use="page"),)


def test_catalog_proposes_and_settings_decide() -> None:
    thing = service(ports=[{"container": 8080, "host": 8090}, {"container": 6881, "protocol": "udp", "use": "peer"}])
    proposed = ports.publications("thing", thing, settings("thing"))
    assert [(p.host, p.protocol, p.address) for p in proposed] == [
        (8090, "tcp", "127.0.0.1"),
        (6881, "udp", "127.0.0.1"),
    ]
    own = Settings.model_validate({"services": {"thing": {"port": 9, "ports": {6881: 7000}, "publish": "lan"}}})
    assert [(p.host, p.address) for p in ports.publications("thing", thing, own)] == [(9, "0.0.0.0"), (7000, "0.0.0.0")]


def test_unpublished_port_stays_inside() -> None:
    assert ports.publications("p", service(ports=[{"container": 2375, "publish": False}]), settings("p")) == ()


def test_two_services_on_one_port_names_both_and_a_free_one() -> None:
    with pytest.raises(ValidationError, match="a and b both want port 8080/tcp") as caught:
        ports.check({"a": published(8080), "b": published(8080, "0.0.0.0"), "c": published(8081)}, [])
    assert caught.value.hint == "give it a free port: usenet config set services.b.port 8082"
    assert caught.value.code == 3


def test_held_port_names_the_process() -> None:
    holder = PortHolder(port=8080, protocol="tcp", owner="nginx (process 12)")
    with pytest.raises(SystemFailure, match=r"port 8080/tcp for a is held by nginx \(process 12\)") as caught:
        ports.check({"a": published(8080)}, [holder])
    assert "usenet config set services.a.port 8081" in caught.value.hint
    assert caught.value.code == 5


@pytest.mark.parametrize(
    "holder",
    [
        PortHolder(port=8080, protocol="udp", owner="x"),
        PortHolder(port=8081, protocol="tcp", owner="x"),
        PortHolder(port=8080, protocol="tcp", owner="x", address="192.0.2.7"),
        PortHolder(port=8080, protocol="tcp", owner="container mine", service="a"),
    ],
)
def test_no_conflict(holder: PortHolder) -> None:
    ports.check({"a": published(8080)}, [holder])


def test_same_number_on_two_addresses_or_protocols_is_no_conflict() -> None:
    ports.check({"a": published(53), "b": published(53, protocol="udp"), "c": published(53, "192.0.2.1")}, [])


def test_of_three_on_one_number_those_that_meet_are_named() -> None:
    wanted = {"a": published(53, "192.0.2.1"), "b": published(53, "192.0.2.2"), "c": published(53, "0.0.0.0")}
    with pytest.raises(ValidationError) as caught:
        ports.check(wanted | {"d": published(53, protocol="udp")}, [])
    assert caught.value.message == "a and c both want port 53/tcp; b and c both want port 53/tcp"
    assert caught.value.hint == "give it a free port: usenet config set services.c.port 1024"


def test_every_holder_of_a_number_is_named() -> None:
    holders = [PortHolder(port=80, protocol="tcp", owner=f"w{a}", address=f"192.0.2.{a}") for a in (1, 2)]
    with pytest.raises(SystemFailure, match=r"a is held by w1; port 80/tcp for a is held by w2"):
        ports.check({"a": published(80, "0.0.0.0")}, holders)


def test_all_conflicts_are_told_at_once() -> None:
    holders = [PortHolder(port=p, protocol="tcp", owner=f"w{p}") for p in (1, 2)]
    with pytest.raises(SystemFailure) as caught:
        ports.check({"a": published(1), "b": published(2)}, holders)
    assert "w1" in caught.value.message
    assert "w2" in caught.value.message
    assert caught.value.hint.count("usenet config set") == 2


def test_the_cure_names_the_setting_of_that_very_port() -> None:
    thing = service(
        ports=[
            {"container": 80},
            {"container": 443, "use": "api"},
            {"container": 6881, "use": "peer"},
            {"container": 6881, "use": "peer", "protocol": "udp"},
        ]
    )
    wanted = {"thing": ports.publications("thing", thing, settings("thing"))}
    holders = [PortHolder(port=p, protocol=k, owner="x") for p, k in ((443, "tcp"), (6881, "tcp"), (6881, "udp"))]
    with pytest.raises(SystemFailure) as caught:
        ports.check(wanted, holders)
    assert caught.value.hint == (
        "give it a free port: usenet config set services.thing.ports.443 1024"
        " && usenet config set services.thing.ports.6881 6882"
    )
    cured = Settings.model_validate({"services": {"thing": {"ports": {443: 1024, 6881: 6882}}}})
    ports.check({"thing": ports.publications("thing", thing, cured)}, holders)


def test_free_port_skips_what_is_taken_and_what_is_privileged() -> None:
    assert ports.free_port(80, {1024, 1025}) == 1026
    assert ports.free_port(65535, {65535}) == 1024
