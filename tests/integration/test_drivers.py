"""install-drivers in a real Debian: the steps run as they are printed, each shows what is next, the end is done."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.integration.conftest import docker
from tests.making import gpu, host
from usenet.actions.hardware import drivers as action
from usenet.domain.hardware.drivers import DriverStep, steps
from usenet.domain.hardware.packages import needs
from usenet.domain.host import Host, System

pytestmark = [pytest.mark.engine, pytest.mark.slow]


@pytest.fixture
def debian(web_image: str) -> Iterator[tuple[str, ...]]:
    """What runs a command in a fresh Debian 12 without package lists."""
    name = f"ut-drivers-{uuid.uuid4().hex[:8]}"
    docker("run", "--detach", "--init", "--name", name, web_image, "sleep", "900")
    docker("exec", name, "sh", "-c", "rm -rf /var/lib/apt/lists/*")
    try:
        yield ("docker", "exec", name)
    finally:
        docker("rm", "--force", name)


def look(where: Host, inside: tuple[str, ...]) -> tuple[DriverStep, ...]:
    return steps(where, action.find(where, inside))


def test_intel_on_debian_12_from_nothing_to_done(debian: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(action.machine, "codename", lambda: "bookworm")
    system = System(kernel="6.1", distribution="debian", version="12", init="systemd")
    where = host(system=system, gpus=(gpu("intel", driver="i915"),))
    said: list[str] = []
    done: list[str] = []
    for _ in range(5):
        waiting = [step for step in look(where, debian) if step.commands and not step.done]
        if not waiting:
            break
        done.append(waiting[0].what)
        action.carry_out(waiting[0], said.append, debian)
    assert done == [
        "fetch the lists of packages",
        "add the package sources that drivers are in",
        "install intel-media-va-driver, i965-va-driver, vainfo",
        "install firmware-misc-nonfree",
    ]
    assert any("Setting up vainfo" in line for line in said)
    docker(*debian[1:], "sh", "-c", "test -e /usr/lib/*/dri/iHD_drv_video.so")
    assert all(step.done for step in look(where, debian))

    # NVIDIA's driver builds a module for a kernel: here only whether Debian has all of it.
    (nvidia,) = needs("debian", "nvidia", where)
    docker(*debian[1:], "apt-get", "install", "--simulate", "--no-install-recommends", "-y", *nvidia.packages)


def test_a_command_that_fails_is_named_with_its_last_words(debian: tuple[str, ...]) -> None:
    step = DriverStep(what="x", because="y", commands=(("sh", "-c", "echo no such thing >&2; exit 3"), ("true",)))
    with pytest.raises(action.UsenetError, match="failed with code 3: no such thing"):
        action.carry_out(step, lambda _: None, debian)
