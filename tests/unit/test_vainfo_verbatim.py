"""vainfo as people have shown it in public: their printouts, letter by letter, and what a reader makes of them."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.saved import facts, names
from tests.unit.gpu_bed import Bed
from usenet.adapters import vainfo
from usenet.domain.errors import SystemFailure

PRINTED = {name: facts("vainfo", name) for name in names("vainfo")}
FAILED = sorted(name for name, saved in PRINTED.items() if "failure" in saved["expected"])


@pytest.mark.parametrize("name", sorted(PRINTED.keys() - set(FAILED)))
def test_a_printout_is_read_as_a_person_reads_it(name: str) -> None:
    expected = PRINTED[name]["expected"]

    told = vainfo.parse(PRINTED[name]["printed"])

    assert list(told.decode or ()) == expected["decode"]
    assert list(told.encode or ()) == expected["encode"]
    assert told.by == (f"vainfo: {expected['driver']}" if expected["driver"] else "vainfo")


@pytest.mark.parametrize("name", FAILED)
def test_a_failure_is_told_by_the_line_that_says_why(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Bed(tmp_path, monkeypatch).tool("vainfo", f"printf '%s' {shlex.quote(PRINTED[name]['printed'])} >&2; exit 3")

    with pytest.raises(SystemFailure) as failure:
        vainfo.ask("/dev/dri/renderD128")

    assert failure.value.message.endswith(f": {PRINTED[name]['expected']['failure']}")
