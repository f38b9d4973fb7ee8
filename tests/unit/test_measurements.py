"""What two verbs measured at the same time is all kept."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from tests.unit.test_benchmark import MAIN, report, result, stack
from tests.unit.test_hardware_words import bench, finding
from usenet.actions.hardware import benchmark, verify
from usenet.adapters import files, measurements
from usenet.adapters.home import Home
from usenet.domain.hardware.benchmark import Result
from usenet.domain.hardware.proof import Record

OTHER = Record(service="plex", gpu="0000:01:00.0", driver="nvidia 550", image="i:1", reason="", time="2026-11-22")


def trying(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]) -> None:
    """`verify` finds that jellyfin's card fails, and `meanwhile` happens while it tries."""

    @contextmanager
    def trials(*_: object) -> Iterator[tuple[object, ...]]:
        yield (object(),)

    def found(*_: object) -> object:
        meanwhile()
        return finding("failed", reason="No VA display found")

    monkeypatch.setattr(verify, "_trials", trials)
    monkeypatch.setattr(verify, "_found", found)


def services(home: Home) -> list[str]:
    return [one.service for one in measurements.verified(home)]


def slipped_in(monkeypatch: pytest.MonkeyPatch, read: str, act: Callable[[], object]) -> list[Thread]:
    """`act` is begun by another once a record was read, and is given the time to end before it is written."""
    begun: list[Thread] = []
    real = getattr(measurements, read)

    def reading(home: Home) -> object:
        seen = real(home)
        if not begun:
            begun.append(Thread(target=act))
            begun[0].start()
            begun[0].join(0.5)
        return seen

    monkeypatch.setattr(measurements, read, reading)
    return begun


def test_what_another_verify_found_while_this_one_tried_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = stack(tmp_path)
    trying(monkeypatch, lambda: measurements.keep_verified(home, (OTHER,)))
    assert [one.service for one in verify.verify(home, lambda _: None).records] == ["jellyfin", "plex"]
    assert services(home) == ["jellyfin", "plex"]


def test_what_another_verify_writes_at_the_same_moment_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = stack(tmp_path)
    other: list[Thread] = []

    def add() -> None:
        with measurements.changing(home):
            measurements.keep_verified(home, (*measurements.verified(home), OTHER))

    trying(monkeypatch, lambda: other.append(slipped_in(monkeypatch, "verified", add)))
    verify.verify(home, lambda _: None)
    other[0][0].join()
    assert sorted(services(home)) == ["jellyfin", "plex"]


def test_a_run_cut_short_takes_no_place_of_a_whole_one_that_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, whole = stack(tmp_path), report(result(MAIN, 100.0))

    def measured(*_: object) -> Iterator[Result]:
        yield result(MAIN, 90.0)
        raise KeyboardInterrupt

    def save() -> None:
        with measurements.changing(home):
            measurements.keep_benchmark(home, whole)

    monkeypatch.setattr(benchmark, "_measured", measured)
    begun = slipped_in(monkeypatch, "benchmark", save)
    benchmark.run(home, bench(), lambda *_: None)
    begun[0].join()
    assert measurements.benchmark(home) == whole


def test_a_record_is_changed_while_a_start_of_services_goes_on(tmp_path: Path) -> None:
    home = stack(tmp_path)
    with files.lock(home.path, "services up"), measurements.changing(home):
        measurements.keep_verified(home, (OTHER,))
    assert services(home) == ["plex"]


def test_without_a_stack_nothing_is_locked_or_made(tmp_path: Path) -> None:
    with measurements.changing(Home(tmp_path / "none")):
        assert measurements.keep_verified(Home(tmp_path / "none"), (OTHER,)) == ""
    assert list(tmp_path.iterdir()) == []
