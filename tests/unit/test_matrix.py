"""What holds of every plan and its files: every saved host, every profile, many sets of services."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any

import pytest
import yaml

from tests import stacks
from usenet.domain import asked
from usenet.domain.host import Host
from usenet.domain.plan import Grant
from usenet.domain.settings import publish_address

Services = dict[str, dict[str, Any]]
REFERENCE = re.compile(r"\$\{([A-Z][A-Z0-9_]*):\?is missing in \.env: run usenet deploy once\}")
SOCKET = "/var/run/docker.sock"
ENGINE_LEAST = 6 * 2**20


class Cell:
    """One combination with all that is looked at in it."""

    def __init__(self, combination: stacks.Combination) -> None:
        self.combination, self.host = combination, stacks.HOSTS[combination.host]
        self.settings = combination.settings
        self.plan, self.stack = combination.decide()
        self.text = self.stack.files["compose.yaml"]
        self.compose: dict[str, Any] = yaml.load(self.text, Loader=yaml.CSafeLoader)
        self.services: Services = self.compose["services"]

    def pairs(self) -> Iterator[tuple[Grant, dict[str, Any]]]:
        for name, service in self.services.items():
            yield self.plan.grants[name], service


CELLS = [(host, profile) for host in stacks.HOSTS for profile in stacks.PROFILES]


def test_the_matrix_is_large(record_property: Callable[[str, object], None]) -> None:
    whole = list(stacks.matrix())
    assert len(whole) == len(set(whole)) >= 200
    assert {c.variant for c in whole} == set(range(len(stacks.VARIANTS)))
    record_property("matrix of the invariants", f"{len(whole)} combinations")


@pytest.mark.parametrize(("host", "profile"), CELLS, ids=[f"{h}-{p}" for h, p in CELLS])
def test_invariants(host: str, profile: str) -> None:
    for combination in (c for c in stacks.matrix() if (c.host, c.profile) == (host, profile)):
        cell = Cell(combination)
        for rule in RULES:
            try:
                rule(cell)
            except AssertionError as broken:
                raise AssertionError(f"{combination}: {rule.__name__}: {broken}") from broken


def services_are_those_planned(cell: Cell) -> None:
    assert sorted(cell.services) == sorted(cell.plan.grants)
    planned = {*cell.plan.grants} | {out.service for out in cell.plan.left_out}
    assert {*stacks.sets()[cell.combination.set]} <= planned, "nothing that was asked for vanishes silently"
    assert sorted(n for wave in cell.plan.waves for n in wave) == sorted(cell.plan.grants)
    for out in cell.plan.left_out:
        assert out.because, out.service
    assert all(choice.because for choice in cell.plan.choices), "every choice has its reason"


def host_ports_are_unique(cell: Cell) -> None:
    taken: dict[tuple[int, str], list[str]] = {}
    for grant, service in cell.pairs():
        own = service.get("ports", [])
        own = [*own, *({"published": p, "protocol": t} for p, t in _listening(grant, service))]
        for port in own:
            taken.setdefault((int(port["published"]), port["protocol"]), []).append(grant.service)
    twice = {port: who for port, who in taken.items() if len(who) > 1}
    assert not twice


def _listening(grant: Grant, service: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """What a container on the host's own network takes there."""
    if service.get("network_mode") == "host":
        for port in stacks.catalog()[grant.service].service.ports:
            yield port.container, port.protocol


def ports_are_published_where_it_was_set_and_nowhere_else(cell: Cell) -> None:
    wanted = publish_address(cell.settings.publish)
    for grant, service in cell.pairs():
        for port in service.get("ports", []):
            assert sorted(port) == ["host_ip", "mode", "protocol", "published", "target"], "long syntax"
            assert port["host_ip"] == wanted, grant.service
            assert isinstance(port["published"], str)
        if service.get("network_mode") == "host":
            assert "ports" not in service, grant.service


def memory_fits_the_share_and_the_machine(cell: Cell) -> None:
    total = cell.host.memory.total
    if cell.host.engine and not cell.host.engine.memory_limit:
        assert '"memory"' not in cell.text
        assert all("memory" not in s["deploy"]["resources"]["limits"] for s in cell.services.values())
        return
    share = _share(cell)
    reserved = 0
    for grant, service in cell.pairs():
        resources = service["deploy"]["resources"]
        limit = int(resources["limits"]["memory"])
        reservation = int(resources.get("reservations", {}).get("memory", 0))
        assert reservation == 0 or reservation >= ENGINE_LEAST, grant.service
        assert ENGINE_LEAST <= limit <= total, grant.service
        assert reservation <= limit, grant.service
        assert limit <= max(int(total * share), 16 * 2**20), grant.service
        reserved += reservation
    assert reserved <= total * share, f"{reserved} of {total * share}"


