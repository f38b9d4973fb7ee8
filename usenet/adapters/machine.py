"""What the kernel and the distribution say about this machine: processor, memory, system."""

from __future__ import annotations

import os
import re
import shlex
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from usenet.adapters import reading
from usenet.domain.errors import SystemFailure
from usenet.domain.host import Cpu, Memory, System

ROOT = Path("/")
SOURCES = {
    "cpu": "/proc/cpuinfo, /sys/devices/system/cpu",
    "memory": "/proc/meminfo",
    "system": "/proc/sys/kernel, /etc/os-release, /sys/class/dmi, /proc/device-tree",
}

# What firmware makers leave in DMI fields that they did not fill in.
_BLANK = ("", "to be filled by o.e.m.", "default string", "system product name", "system manufacturer", "not specified")
_FIRST_PROCESSES = "pid:[4026531836]"  # PROC_PID_INIT_INO of the kernel's include/linux/proc_ns.h
# How the DMI of a virtual machine begins (systemd's detection reads the same fields).
_HYPERVISORS = {
    "qemu": "kvm",
    "kvm": "kvm",
    "google": "kvm",
    "amazon ec2": "kvm",
    "digitalocean": "kvm",
    "hetzner": "kvm",
    "vmware": "vmware",
    "innotek": "virtualbox",
    "oracle corporation virtualbox": "virtualbox",
    "microsoft corporation virtual machine": "hyper-v",
    "xen": "xen",
    "bochs": "bochs",
    "parallels": "parallels",
    "apple virtualization": "apple",
}
# MIDR implementer and part (Arm's product pages): the processors of the boards and servers that people have at home.
_ARM = {
    "0x41 0xd03": "Cortex-A53",
    "0x41 0xd05": "Cortex-A55",
    "0x41 0xd07": "Cortex-A57",
    "0x41 0xd08": "Cortex-A72",
    "0x41 0xd09": "Cortex-A73",
    "0x41 0xd0a": "Cortex-A75",
    "0x41 0xd0b": "Cortex-A76",
    "0x41 0xd0c": "Neoverse-N1",
    "0x41 0xd40": "Neoverse-V1",
    "0x41 0xd41": "Cortex-A78",
    "0x41 0xd49": "Neoverse-N2",
}


def cpu(root: Path = ROOT, *, architecture: str = "") -> Cpu:
    """The processor: physical cores, online threads, and the kernel's flags. SystemFailure without /proc."""
    text = _needed(root / "proc/cpuinfo")
    parsed = parse_cpu(text, architecture=architecture or os.uname().machine)
    cores = _cores(root / "sys/devices/system/cpu")
    return replace(parsed, cores=min(cores, parsed.threads)) if cores else parsed


def parse_cpu(text: str, *, architecture: str) -> Cpu:
    """Read /proc/cpuinfo of x86, Arm or RISC-V; `cores` falls back to threads where it does not tell."""
    blocks = [_pairs(block) for block in re.split(r"\n\s*\n", text)]
    processors = [block for block in blocks if block.get("processor", "").isdecimal()]
    first = processors[0] if processors else {}
    threads = max(len(processors), 1)
    ids = {(p["physical id"], p["core id"]) for p in processors if "physical id" in p and "core id" in p}
    arm = f"{first.get('CPU implementer', '')} {first.get('CPU part', '')}"
    return Cpu(
        model=first.get("model name") or _ARM.get(arm) or first.get("uarch") or arm.strip(),
        cores=len(ids) or threads,
        threads=threads,
        architecture=architecture,
        flags=tuple((first.get("flags") or first.get("Features") or first.get("isa") or "").split()),
    )


def _cores(folder: Path) -> int:
    """Physical cores by the kernel's topology; 0 where it has none."""
    found = set()
    for one in folder.glob("cpu[0-9]*/topology"):
        package, core = reading.text(one / "physical_package_id"), reading.text(one / "core_id")
        if package and core:
            found.add((package, reading.text(one / "cluster_id"), core))
    return len(found)


def memory(root: Path = ROOT) -> Memory:
    """Memory and swap in bytes. SystemFailure without /proc."""
    return parse_memory(_needed(root / "proc/meminfo"))


