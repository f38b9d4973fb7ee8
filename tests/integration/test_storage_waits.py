"""A stack that starts while a drive is away, and a drive that is powered down."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.conftest import Stack, free_port
from tests.integration.drives import Bench, by_hand, call, inside, put, share

pytestmark = pytest.mark.engine


def test_who_needs_a_drive_that_is_away_waits_and_the_others_run(
    bench: Bench, make_stack: Callable[..., Stack]
) -> None:
    stack, drive = bench.keep(make_stack()), bench.drive()
    share(stack)
    put(drive, "film", "x")
    stack.service("player", role="pool-dependent", wants={"memory": "16M", "media": "read"})
    stack.service("page")
    stack.settings({"player": {"port": free_port()}, "page": {"port": free_port()}})
    stack.run("storage", "add", drive.device, "--name", "films")
    call("umount", str(stack.home / "data/drives/films"))
    drive.unplug()

    told = stack.run("services", "up", code=1)
    assert "player: it waits for the drive films: it is not plugged in" in told.stdout + told.stderr
    assert (stack.state("player"), stack.state("page")) == ("created", "running")

    drive.plug()
    stack.run("services", "up")
    assert inside(stack.containers()["player"][0], "cat /data/drives/films/film") == (0, "x")


def test_a_drive_without_a_port_to_power_down_leaves_and_says_so(
    bench: Bench, make_stack: Callable[..., Stack]
) -> None:
    stack, drive = bench.keep(make_stack()), bench.drive()
    stack.settings({})
    stack.run("storage", "add", drive.device, "--name", "films")
    told = stack.run("storage", "remove", "films", "--eject").stdout
    assert f"{drive.device} is no USB drive" in told
    assert "films: removed" in told


def test_a_new_drive_that_services_can_not_write_to_says_so_until_it_is_mended(
    bench: Bench, make_stack: Callable[..., Stack]
) -> None:
    stack, drive = bench.keep(make_stack()), bench.drive()
    stack.settings({})
    with by_hand(drive) as place:
        (place / "film").write_text("x")  # else the drive were given to the services at once
    told = stack.run("storage", "add", drive.device, "--name", "films").stdout
    assert "its directory belongs to 0:0: let services write with usenet storage check --fix" in told
    stack.run("storage", "check", "--fix")
    assert (stack.home / "data/drives/films").stat().st_uid == 1000
    assert "belongs to" not in stack.run("storage", "add", drive.device).stdout
