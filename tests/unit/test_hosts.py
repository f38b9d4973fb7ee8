"""Saved hosts: each golden one comes back as it was, and a file that is none says where and why."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.saved import TESTS
from usenet.adapters import hosts
from usenet.cli.console import plain
from usenet.domain.errors import ConfigError
from usenet.domain.host import Host

GOLDEN = sorted((TESTS / "hosts").glob("*.json"))
GIB = 2**30


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_host_is_dumped_as_it_was_loaded(path: Path) -> None:
    assert json.dumps(plain(hosts.load(path)), indent=2, ensure_ascii=False) + "\n" == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_host_is_possible(path: Path) -> None:
    host = hosts.load(path)

    assert host.cpu.threads >= host.cpu.cores >= 1
    assert 0 < host.memory.available <= host.memory.total
    assert set(host.sources) >= {"cpu", "memory", "system", "engine", "drives", "gpus"}
    nodes = [node for gpu in host.gpus for node in (gpu.render, gpu.card, *gpu.codecs) if node]
    assert len({node.path for node in nodes}) == len(nodes)
    for drive in host.drives:
        assert sum(one.size for one in drive.partitions) <= drive.size
    targets = [
        (filesystem.uuid, mount.target)
        for drive in host.drives
        for one in drive.partitions
        if (filesystem := one.filesystem)
        for mount in filesystem.mounts
    ]
    assert len({target for _, target in targets}) == len(set(targets))


def test_the_golden_hosts_reach_from_the_smallest_to_the_largest() -> None:
    found = [hosts.load(path) for path in GOLDEN]

    assert len(found) >= 12
    assert min(host.memory.total for host in found) < GIB // 2
    assert max(host.memory.total for host in found) > 120 * GIB
    assert {1, 2, 4, 8, 16, 32} <= {host.cpu.threads for host in found}
    assert {"nvidia", "amd", "intel", "raspberrypi", "other"} <= {gpu.vendor for host in found for gpu in host.gpus}


def changed(change: Callable[[dict[str, Any]], object], folder: Path) -> Path:
    raw = json.loads((TESTS / "hosts/two-gpus.json").read_text(encoding="utf-8"))
    change(raw)
    path = folder / "machine.json"
    path.write_text(json.dumps(raw), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "place", "message"),
    [
        (lambda raw: raw["cpu"].update(threads="four"), "cpu/threads", "should be a valid integer"),
        (lambda raw: raw["cpu"].update(threads="4"), "cpu/threads", "should be a valid integer"),
        (lambda raw: raw["memory"].pop("total"), "memory/total", "field required"),
        (lambda raw: raw["drives"][1].update(size=None), "drives/1/size", "should be a valid integer"),
        (lambda raw: raw["gpus"][0].update(colour="red"), "gpus/0/colour", "no such field"),
        (lambda raw: raw.update(gpu=[]), "gpu", "no such field"),
        (lambda raw: raw["gpus"][0]["render"].pop("gid"), "gpus/0/render/gid", "field required"),
        (lambda raw: raw.update(schema=2), "schema", "is a host of schema 2, this version reads 1"),
    ],
)
def test_bad_content_is_told_with_its_place(
    change: Callable[[dict[str, Any]], object], place: str, message: str, tmp_path: Path
) -> None:
    path = changed(change, tmp_path)

    with pytest.raises(ConfigError) as failure:
        hosts.load(path)

    assert failure.value.where == f"{path}: {place}"
    assert failure.value.message == message
    assert failure.value.hint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no JSON"),
        (b"{\n\n  cpu: 1}", "is no JSON"),
        (b"[1, 2]", "is no saved host"),
        (b"{}", "is no saved host"),
        (b'{"schema": 1}', "field required"),
        (b"\xff\xfe\x00", "is not text"),
        (b"[" * 100_000, "is no JSON"),
    ],
)
def test_a_file_that_is_no_host_says_so(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    path.write_bytes(content)

    with pytest.raises(ConfigError) as failure:
        hosts.load(path)

    assert failure.value.message.startswith(message)
    assert failure.value.where.startswith(str(path))


def test_broken_json_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    path.write_text('{\n  "schema": 1,\n  "cpu": {,}\n}')

    with pytest.raises(ConfigError) as failure:
        hosts.load(path)

    assert failure.value.where == f"{path}:3"


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_file_that_can_not_be_read_says_why(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        hosts.load(tmp_path / name)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hosts") / "host.json"


@given(host=st.from_type(Host))
def test_every_possible_host_survives_its_file(host: Host, scratch: Path) -> None:
    host = dataclasses.replace(host, schema=1)
    scratch.write_text(json.dumps(plain(host), ensure_ascii=False), encoding="utf-8", errors="surrogatepass")

    assert hosts.load(scratch) == host
