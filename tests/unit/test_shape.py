"""A grant in Compose's words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usenet.compose import shape
from usenet.domain.plan import Bind, Gpus, Grant, Limits, Plan
from usenet.domain.reach import Publication


def grant(name: str = "thing", **changes: Any) -> Grant:
    base = {"service": name, "title": "Thing", "group": "other", "role": "local", "image": "example.org/thing:1"}
    return Grant(**(base | changes))


def shaped(one: Grant, *others: Grant, start_interval: bool = False) -> dict[str, Any]:
    plan = Plan(
        project="u",
        home="/srv/u",
        data="/pool",
        uid=1,
        gid=1,
        umask="002",
        timezone="UTC",
        grants={g.service: g for g in (one, *others)},
        waves=(),
    )
    return dict(shape.service(one, plan, start_interval=start_interval))


def test_a_bare_grant_is_still_closed() -> None:
    assert shaped(grant()) == {
        "image": "example.org/thing:1",
        "pull_policy": "missing",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "restart": "unless-stopped",
        "stop_grace_period": "30s",
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
    }


def test_an_image_made_here_is_never_pulled_and_stops_at_any_moment() -> None:
    made = shaped(grant(build="thing"))
    assert (made["pull_policy"], made["init"]) == ("never", True)


def test_ports_and_binds_in_long_syntax() -> None:
    port = Publication(address="127.0.0.1", host=22, container=2222, protocol="udp", use="peer")
    binds = (Bind(source="/a", target="/b", read_only=True, propagation="rslave"), Bind(source="/c $d", target="/e"))
    made = shaped(grant(ports=(port,), binds=binds))
    assert made["ports"] == [
        {"target": 2222, "published": "22", "host_ip": "127.0.0.1", "protocol": "udp", "mode": "host"}
    ]
    assert made["volumes"] == [
        {
            "type": "bind",
            "source": "/a",
            "target": "/b",
            "read_only": True,
            "bind": {"create_host_path": False, "propagation": "rslave"},
        },
        {"type": "bind", "source": "/c $$d", "target": "/e", "bind": {"create_host_path": False}},
    ]


def test_a_label_comes_with_leave_to_make_the_path_and_never_with_a_colon_in_it() -> None:
    """Compose drops `selinux` where create_host_path is false, and writes source:target:options where it is true."""
    binds = (Bind(source="/a", target="/b", relabel=True), Bind(source="/c:d", target="/e", relabel=True))
    assert [volume["bind"] for volume in shaped(grant(binds=binds))["volumes"]] == [
        {"create_host_path": True, "selinux": "z"},
        {"create_host_path": False},
    ]


def test_networks_besides_the_default_one_lead_nowhere_outside() -> None:
    assert shaped(grant(networks=("default", "engine")))["networks"] == ["default", "engine"]
    assert "networks" not in shaped(grant(network="host", networks=("engine",)))


def test_on_the_hosts_network_nothing_is_published() -> None:
    port = Publication(address="0.0.0.0", host=1, container=1, protocol="tcp", use="page")
    made = shaped(grant(network="host", ports=(port,)))
    assert made["network_mode"] == "host"
    assert "ports" not in made


def test_only_a_whole_reference_is_one() -> None:
    made = shaped(
        grant(environment={"B": "${B_KEY}", "A": "x${B_KEY}", "C": "$C", "D": "${no-name}", "E": "${}", "F": "${AB"})
    )
    assert made["environment"] == {
        "A": "x$${B_KEY}",
        "B": "${B_KEY:?is missing in .env: run usenet deploy once}",
        "C": "$$C",
        "D": "$${no-name}",
        "E": "$${}",
        "F": "$${AB",
    }
    assert list(made["environment"]) == sorted(made["environment"])


@given(st.text())
def test_literal_text_is_read_back_by_compose(text: str) -> None:
    assert shape.literal(text).replace("$$", "\0").count("$") == 0
    assert shape.literal(text).replace("$$", "$") == text


def test_dependents_wait_for_health_only_where_it_is_known() -> None:
    others = (grant("checked", self_checking=True), grant("silent"))
    made = shaped(grant(needs=("checked",), after=("silent", "absent")), *others)
    assert made["depends_on"] == {
        "checked": {"condition": "service_healthy"},
        "silent": {"condition": "service_started"},
    }


@pytest.mark.parametrize("soon", [True, False])
def test_healthcheck(*, soon: bool) -> None:
    check = ("CMD-SHELL", "echo $HOME")
    made = shaped(grant(check=check, start_period=90), start_interval=soon)["healthcheck"]
    assert made["test"] == ["CMD-SHELL", "echo $$HOME"]
    assert made["start_period"] == "90s"
    assert made.get("start_interval") == ("2s" if soon else None)


def test_limits_and_groups_are_strings_where_compose_wants_them() -> None:
    made = shaped(grant(limits=Limits(memory=2**30, reservation=2**20 * 8, cpus=0.25), groups=(105, 44)))
    assert made["deploy"] == {
        "resources": {"limits": {"memory": "1073741824", "cpus": "0.25"}, "reservations": {"memory": "8388608"}}
    }
    assert made["group_add"] == ["105", "44"]


def test_devices_and_capabilities() -> None:
    made = shaped(grant(devices=("/dev/dri/renderD128",), capabilities=("NET_ADMIN",)))
    assert (made["devices"], made["cap_add"]) == (["/dev/dri/renderD128:/dev/dri/renderD128"], ["NET_ADMIN"])


@pytest.mark.parametrize(("driver", "wanted"), [("cdi", ["gpu"]), ("nvidia", ["gpu", "video", "compute", "utility"])])
def test_nvidia_is_reserved_by_id(driver: Any, wanted: list[str]) -> None:
    made = shaped(grant(gpus=Gpus(driver=driver, ids=("GPU-1",))))
    assert made["deploy"]["resources"]["reservations"]["devices"] == [
        {"driver": driver, "capabilities": wanted, "device_ids": ["GPU-1"]}
    ]
