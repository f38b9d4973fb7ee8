"""A service that would take an empty directory for an empty library waits; all others run."""

from __future__ import annotations

from typing import Any

import pytest

from tests.making import service
from usenet.domain.storage.intent import DriveSettings
from usenet.domain.storage.waiting import waiting

SERVICES = {
    "screen": service(role="pool-dependent", wants={"media": "read"}),
    "tv": service(role="pool-dependent", wants={"data": "write"}),
    "loader": service(role="pool-dependent", wants={"downloads": "torrents"}),
    "index": service(role="local", wants={"data": "read"}),
    "proxy": service(role="infrastructure"),
}


def drive(**changes: Any) -> DriveSettings:
    return DriveSettings(uuid="1234", **changes)


def test_who_sees_drives_waits_and_says_for_which() -> None:
    drives = {"films": drive(), "shows": drive(role="downloads"), "here": drive()}
    told = waiting(SERVICES, drives, {"shows": "it is not plugged in", "films": "it does not answer"})
    reason = "it waits for the drive films: it does not answer; it waits for the drive shows: it is not plugged in"
    assert told == {"screen": reason, "tv": reason}


@pytest.mark.parametrize("changes", [{"needed": False}, {"role": "backup"}, {"role": "recordings"}])
def test_nobody_waits_for_a_drive_that_travels_or_that_services_do_not_see(changes: dict[str, Any]) -> None:
    assert waiting(SERVICES, {"other": drive(**changes)}, {"other": "it is not plugged in"}) == {}


def test_nobody_waits_while_all_are_there() -> None:
    assert waiting(SERVICES, {"films": drive()}, {}) == {}


def test_who_sees_drives_waits_for_the_pool_that_shows_them() -> None:
    told = waiting(SERVICES, {"films": drive()}, {"pool": "mergerfs is not installed"})
    assert told == dict.fromkeys(("screen", "tv"), "it waits for the pool: mergerfs is not installed")
