"""What another profile, or another machine, would change, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.making import GIB, gpu, host, service, settings
from usenet.actions.hardware import optimize as action
from usenet.adapters.home import Home
from usenet.domain import limits
from usenet.domain.errors import UsageError
from usenet.domain.hardware.optimize import Allotted, shifts
from usenet.domain.host import Cpu, Host, Memory
from usenet.domain.plan import Limits, Observed, Plan
from usenet.domain.settings import Settings
from usenet.domain.tuning import tune

CATALOG = {
    "screen": service(wants={"encoder": True, "memory": "1G", "load": "heavy"}),
    "tv": service(ports=[{"container": 8989}]),
}


BECAUSE = "found and usable; what it encodes could not be asked"


def machine(gib: float, threads: int) -> Host:
    memory = int(gib * GIB)
    return host(
        memory=Memory(total=memory, available=memory),
        cpu=Cpu(model="", cores=threads, threads=threads, architecture="x86_64"),
    )


def planned(where: Host, wished: Settings) -> Plan:
    images = frozenset({"example.org/thing:1.0"})
    return tune(where, wished, CATALOG, Observed(images=images), home="/srv/u")


def told(now: dict[str, Allotted], where: Host, wished: Settings) -> dict[tuple[str, str], tuple[object, object, str]]:
    plan = planned(where, wished)
    share, _ = limits.profile(where, wished)
    reasons = limits.reasons(where, wished, {n: CATALOG[n] for n in plan.grants}, share)
    return {(s.service, s.what): (s.now, s.then, s.because) for s in shifts(now, plan, reasons)}


def test_only_what_differs_with_its_own_reason() -> None:
    wished = settings("screen", "tv", profile="balanced")
    plan = planned(machine(8, 4), wished)
    now = {name: Allotted(grant.limits, "software" if name == "screen" else "") for name, grant in plan.grants.items()}
    assert told(now, machine(8, 4), wished) == {}

    found = told(now, machine(8, 8), wished)
    assert found == {
        ("screen", "cpus"): (2.0, 4.0, "heavy load: 1 of 50% of 8 threads, at least 0.25"),
        ("tv", "cpus"): (1.0, 2.0, "normal load: 0.5 of 50% of 8 threads, at least 0.25"),
    }


def test_a_new_card_is_an_encoder_with_the_reason() -> None:
    wished = settings("screen", profile="balanced")
    now = {"screen": Allotted(planned(host(), wished).grants["screen"].limits, "software")}
    found = told(now, host(gpus=(gpu("intel", driver="i915"),)), wished)
    assert found == {("screen", "encoder"): ("software", "vaapi 0000:00:02.0", BECAUSE)}


def test_a_service_that_was_not_there_had_nothing() -> None:
    found = told({}, machine(8, 4), settings("tv", profile="balanced"))
    assert {what: (now, then) for (_, what), (now, then, _) in found.items()} == {
        "memory limit": (None, GIB),
        "memory reserved": (None, 256 * 2**20),
        "cpus": (None, 1.0),
    }


def test_the_reason_tells_when_all_want_more_than_there_is() -> None:
    wished = Settings.model_validate({"profile": "light", "services": {"screen": {}, "tv": {"memory": "512M"}}})
    found = told({}, machine(1, 2), wished)
    assert found["screen", "memory reserved"][2] == (
        "wants 1.0 GiB, scaled: all want 1.2 GiB of 256 MiB; at most 4 times that, or 256 MiB"
    )
    assert found["tv", "memory limit"][2].endswith("limit set to 512 MiB in usenet.yaml")


@given(st.floats(0.3, 256), st.floats(0, 256), st.integers(1, 64), st.integers(0, 64))
def test_with_the_profile_that_the_size_chooses_a_larger_machine_gives_no_less(
    gib: float, more: float, threads: int, and_more: int
) -> None:
    wished = settings("screen", "tv")
    small = planned(machine(gib, threads), wished).grants
    large = planned(machine(gib + more, threads + and_more), wished).grants
    for name, grant in small.items():
        low, high = grant.limits, large[name].limits
        assert (low.memory or 0) <= (high.memory or 0)
        assert (low.reservation or 0) <= (high.reservation or 0)
        assert 0 < (low.cpus or 0) <= (high.cpus or 0)


def test_words_that_do_not_fit_together() -> None:
    assert action.edits("", None) == {}
    assert action.edits("light", None) == {"profile": "light"}
    assert action.edits("custom", 0.6) == {"profile": "custom", "share": "0.6"}
    for profile in ("", "auto", "light"):
        with pytest.raises(UsageError, match="--share goes with"):
            action.edits(profile, 0.5)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"grants": 3}', '{"grants": {"tv": {}}}', '{"grants": {"tv": {"limits": 1}}}']
)
def test_a_stack_that_cant_be_read_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "plan.json").write_text(text)
    assert action.written(Home(tmp_path)) == {}


def test_what_was_written_last_is_read_back(tmp_path: Path) -> None:
    (tmp_path / "stack").mkdir()
    own = {"memory": 5, "reservation": None, "cpus": 0.5}
    grants = {"tv": {"limits": own, "encoder": None}, "screen": {"limits": own, "encoder": {"kind": "qsv", "gpu": "x"}}}
    (tmp_path / "stack" / "plan.json").write_text(json.dumps({"grants": grants}))
    same = Limits(memory=5, cpus=0.5)
    assert action.written(Home(tmp_path)) == {"tv": Allotted(same), "screen": Allotted(same, "qsv x")}
