"""A directory that is somebody else's is told before its service fails on it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.making import host, service, settings
from usenet.actions import owners
from usenet.domain.plan import Observed, Plan
from usenet.domain.tuning import tune

UID = os.getuid() + 1234  # somebody else than the one who makes the directory


def plan(home: Path, family: str) -> Plan:
    catalog = {"web": service(family=family, config={"data": "/data"})}
    wished = settings("web", user={"uid": UID, "gid": UID})
    return tune(host(), wished, catalog, Observed(buildable={"web": "usenet/web:1"}), home=str(home))


@pytest.mark.parametrize(
    ("family", "mode", "warned"), [("official", 0o755, 1), ("official", 0o777, 0), ("root", 0o755, 0)]
)
def test_a_foreign_directory_is_told_with_the_cure(tmp_path: Path, family: str, mode: int, warned: int) -> None:
    found = plan(tmp_path, family)
    assert owners.warnings(found) == ()  # what isn't there is made by us
    place = tmp_path / "config" / "web" / "data"
    place.mkdir(parents=True)
    place.chmod(mode)
    told = owners.warnings(found)
    assert len(told) == warned
    for text in told:
        assert text.startswith(f"web runs as user {UID} and can't write to {place}")
        assert text.endswith(f"sudo chown -R {UID}:{UID} {place}")
