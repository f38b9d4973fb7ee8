"""Limits fit the machine, whatever the machine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.making import GIB, host, service, settings
from usenet.domain import limits
from usenet.domain.errors import ValidationError
from usenet.domain.host import Cpu, Engine, Host, Memory
from usenet.domain.settings import Settings


def machine(memory: int, threads: int) -> Host:
    return host(
        memory=Memory(total=memory, available=memory),
        cpu=Cpu(model="", cores=threads, threads=threads, architecture="x86_64"),
    )


@pytest.mark.parametrize(
    ("gib", "threads", "name"),
    [
        (64, 24, "dedicated"),
        (31.3, 16, "dedicated"),  # 32 GiB as the kernel reports it
        (32, 8, "high_performance"),
        (16, 8, "high_performance"),
        (16, 4, "balanced"),
        (8, 4, "balanced"),
        (7, 4, "light"),
        (1, 1, "light"),
    ],
)
def test_automatic_profile(gib: float, threads: int, name: str) -> None:
    share, choice = limits.profile(machine(int(gib * GIB), threads), settings())
    assert (share, choice.value) == (limits.SHARES[name], name)
    assert f"{threads} threads" in choice.because


def test_a_profile_that_was_asked_for_is_given() -> None:
    share, choice = limits.profile(machine(GIB, 1), Settings(profile="dedicated"))
    assert (share, choice.because) == (1.0, "set in usenet.yaml")


def test_custom_needs_a_share() -> None:
    with pytest.raises(ValidationError, match="needs a share"):
        limits.profile(host(), Settings(profile="custom"))
    assert limits.profile(host(), Settings(profile="custom", share=0.6))[0] == 0.6


MACHINES = st.builds(machine, st.integers(GIB // 4, 512 * GIB), st.integers(1, 128))
WANTS = st.dictionaries(st.sampled_from("abcdefghij"), st.integers(2**20, 8 * GIB), min_size=1)
SHARE = st.sampled_from(sorted(limits.SHARES.values()))


@given(MACHINES, WANTS, SHARE)
def test_reservations_fit_and_limits_hold(where: Host, wants: dict[str, int], share: float) -> None:
    services = {name: service(wants={"memory": memory}) for name, memory in wants.items()}
    found = limits.limits(where, settings(), services, share)
    allowed = max(where.memory.total * share, limits.MINIMUM)
    assert sum(f.reservation or 0 for f in found.values()) <= allowed
    for one in found.values():
        assert one.memory is not None
        assert one.cpus is not None
        assert limits.SMALLEST <= (one.reservation or limits.SMALLEST) <= one.memory <= where.memory.total
        assert 0 < one.cpus <= where.cpu.threads


@given(WANTS, SHARE, st.integers(GIB // 2, 64 * GIB), st.integers(0, 64 * GIB))
def test_a_larger_machine_never_gives_less(wants: dict[str, int], share: float, memory: int, more: int) -> None:
    services = {name: service(wants={"memory": wanted}) for name, wanted in wants.items()}
    small = limits.limits(machine(memory, 4), settings(), services, share)
    large = limits.limits(machine(memory + more, 8), settings(), services, share)
    for name, one in small.items():
        assert (large[name].memory or 0) >= (one.memory or 0)
        assert (large[name].reservation or 0) >= (one.reservation or 0)
        assert (large[name].cpus or 0) >= (one.cpus or 0)


def test_a_reservation_that_the_engine_would_refuse_is_left_out() -> None:
    services = {name: service(wants={"memory": 2**20 if name == "small" else GIB}) for name in ("small", "large")}
    found = limits.limits(machine(GIB, 1), settings(), services, 0.25)
    assert (found["small"].memory, found["small"].reservation) == (16 * 2**20, None)
    assert found["large"].reservation == 255 * 2**20


def test_own_memory_is_the_limit_up_to_the_machine() -> None:
    own = Settings.model_validate({"services": {"a": {"memory": "3G"}, "b": {"memory": "900G"}}})
    found = limits.limits(machine(8 * GIB, 4), own, {"a": service(), "b": service()}, 0.1)
    assert found["a"].memory == 3 * GIB
    assert found["b"].memory == 8 * GIB


def test_without_the_memory_controller_only_processors_are_limited() -> None:
    pi = host(engine=Engine(version="26", api="1.45", memory_limit=False))
    found = limits.limits(pi, settings(), {"a": service()}, 0.5)["a"]
    assert (found.memory, found.reservation, found.cpus) == (None, None, 1.0)
