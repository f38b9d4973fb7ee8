"""The steps of the pool: what is there is in it, what is away or dead is not, and nothing else of fstab is touched."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usenet.adapters import settings
from usenet.adapters.storage import mergerfs
from usenet.domain.errors import ConfigError, ValidationError
from usenet.domain.storage.converge import converge
from usenet.domain.storage.events import FIRST_WAIT, Known, turn
from usenet.domain.storage.intent import DriveSettings, PoolSettings
from usenet.domain.storage.lines import is_pool
from usenet.domain.storage.pool import Mounted, PoolSeen, check_members, check_policy, draining, pool_steps, sight
from usenet.domain.storage.seen import Held, Place, Seen
from usenet.domain.storage.steps import Detach, Guard, MountPool, Persist, SetPool, Step, Unmount, commands, describe

DRIVES = {name: DriveSettings(path=f"/mnt/{name}") for name in ("films", "shows", "music")}
POOL = PoolSettings.model_validate({"drives": {"films": {}, "shows": {}, "music": {}}, "min_free": "1G"})
OTHER = "/mnt/films /d/drives/films none bind,nofail 0 0"
ALL = ("/d/drives/films=RW", "/d/drives/shows=RW", "/d/drives/music=RW")


def seen(*here: str, dead: str = "", lines: tuple[str, ...] = (OTHER,), read_only: str = "") -> Seen:
    places = {name: Place(held=Held(source="/dev/x", alive=name != dead, read_only=name == read_only)) for name in here}
    return Seen(data="/d", shared=True, places=places, lines=lines, stack="s")


def after(steps: tuple[Step, ...], before: PoolSeen, at: Seen) -> tuple[PoolSeen, tuple[str, ...]]:
    """What the steps make of a machine."""
    mounted, lines = before.mounted, at.lines
    for step in steps:
        match step:
            case MountPool():
                options = dict(one.split("=") for one in step.options if "=" in one)
                assert mounted is None
                mounted = Mounted(
                    type="fuse.mergerfs",
                    branches=step.branches,
                    policy=options["category.create"],
                    min_free=int(options["minfreespace"]),
                )
            case SetPool():
                mounted = Mounted(
                    type="fuse.mergerfs", branches=step.branches, policy=step.policy, min_free=step.min_free
                )
            case Detach() | Unmount():
                mounted = None
        if isinstance(step, MountPool | SetPool | Persist):
            lines = step.lines
    return PoolSeen(mounted=mounted, guarded=True), lines


STATES = st.one_of(
    st.none(),
    st.just(Mounted(type="fuse.mergerfs", alive=False)),
    st.builds(
        Mounted,
        type=st.just("fuse.mergerfs"),
        branches=st.lists(st.sampled_from(ALL), unique=True, min_size=1).map(tuple),
        policy=st.sampled_from(("mfs", "pfrd")),
        min_free=st.sampled_from((2**30, 0)),
    ),
)


@given(
    here=st.sets(st.sampled_from(sorted(DRIVES))),
    dead=st.sampled_from(("", *DRIVES)),
    mounted=STATES,
    old=st.booleans(),
)
def test_from_anywhere_one_walk_leads_to_the_live_drives_and_a_second_does_nothing(here, dead, mounted, old):
    lines = (OTHER, "/d/drives/films=RW /d/drives/pool fuse.mergerfs x 0 0") if old else (OTHER,)
    at = seen(*sorted(here), dead=dead, lines=lines)
    planned = pool_steps(POOL, DRIVES, at, PoolSeen(mounted=mounted))
    live = [name for name in POOL.drives if name in here and name != dead]
    end, written = after(planned.steps, PoolSeen(mounted=mounted), at)
    assert (end.mounted.branches if end.mounted else ()) == tuple(f"/d/drives/{name}=RW" for name in live)
    assert [line for line in written if not is_pool(line)] == [OTHER]
    assert [line.split(" ")[0] for line in written if is_pool(line)] == (
        [":".join(f"/d/drives/{name}=RW" for name in live)] if live else []
    )
    assert {finding.what.split()[0] for finding in planned.findings} == set(POOL.drives) - set(live)
    again = pool_steps(POOL, DRIVES, seen(*sorted(here), dead=dead, lines=written), end)
    assert again.steps == ()


def test_an_empty_list_of_branches_is_never_set():
    """mergerfs ends on it."""
    planned = pool_steps(POOL, DRIVES, seen(), PoolSeen(mounted=Mounted(type="fuse.mergerfs", branches=ALL)))
    assert [type(step) for step in planned.steps] == [Detach, Guard]


def test_the_pool_is_no_drive_that_nobody_knows_and_its_line_is_kept():
    line = "/d/drives/films=RW /d/drives/pool fuse.mergerfs x 0 0"
    told = converge(DRIVES, seen("pool", lines=(OTHER, line)))
    assert not [step for step in told.steps if isinstance(step, Unmount | Detach)]
    (persist,) = [step for step in told.steps if isinstance(step, Persist)]
    assert persist.lines[-1] == line


def test_no_pool_takes_away_what_is_there_and_its_line_alone():
    line = "a /d/drives/pool fuse.mergerfs x 0 0"
    there = PoolSeen(mounted=Mounted(type="fuse.mergerfs", branches=ALL))
    assert pool_steps(None, DRIVES, seen(lines=(OTHER, line)), there).steps == (
        Unmount(target="/d/drives/pool"),
        Persist(lines=(OTHER,)),
    )
    assert pool_steps(None, DRIVES, seen(), PoolSeen()).steps == ()


def test_what_another_mounted_at_the_pools_place_is_left_alone():
    told = pool_steps(POOL, DRIVES, seen(*DRIVES), PoolSeen(mounted=Mounted(type="ext4")))
    assert (told.steps, [finding.drive for finding in told.findings]) == ((), ["pool"])


def test_without_mergerfs_nothing_is_mounted_or_promised_for_the_next_boot():
    told = pool_steps(POOL, DRIVES, seen(*DRIVES), PoolSeen(installed=False, guarded=True))
    assert (told.steps, [finding.cure for finding in told.findings]) == ((), ["install mergerfs"])


def test_modes_say_what_may_be_written_where():
    pool = PoolSettings.model_validate({"drives": {"films": {"new_files": False}, "shows": {}, "music": {}}})
    (_, step) = pool_steps(pool, DRIVES, seen(*DRIVES, read_only="shows"), PoolSeen()).steps
    assert isinstance(step, MountPool)
    assert [branch.rpartition("=")[2] for branch in step.branches] == ["NC", "RO", "RW"]


def test_a_drive_that_is_to_be_only_read_gets_nothing_by_way_of_the_pool_though_it_could():
    drives = {**DRIVES, "shows": DriveSettings(path="/mnt/shows", read_only=True)}
    (_, step) = pool_steps(POOL, drives, seen(*DRIVES), PoolSeen()).steps
    assert isinstance(step, MountPool)
    assert "/d/drives/shows=RO" in step.branches


def test_a_drive_that_leaves_gets_no_new_file_first():
    mounted = Mounted(type="fuse.mergerfs", branches=ALL, policy="mfs", min_free=1)
    step = draining(mounted, "shows", seen(*DRIVES))
    assert step
    assert step.branches == ("/d/drives/films=RW", "/d/drives/shows=NC", "/d/drives/music=RW")
    assert step.lines == (OTHER,)
    assert draining(mounted, "other", seen()) is None
    assert draining(None, "films", seen()) is None


def test_at_boot_the_pool_waits_for_each_of_its_drives():
    planned = pool_steps(POOL, DRIVES, seen("films", "music"), PoolSeen())
    line = next(step for step in planned.steps if isinstance(step, MountPool)).lines[-1]
    options = line.split(" ")[3].split(",")
    assert [one.partition("=")[2] for one in options if one.startswith("x-systemd.requires-mounts-for")] == [
        "/d/drives/films",
        "/d/drives/music",
    ]
    assert "nofail" in options


def test_a_step_says_what_it_does_and_its_commands():
    mount, *_ = [s for s in pool_steps(POOL, DRIVES, seen(*DRIVES), PoolSeen()).steps if isinstance(s, MountPool)]
    assert describe(mount) == "mount the pool on /d/drives/pool: films, shows, music, now and at boot"
    emptied = draining(Mounted(type="fuse.mergerfs", branches=ALL, policy="mfs"), "shows", seen(*DRIVES))
    assert emptied is not None
    assert describe(emptied) == (
        "let the pool be films, shows, music, nothing new to shows; policy mfs, now and at boot"
    )
    (command,) = commands(mount)
    assert command[:3] == ("mount", "-t", "fuse.mergerfs")
    assert {"cache.files=off", "moveonenospc=true", "allow_other", "minfreespace=1073741824"} <= {
        *command[4].split(",")
    }


@pytest.mark.parametrize("policy", ["epmfs", "eprand", "mspmfs"])
def test_a_policy_that_keeps_to_directories_is_refused_with_the_reason(policy):
    with pytest.raises(ValidationError, match="hardlink from another directory fails"):
        check_policy(policy)


def test_who_can_be_in_a_pool():
    check_policy("pfrd")
    with pytest.raises(ValidationError, match="no policy"):
        check_policy("most")
    check_members(("films",), DRIVES, seen())
    with pytest.raises(ValidationError, match="no drive 'x'"):
        check_members(("films", "x"), DRIVES, seen())
    with pytest.raises(ValidationError, match="can't hold a pool"):
        check_members(("films",), DRIVES, Seen(data="/a:b", shared=True))


def test_a_data_root_that_was_moved_to_where_no_pool_can_be_gets_none():
    moved = replace(seen(*DRIVES), data="/a:b")
    planned = pool_steps(POOL, DRIVES, moved, PoolSeen())
    assert not [one for one in planned.steps if isinstance(one, MountPool | SetPool)]
    assert [one.what for one in planned.findings] == [
        "the data root /a:b can't hold a pool: mergerfs reads ':' in a path as something else"
    ]


@pytest.mark.parametrize(
    ("storage", "wrong"),
    [
        ("{drives: {pool: {path: /x}}}", "storage/drives/pool: no drive can be called pool"),
        ("{drives: {a: {path: /x}}, pool: {drives: {b: {}}}}", "found b"),
        ("{drives: {a: {path: /x}}, pool: {drives: {}}}", "drives"),
        ("{drives: {a: {path: /x}}, pool: {drives: {a: {}}, policy: epmfs}}", "policy"),
        ("{drives: {a: {path: /x}}, pool: {drives: {a: {}}, min_free: much}}", "min_free"),
    ],
)
def test_settings_that_make_no_pool(storage, wrong):
    with pytest.raises(ConfigError, match=wrong):
        settings.parse(f"storage: {storage}\n")


RUNS, CRASHED, NONE = (
    PoolSeen(mounted=Mounted(type="fuse.mergerfs", branches=ALL)),
    PoolSeen(mounted=Mounted(type="fuse.mergerfs", alive=False)),
    PoolSeen(),
)


def told(*looks: PoolSeen) -> list[tuple[str, float | None]]:
    """What the watch makes of looks at the pool, a second apart: the event, and in how many seconds it is mounted."""
    known: dict[str, Known] = {"pool": Known(state="there", device="fuse")}
    result = []
    for now, there in enumerate(looks, 1000):
        next_ = turn(known, {"pool": sight(POOL, DRIVES, seen("films"), there, "fuse")}, now)
        known = dict(next_.known)
        wait = 0.0 if "pool" in next_.mount else next_.again and next_.again - now
        result.append((next_.events[0].kind if next_.events else "", wait))
    return result


def test_the_watch_takes_a_pool_that_crashed_for_a_drive_that_was_lost():
    again = [("lost", 0.0), ("returned", None)]
    assert told(*[CRASHED, RUNS] * 2) == again * 2
    assert told(*[CRASHED, RUNS] * 3)[4] == ("lost", FIRST_WAIT)
    assert told(NONE) == [("removed", None)], "a person unmounted it, and has a reason"


def test_a_pool_without_a_drive_that_is_there_is_not_mounted():
    gone = sight(POOL, DRIVES, seen("films", dead="films"), RUNS, "fuse")
    assert (gone.well, gone.device) == (True, "")
    assert sight(POOL, DRIVES, seen("films"), PoolSeen(installed=False), "fuse").device == ""


def test_a_mergerfs_is_silent_when_it_crashed_or_says_nothing_for_some_seconds(monkeypatch):
    answer, clock, at_once = threading.Event(), [0.0], mergerfs.AT_ONCE
    monkeypatch.setattr(mergerfs.time, "monotonic", lambda: clock[0] + 1)
    monkeypatch.setattr(mergerfs, "AT_ONCE", 60.0)  # of a busy machine
    assert not mergerfs.Pulse().silent(), "there is none"
    monkeypatch.setattr(mergerfs.os, "getxattr", lambda *_: b"")
    assert not mergerfs.Pulse("/d/pool").silent()
    monkeypatch.setattr(mergerfs.os, "getxattr", _fails)
    assert mergerfs.Pulse("/d/pool").silent()
    monkeypatch.setattr(mergerfs, "AT_ONCE", at_once)
    monkeypatch.setattr(mergerfs.os, "getxattr", lambda *_: answer.wait(60))
    hangs = mergerfs.Pulse("/d/pool")
    assert not hangs.silent()
    clock[0] += mergerfs.OVERDUE / 2
    assert not hangs.silent()
    clock[0] += mergerfs.OVERDUE
    assert hangs.silent()
    answer.set()


def _fails(*_):
    raise OSError(107, "Transport endpoint is not connected")
