"""A power cut at every call: every state that a drive may be in afterwards, recovered. See docs/recorder-crash.md."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.recorder_crash import again, mutants, plan, rot, workloads
from tests.recorder_crash.enumerator import Depth
from tests.recorder_crash.memory import MemIO, Misuse
from tests.recorder_crash.player import play
from usenet.recorder.io import IO, Files


@pytest.mark.parametrize(("name", "sector"), plan.PLANNED)
def test_nothing_promised_is_lost_and_nothing_wrong_comes_back(name: str, sector: int) -> None:
    wanted = plan.PLANNED[name, sector]
    tally = plan.walk(name, sector, Depth(states=wanted, limits=plan.QUICK, nested=5), seed=1).run()
    print(f"{name}, sectors of {sector}: {tally.states} states, {tally.nested} nested, {tally.without} without index")
    assert [f"{breach} (scripts/crash --again '{name} {sector} {at}')" for at, breach in tally.breaches[:5]] == []
    assert tally.states >= wanted


def test_at_least_fifty_thousand_states_are_looked_at() -> None:
    assert sum(plan.PLANNED.values()) >= 50_000
    assert {sector for _, sector in plan.PLANNED} == {64, 256, 512}


@pytest.mark.parametrize("name", sorted(set(mutants.all_mutants()) - set(mutants.EQUIVALENT)))
def test_a_recorder_that_is_wrong_in_one_place_is_found_out(name: str) -> None:
    assert mutants.all_mutants()[name].hunt(200)


def test_what_is_called_equivalent_is_a_mutant() -> None:
    assert set(mutants.EQUIVALENT) <= set(mutants.all_mutants())


@pytest.mark.parametrize("kind", rot.KINDS)
@pytest.mark.parametrize("name", rot.NAMES)
def test_one_wrong_byte_costs_its_chunk_alone(name: str, kind: str) -> None:
    places = random.Random(name).sample(list(rot.places(name, kind)), 300)
    assert list(rot.breaches(name, kind, places)) == []


@pytest.mark.parametrize("name", plan.NAMES)
def test_a_story_is_what_it_says(name: str) -> None:
    """The workloads themselves: a script without chunks, or a recovery of nothing, would break no invariant."""
    story = plan.story(name)
    assert all(len(track) >= 2 for playing in story.submitted.values() for track in playing.values())
    assert story.promises[-1][0] <= len(story.log)
    if story.outcome is None and story.promises[-1][2].closed:
        io = MemIO()
        workloads.play(next(script for script in workloads.SCRIPTS if script.name == name), io)
        assert {path: play(data) for path, data in io.files().items()} == story.submitted


@pytest.mark.parametrize("name", again.NAMES)
def test_a_story_of_a_recovery_has_something_to_recover(name: str) -> None:
    whole, story = workloads.play(again.SCRIPT).submitted[again.PATH][1], plan.story(name)
    assert 0 < len(story.submitted[again.PATH][1]) < len(whole)


@pytest.mark.parametrize("seed", range(20))
def test_files_in_memory_behave_as_files(tmp_path: Path, seed: int) -> None:
    memory = MemIO(directories=[str(tmp_path)])
    assert list(_told(memory, str(tmp_path), seed)) == list(_told(Files(), str(tmp_path), seed))
    assert memory.files() == {str(path): path.read_bytes() for path in tmp_path.iterdir()}


def _told(io: IO, folder: str, seed: int) -> list[object]:
    """Some hundred calls, and what each of them said."""
    rng, said, handles = random.Random(seed), list[object](), dict[int, int]()
    calls = (
        "new",
        "write",
        "read",
        "pwrite",
        "pread",
        "size",
        "truncate",
        "allocate",
        "punch",
        "rename",
        "unlink",
        "close",
    )
    for _ in range(400):
        call, name, other = rng.choice(calls), *(f"{folder}/{rng.choice('abc')}" for _ in range(2))
        slot, at, length = rng.randrange(4), rng.randrange(200), rng.randrange(1, 90)
        handle = handles.get(slot, -1)
        if call in ("new", "write", "read") and handle == -1:
            run = lambda: handles.update({slot: io.open(name, call)})  # noqa: B023, E731
        elif call in ("rename", "unlink"):
            run = lambda: io.rename(name, other) if call == "rename" else io.unlink(name)  # noqa: B023, E731
        elif handle == -1 or call in ("new", "write", "read"):
            run = lambda: (io.exists(name), [Path(each).name for each in io.listdir(folder)])  # noqa: B023, E731
        elif call == "close":
            run = lambda: io.close(handles.pop(slot))  # noqa: B023, E731
        else:
            arguments = {"pwrite": (rng.randbytes(length), at), "pread": (length, at), "size": (), "truncate": (at,)}
            run = lambda: getattr(io, call)(handle, *arguments.get(call, (at, length)))  # noqa: B023, E731
        try:
            said.append((call, run()))
        except OSError as error:
            said.append((call, type(error)))
        except Misuse:  # the real one says EBADF or EINVAL
            said.append((call, OSError))
    for handle in handles.values():
        io.close(handle)
    return said