def _share(cell: Cell) -> float:
    named = {"dedicated": 1.0, "high_performance": 0.75, "balanced": 0.5, "light": 0.25, "development": 0.1}
    if cell.combination.profile == "custom":
        return 0.6
    chosen = next(c.value for c in cell.plan.choices if c.about == "profile")
    assert cell.combination.profile in ("auto", chosen)
    return named[chosen]


def processors_are_those_of_the_machine(cell: Cell) -> None:
    for grant, service in cell.pairs():
        assert 0 < float(service["deploy"]["resources"]["limits"]["cpus"]) <= cell.host.cpu.threads, grant.service


def devices_are_those_of_the_host(cell: Cell) -> None:
    for grant, service in cell.pairs():
        own = stacks.catalog()[grant.service].service
        there = {*_nodes(cell.host)} if own.wants.encoder else set()
        drives = {drive.path for drive in cell.host.drives} if own.wants.drives else set()
        for device in service.get("devices", []):
            source, target = device.split(":")
            assert source == target
            assert source in {*there, *drives, *own.wants.devices}, f"{grant.service} gets {source}"
        groups = {str(gid) for gid in _nodes(cell.host).values()} if own.wants.encoder else set()
        assert {*service.get("group_add", [])} <= groups, grant.service
        _gpus_are_those_of_the_host(cell.host, grant, service)


def _nodes(host: Host) -> dict[str, int]:
    return {n.path: n.gid for gpu in host.gpus for n in (gpu.render, gpu.card, *gpu.codecs) if n}


def _gpus_are_those_of_the_host(host: Host, grant: Grant, service: dict[str, Any]) -> None:
    uuids = {gpu.uuid for gpu in host.gpus if gpu.uuid}
    for wanted in service["deploy"]["resources"].get("reservations", {}).get("devices", []):
        assert stacks.catalog()[grant.service].service.wants.encoder
        assert host.engine
        offered = host.engine.cdi if wanted["driver"] == "cdi" else uuids
        assert {*wanted["device_ids"]} <= {*offered}, grant.service
        assert wanted["driver"] == "cdi" or "nvidia" in host.engine.runtimes


def nobody_gets_rights_that_are_not_declared(cell: Cell) -> None:
    for grant, service in cell.pairs():
        own = stacks.catalog()[grant.service].service
        assert service["cap_drop"] == ["ALL"], grant.service
        assert service["security_opt"] == ["no-new-privileges:true"], grant.service
        assert {"privileged", "pid", "ipc", "userns_mode", "cgroup_parent"} & {*service} == set(), grant.service
        assert {*service.get("cap_add", [])} <= {*own.wants.capabilities, *_of_family(grant)}, grant.service
        assert "ALL" not in service.get("cap_add", []), grant.service


def _of_family(grant: Grant) -> tuple[str, ...]:
    if grant.build and grant.image != stacks.catalog()[grant.service].service.image:
        return ()
    family = stacks.catalog()[grant.service].service.family
    taking = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID")
    return {"linuxserver": taking, "hotio": taking, "plex": taking, "root": ("DAC_OVERRIDE",)}.get(family, ())


def only_the_socket_proxy_sees_the_engine(cell: Cell) -> None:
    for grant, service in cell.pairs():
        sockets = [v for v in service.get("volumes", []) if _shows_the_socket(v)]
        if grant.service == asked.SOCKET_PROXY:
            assert [(v["source"], v["read_only"]) for v in sockets] == [(SOCKET, True)]
            assert "ports" not in service
        else:
            assert not sockets, grant.service
        if stacks.catalog()[grant.service].service.wants.engine:
            assert service["environment"]["DOCKER_HOST"] == "tcp://socket-proxy:2375", grant.service
            assert asked.SOCKET_PROXY in service["depends_on"], grant.service
        elif grant.service != asked.SOCKET_PROXY:
            assert "DOCKER_HOST" not in service.get("environment", {}), grant.service


def _shows_the_socket(bind: dict[str, Any]) -> bool:
    """Whether a bind holds the socket, or a directory above it: /run and /var/run are one."""
    source = PurePosixPath(bind["source"])
    sockets = (PurePosixPath(SOCKET), PurePosixPath(SOCKET.removeprefix("/var")))
    return "docker.sock" in f"{source}{bind['target']}" or any(s.is_relative_to(source) for s in sockets)


