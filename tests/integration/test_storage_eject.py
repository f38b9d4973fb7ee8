"""A drive keeps its power while anything of it is in use, whoever uses it. Only the port is made up."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.drives import Bench, Loop, call
from tests.saved import plant
from usenet.adapters import mounts
from usenet.adapters.storage import eject
from usenet.domain.errors import SystemFailure

pytestmark = pytest.mark.engine


@contextmanager
def swap(device: str) -> Iterator[None]:
    call("mkswap", "-q", device)
    call("swapon", device)
    try:
        yield
    finally:
        call("swapoff", device)


@contextmanager
def mounted_elsewhere(device: str) -> Iterator[None]:
    """As in a container, or a service of systemd with mounts of its own."""
    call("mkfs.ext4", "-q", device)
    script = 'mount "$0" /mnt && echo mounted && read -r _; umount /mnt'
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    # A slave, so that what others unmount meanwhile is not kept mounted there.
    command = ["unshare", "--mount", "--propagation", "slave", "sh", "-c", script, device]
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout
        assert process.stdout.readline() == b"mounted\n"
        try:
            yield
        finally:
            process.communicate(b"\n", timeout=60)


@pytest.fixture
def drive(bench: Bench) -> Loop:
    """A drive with one partition, of which the kernel is told: not every kernel reads partition tables."""
    drive = bench.drive()
    drive.unplug()
    drive.plug("--partscan")
    call("addpart", drive.device, "1", "2048", "65536")
    return drive


@pytest.fixture
def root(drive: Loop, tmp_path: Path) -> Path:
    """What /sys would say if it hung on a port of USB."""
    name, port = Path(drive.device).name, "devices/usb1/1-1"
    place = f"{port}/host2/{name}"
    tree = {f"{port}/remove": "", f"{port}/idVendor": "0bc2", f"{place}/delete": ""}
    tree |= {f"{place}/block/{name}/{name}p1/partition": "1", f"{place}/block/{name}/device": {"link": "../.."}}
    return plant({**tree, f"class/block/{name}": {"link": f"../../{place}/block/{name}"}}, tmp_path / "sys")


@pytest.mark.parametrize("use", [swap, mounted_elsewhere])
def test_what_is_in_use_is_not_powered_down(use: Callable[[str], object], drive: Loop, root: Path) -> None:
    with use(f"{drive.device}p1"):
        with pytest.raises(SystemFailure, match="it is in use"):
            eject.power_down(drive.device, mounts.look(), root)
        assert not [file for file in root.rglob("*") if file.name in ("delete", "remove") and file.read_text()]
    assert "can be pulled" in eject.power_down(drive.device, mounts.look(), root)
