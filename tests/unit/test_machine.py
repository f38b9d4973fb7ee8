"""Processor, memory and system, read from the files of saved machines and of this one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.saved import facts, names, plant
from usenet.adapters import machine
from usenet.cli.console import plain
from usenet.domain.errors import SystemFailure


@pytest.mark.parametrize("name", names("machine"))
def test_a_saved_machine_is_read_as_it_was(name: str, tmp_path: Path) -> None:
    saved = facts("machine", name)
    root = plant(saved["tree"], tmp_path)

    assert plain(machine.cpu(root, architecture=saved["architecture"])) == saved["expected"]["cpu"]
    assert plain(machine.memory(root)) == saved["expected"]["memory"]
    assert plain(machine.system(root)) == saved["expected"]["system"]


def test_this_machine_has_a_processor_memory_and_a_kernel() -> None:
    cpu, memory, system = machine.cpu(), machine.memory(), machine.system()

    assert cpu.threads >= cpu.cores >= 1
    assert 0 < memory.available <= memory.total
    assert system.kernel == Path("/proc/sys/kernel/osrelease").read_text().strip()
    assert system.init


def test_without_proc_the_failure_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(SystemFailure) as failure:
        machine.memory(tmp_path)
    assert "proc/meminfo can't be read" in str(failure.value)
    assert failure.value.hint == "mount /proc"


def test_an_empty_system_is_still_a_system(tmp_path: Path) -> None:
    assert plain(machine.system(tmp_path))["distribution"] == "linux"


@given(st.text())
def test_no_cpuinfo_can_break_the_reading(text: str) -> None:
    cpu = machine.parse_cpu(text, architecture="riscv64")
    assert cpu.threads >= cpu.cores >= 1


@given(st.text())
def test_no_os_release_can_break_the_reading(text: str) -> None:
    assert all(isinstance(value, str) for value in machine.parse_release(text).values())


@given(total=st.integers(1, 2**40), available=st.integers(0, 2**41))
def test_memory_is_never_more_available_than_there_is(total: int, available: int) -> None:
    memory = machine.parse_memory(f"MemTotal: {total} kB\nMemAvailable:   {available} kB\n")
    assert memory.total == total * 1024
    assert memory.available <= memory.total


def test_secure_boot_is_the_last_byte_of_the_variable(tmp_path: Path) -> None:
    folder = tmp_path / "sys/firmware/efi/efivars"
    assert machine.secure_boot(tmp_path) is False
    folder.mkdir(parents=True)
    variable = folder / "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
    for byte, on in ((0, False), (1, True)):
        variable.write_bytes(bytes([6, 0, 0, 0, byte]))
        assert machine.secure_boot(tmp_path) is on