def only_who_wants_the_engine_is_on_its_network(cell: Cell) -> None:
    for grant, service in cell.pairs():
        joined = service.get("networks", [])
        if grant.service == asked.SOCKET_PROXY:
            assert joined == ["engine"], "nobody else sees what it serves to whoever asks"
        elif stacks.catalog()[grant.service].service.wants.engine:
            assert joined == ["default", "engine"], grant.service
        else:
            assert "networks" not in service, grant.service
    there = {"engine": {"internal": True}} if asked.SOCKET_PROXY in cell.services else {}
    assert cell.compose.get("networks", {}) == there


def who_may_not_read_the_owners_files_is_not_the_owner(cell: Cell) -> None:
    for grant, service in cell.pairs():
        if stacks.catalog()[grant.service].service.wants.account == "nobody":
            assert service["user"] == "65534:65534", grant.service
            own = (cell.plan.home, cell.plan.data)
            for bind in service.get("volumes", []):
                assert not any(PurePosixPath(path).is_relative_to(bind["source"]) for path in own), grant.service


def selinux_lets_all_containers_into_what_is_the_stacks_own(cell: Cell) -> None:
    for grant, service in cell.pairs():
        theirs = {*stacks.catalog()[grant.service].service.wants.binds, cell.host.engine and cell.host.engine.root}
        for bind in service.get("volumes", []):
            wanted = cell.host.system.selinux and bind["source"] not in theirs and ":" not in bind["source"]
            assert bind["bind"].get("selinux", "") == ("z" if wanted else ""), f"{grant.service}: {bind['source']}"


def who_has_rendered_files_carries_their_digest(cell: Cell) -> None:
    for grant, service in cell.pairs():
        has = any(path.startswith(f"files/{grant.service}/") for path in cell.stack.files)
        assert bool(re.fullmatch("[0-9a-f]{12}", service.get("labels", {}).get("usenet.files", ""))) == has


def images_have_a_version(cell: Cell) -> None:
    for grant, service in cell.pairs():
        name, colon, tag = service["image"].rpartition(":")
        assert name, grant.service
        assert colon, grant.service
        assert "/" not in tag, grant.service
        assert tag != "latest", grant.service
        assert service["pull_policy"] == ("never" if grant.build else "missing"), grant.service


def binds_are_long_and_make_nothing(cell: Cell) -> None:
    for grant, service in cell.pairs():
        for bind in service.get("volumes", []):
            assert bind["type"] == "bind", grant.service
            labelled = "selinux" in bind["bind"]  # Compose takes the one only with the other
            assert bind["bind"]["create_host_path"] is labelled, f"{grant.service}: the engine would make it root's"
            assert bind["source"].startswith("/"), grant.service
            assert bind["target"].startswith("/"), grant.service
            assert bind["bind"].get("propagation", "rslave") == "rslave"
        targets = [bind["target"] for bind in service.get("volumes", [])]
        assert len(targets) == len(set(targets)), grant.service


def rslave_only_on_a_shared_mount(cell: Cell) -> None:
    shared = next(c.value for c in cell.plan.choices if c.about == "data.propagation") == "rslave"
    for grant, service in cell.pairs():
        for bind in service.get("volumes", []):
            inside = bind["source"].replace("$$", "$").startswith(cell.plan.data)
            assert ("propagation" in bind["bind"]) == (shared and inside), f"{grant.service}: {bind['source']}"


def data_is_one_tree_with_one_path(cell: Cell) -> None:
    """The same file has the same path in every container, so that a move is no copy."""
    for grant, service in cell.pairs():
        for bind in service.get("volumes", []):
            source = bind["source"].replace("$$", "$")
            if source == cell.plan.data or source.startswith(f"{cell.plan.data}/"):
                assert bind["target"] == "/data" + source.removeprefix(cell.plan.data), grant.service


def secrets_are_named_and_never_told(cell: Cell) -> None:
    named = {name for text in cell.stack.files.values() for name in REFERENCE.findall(text)}
    assert named <= {*cell.plan.secrets}
    for grant, service in cell.pairs():
        own = stacks.catalog()[grant.service].service
        for variable, value in service.get("environment", {}).items():
            declared = own.environment.get(variable, "")
            if declared.startswith("${"):
                assert REFERENCE.fullmatch(value), f"{grant.service}: {variable}"
            elif "$" in str(value).replace("$$", ""):
                raise AssertionError(f"{grant.service}: {variable} would be interpolated")