def parse_memory(text: str) -> Memory:
    """Read /proc/meminfo; SystemFailure when it has no MemTotal."""
    amounts = {key: int(number) * 1024 for key, number in re.findall(r"^(\w+):\s*(\d+) kB", text, re.MULTILINE)}
    if "MemTotal" not in amounts:
        raise SystemFailure("/proc/meminfo has no MemTotal")
    return Memory(
        total=amounts["MemTotal"],
        available=min(amounts.get("MemAvailable", amounts.get("MemFree", 0)), amounts["MemTotal"]),
        swap=amounts.get("SwapTotal", 0),
    )


def system(root: Path = ROOT) -> System:
    """Kernel, distribution (its os-release ID), model, hypervisor or container, process 1, SELinux loaded or not."""
    release = parse_release(reading.text(root / "etc/os-release") or reading.text(root / "usr/lib/os-release"))
    return System(
        kernel=reading.text(root / "proc/sys/kernel/osrelease"),
        distribution=release.get("ID", "linux"),
        version=release.get("VERSION_ID", ""),
        model=_model(root),
        virtual=_virtual(root),
        init=reading.text(root / "proc/1/comm"),
        selinux=(root / "sys/fs/selinux/enforce").exists(),
    )


def codename(root: Path = ROOT) -> str:
    """The distribution release's name in its package sources, such as bookworm; empty where it has none."""
    return parse_release(reading.text(root / "etc/os-release")).get("VERSION_CODENAME", "")


def secure_boot(root: Path = ROOT) -> bool:
    """Whether the firmware lets only signed kernels and modules run."""
    for file in (root / "sys/firmware/efi/efivars").glob("SecureBoot-*"):
        with suppress(OSError):
            return file.read_bytes()[-1:] == b"\x01"
    return False


def parse_release(text: str) -> dict[str, str]:
    """Read os-release(5): shell-quoted assignments; lines that are none are skipped."""
    found = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            try:
                found[key] = "".join(shlex.split(value))
            except ValueError:
                continue
    return found


def _model(root: Path) -> str:
    board = reading.text(root / "proc/device-tree/model") or reading.text(root / "sys/firmware/devicetree/base/model")
    if board:
        return board
    for maker, product in (("sys_vendor", "product_name"), ("board_vendor", "board_name")):
        words = [_dmi(root, maker), _dmi(root, product)]
        if words[1]:
            return " ".join(dict.fromkeys(filter(None, words)))
    return ""


def _dmi(root: Path, field: str) -> str:
    value = reading.text(root / "sys/class/dmi/id" / field)
    return "" if value.lower() in _BLANK else value


def _virtual(root: Path) -> str:
    """The innermost layer wins: what a container offers is less than what its host does."""
    return _container(root) or _hypervisor(root)


def _container(root: Path) -> str:
    # A virtual machine may be made from an image that still has the mark; then its process tree is the kernel's first.
    processes = root / "proc/self/ns/pid"
    if processes.is_symlink() and str(processes.readlink()) == _FIRST_PROCESSES:
        return ""
    marks = ((".dockerenv", "docker"), ("run/.containerenv", "podman"))
    told = reading.text(root / "run/systemd/container")
    return told or next((name for mark, name in marks if (root / mark).exists()), "")


def _hypervisor(root: Path) -> str:
    if "microsoft" in reading.text(root / "proc/sys/kernel/osrelease").lower():
        return "wsl"
    product = " ".join(filter(None, (_dmi(root, "sys_vendor"), _dmi(root, "product_name")))).lower()
    for begins, name in _HYPERVISORS.items():
        if product.startswith(begins) or _dmi(root, "product_name").lower().startswith(begins):
            return name
    flags = re.search(r"^flags\s*:.*\bhypervisor\b", reading.text(root / "proc/cpuinfo"), re.MULTILINE)
    return reading.text(root / "sys/hypervisor/type") or ("unknown hypervisor" if flags else "")


def _pairs(block: str) -> dict[str, str]:
    lines = (line.partition(":") for line in block.splitlines())
    return {key.strip(): value.strip() for key, colon, value in lines if colon}


def _needed(path: Path) -> str:
    text = reading.text(path)
    if not text:
        raise SystemFailure(f"{path} can't be read", hint="mount /proc")
    return text
