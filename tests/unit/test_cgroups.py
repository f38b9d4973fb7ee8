"""Memory and processor time as kernels write them, in every layout that engines use."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tests.saved import plant
from usenet.adapters import cgroups

ID = "4f1c0d2b7a9e"
SCOPE = f"system.slice/docker-{ID}.scope"
MIB = 2**20
STAT_2 = f"anon 1000\nfile 2000\nkernel 5\nactive_file 12\ninactive_file {3 * MIB}\nslab 7\n"
STAT_1 = f"cache 99\nrss 12\ninactive_file 1\ntotal_cache 4\ntotal_inactive_file {2 * MIB}\ntotal_rss 9\n"
CPU_2 = "usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\nnr_periods 0\n"


def unified(place: str) -> dict[str, str]:
    return {
        f"{place}/memory.current": f"{10 * MIB}\n",
        f"{place}/memory.stat": STAT_2,
        f"{place}/cpu.stat": CPU_2,
    }


def first(place: str, cpu: str = "cpuacct") -> dict[str, str]:
    return {
        f"memory/{place}/memory.usage_in_bytes": f"{10 * MIB}\n",
        f"memory/{place}/memory.stat": STAT_1,
        f"{cpu}/{place}/cpuacct.usage": "2500000000\n",
    }


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (unified(SCOPE), 7 * MIB),
        (unified(f"docker/{ID}"), 7 * MIB),
        (first(f"docker/{ID}"), 8 * MIB),
        (first(SCOPE), 8 * MIB),
        (first(f"docker/{ID}", "cpu,cpuacct"), 8 * MIB),
    ],
    ids=["2-systemd", "2-cgroupfs", "1-cgroupfs", "1-systemd", "1-joined"],
)
def test_memory_and_processor_time(tree: dict[str, str], expected: int, tmp_path: Path) -> None:
    root = str(plant(tree, tmp_path))
    assert (cgroups.memory(ID, root), cgroups.processors(root)) == (expected, {ID: 2.5})


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {f"docker/{ID}/other": "1"},
        {"docker/another/memory.current": "5\n"},
        {f"docker/{ID}/memory.current": "max\n"},
        {f"docker/{ID}/memory.current": ""},
    ],
)
def test_what_is_not_there_is_unknown(tree: dict[str, str], tmp_path: Path) -> None:
    root = str(plant(tree, tmp_path))
    assert (cgroups.memory(ID, root), cgroups.processors(root)) == (None, {})


def test_more_cache_than_use_is_no_negative_memory(tmp_path: Path) -> None:
    tree = {**unified(SCOPE), f"{SCOPE}/memory.current": "100\n"}
    assert cgroups.memory(ID, str(plant(tree, tmp_path))) == 0


def test_a_kernel_without_memory_accounting_of_the_cache(tmp_path: Path) -> None:
    tree = {f"{SCOPE}/memory.current": "100\n", f"{SCOPE}/cpu.stat": "garbage\nusage_usec x\n"}
    root = str(plant(tree, tmp_path))
    assert (cgroups.memory(ID, root), cgroups.processors(root)) == (100, {ID: 0.0})


def test_the_processor_time_of_all_containers_at_once(tmp_path: Path) -> None:
    other = "a" * 64
    tree = unified(SCOPE) | {
        f"system.slice/docker-{other}.scope/cpu.stat": "usage_usec 1000000\n",
        "system.slice/docker-buildkit.scope/cpu.stat": CPU_2,
        "system.slice/ssh.service/cpu.stat": CPU_2,
        f"docker/{'b' * 64}/cgroup.procs": "1\n",
    }
    assert cgroups.processors(str(plant(tree, tmp_path))) == {ID: 2.5, other: 1.0}
    assert cgroups.processors(str(tmp_path / "nothing")) == {}


def test_a_container_that_ends_at_this_moment_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = str(plant(unified(SCOPE), tmp_path))

    def gone(*_: object) -> bytes:
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr("os.read", gone)
    assert (cgroups.memory(ID, root), cgroups.processors(root)) == (None, {})