def a_dollar_is_never_interpolated(cell: Cell) -> None:
    alone = REFERENCE.sub("", cell.text).replace("$$", "")
    assert "$" not in alone


def dependents_wait_for_what_is_there(cell: Cell) -> None:
    for grant, service in cell.pairs():
        wanted = {n for n in (*grant.needs, *grant.after) if n in cell.plan.grants}
        waits = service.get("depends_on", {})
        assert {*waits} == wanted, grant.service
        assert {*grant.needs} <= {*cell.plan.grants}, grant.service
        for name, how in waits.items():
            asks_itself = "healthcheck" in cell.services[name] or _brings_its_own(cell.plan.grants[name])
            assert how == {"condition": "service_healthy" if asks_itself else "service_started"}, grant.service


def _brings_its_own(grant: Grant) -> bool:
    return stacks.catalog()[grant.service].service.health.check == "image" and not grant.build


def healthchecks_fit_the_engine(cell: Cell) -> None:
    api = tuple(int(part) for part in cell.host.engine.api.split(".")) if cell.host.engine else (0,)
    for grant, service in cell.pairs():
        check = service.get("healthcheck")
        assert bool(check) == bool(grant.check), grant.service
        if check:
            assert ("start_interval" in check) == (api >= (1, 44)), grant.service
            assert check["test"][0] in ("CMD", "CMD-SHELL"), grant.service


def owners_are_told_once(cell: Cell) -> None:
    """`user:` disables PUID; an image that takes neither runs as it was made to."""
    identity = f"{cell.settings.user.uid}:{cell.settings.user.gid}"
    for grant, service in cell.pairs():
        own = stacks.catalog()[grant.service].service
        asked_for = {*service.get("environment", {})} - {*own.environment}
        given, family = asked_for & {"PUID", "PGID", "PLEX_UID", "PLEX_GID"}, own.family
        as_user = family in ("official", "built") or (grant.build and "user" in service)
        if own.wants.account == "nobody":
            assert (service["user"], given) == ("65534:65534", set()), grant.service
        elif as_user:
            assert (service["user"], given) == (identity, set()), grant.service
        else:
            assert "user" not in service, grant.service
            expected: dict[str, set[str]] = {"plex": {"PLEX_UID", "PLEX_GID"}, "root": set()}
            assert given == expected.get(family, {"PUID", "PGID"}), grant.service


def containers_come_back_and_logs_end(cell: Cell) -> None:
    for grant, service in cell.pairs():
        assert service["restart"] == "unless-stopped", grant.service
        assert service["logging"]["options"]["max-size"], grant.service
        assert service["environment"]["TZ"] == cell.settings.timezone, grant.service


def text_is_yaml_and_the_same_every_time(cell: Cell) -> None:
    assert cell.compose["name"] == cell.settings.name
    assert {*cell.compose} <= {"name", "services", "networks"}, "no volume that nobody asked for"
    again = stacks.stack(cell.host, stacks.plan(cell.host, cell.settings))
    assert again == cell.stack
    for path, text in cell.stack.files.items():
        assert text.endswith("\n"), path
        text.encode()


def every_bind_of_a_rendered_file_is_rendered(cell: Cell) -> None:
    for grant, service in cell.pairs():
        for bind in service.get("volumes", []):
            below = f"{stacks.HOME}/stack/"
            if bind["source"].startswith(below):
                assert bind["source"].removeprefix(below) in cell.stack.files, grant.service
                assert bind["read_only"] is True, grant.service


RULES = (
    services_are_those_planned,
    host_ports_are_unique,
    ports_are_published_where_it_was_set_and_nowhere_else,
    memory_fits_the_share_and_the_machine,
    processors_are_those_of_the_machine,
    devices_are_those_of_the_host,
    nobody_gets_rights_that_are_not_declared,
    only_the_socket_proxy_sees_the_engine,
    only_who_wants_the_engine_is_on_its_network,
    who_may_not_read_the_owners_files_is_not_the_owner,
    selinux_lets_all_containers_into_what_is_the_stacks_own,
    who_has_rendered_files_carries_their_digest,
    images_have_a_version,
    binds_are_long_and_make_nothing,
    rslave_only_on_a_shared_mount,
    data_is_one_tree_with_one_path,
    secrets_are_named_and_never_told,
    a_dollar_is_never_interpolated,
    dependents_wait_for_what_is_there,
    healthchecks_fit_the_engine,
    owners_are_told_once,
    containers_come_back_and_logs_end,
    text_is_yaml_and_the_same_every_time,
    every_bind_of_a_rendered_file_is_rendered,
)
