"""Small makers of values for tests."""

from __future__ import annotations

from typing import Any

from usenet.domain.host import Cpu, Engine, Gpu, Host, Memory, Node, System
from usenet.domain.service import Service
from usenet.domain.settings import Settings

GIB = 2**30


def host(**changes: Any) -> Host:
    """A machine with 8 GiB, 4 threads and an engine, unless changed."""
    base: dict[str, Any] = {
        "cpu": Cpu(model="test", cores=4, threads=4, architecture="x86_64"),
        "memory": Memory(total=8 * GIB, available=6 * GIB),
        "system": System(kernel="6.1", distribution="debian"),
        "engine": Engine(version="26.1.5", api="1.45", compose="2.26.1"),
        "sources": {},
    }
    return Host(**(base | changes))


def service(**changes: Any) -> Service:
    """A service with one page on port 8000, unless changed."""
    base: dict[str, Any] = {
        "title": "Thing",
        "about": "Does a thing",
        "group": "other",
        "role": "local",
        "image": "example.org/thing:1.0",
        "family": "official",
        "ports": [{"container": 8000}],
        "health": {"http": "/"},
    }
    return Service.model_validate(base | changes)


def settings(*names: str, **changes: Any) -> Settings:
    """Settings with these services on."""
    return Settings.model_validate({"services": {n: {} for n in names}, **changes})


def gpu(vendor: str, pci: str = "0000:00:02.0", **changes: Any) -> Gpu:
    """A GPU with render node 128 and group 105, unless changed."""
    base: dict[str, Any] = {"id": "8086:4680", "render": Node(path="/dev/dri/renderD128", gid=105)}
    return Gpu(pci=pci, vendor=vendor, **(base | changes))
