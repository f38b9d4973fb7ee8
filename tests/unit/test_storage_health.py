"""How drives are: smartctl's answers, counted errors, states, forecasts, and power taken from a port."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.saved import facts, names, only_path, plant, program
from usenet.adapters.home import Home
from usenet.adapters.mounts import Mounted
from usenet.adapters.shell import Done
from usenet.adapters.storage import eject, fill, smart
from usenet.cli.console import plain
from usenet.domain.errors import SystemFailure
from usenet.domain.host import Cpu, Drive, Filesystem, Host, Memory, Mount, Partition, System
from usenet.domain.storage import health
from usenet.domain.storage.health import DAY, KEPT, Sample, Smart
from usenet.domain.storage.intent import DriveSettings
from usenet.domain.storage.marker import Marker
from usenet.domain.storage.offers import Offer
from usenet.domain.storage.seen import Held, Place, Seen

NOW = 1_700_000_000.0
DISK = Drive(name="sdb", path="/dev/sdb", size=2**40)
OFFER = Offer(
    device="/dev/sdb1", drive=DISK, size=2**40, filesystem=Filesystem(source="/dev/sdb1", type="ext4", uuid="u1")
)
OURS = Marker(stack="s", name="films", uuid="u1")


@pytest.mark.parametrize("name", names("smart"))
def test_what_smartctl_printed_is_read(name: str) -> None:
    saved = facts("smart", name)
    assert plain(smart.read(json.dumps(saved["printed"]), saved["code"])) == saved["facts"]


@pytest.mark.parametrize("printed", ["", "null", "[]", "{", '"x"', "3", '{"smart_status": 1}'])
def test_what_is_no_answer_of_smartctl_is_unknown(printed: str) -> None:
    found = smart.read(printed, 0)
    assert found.verdict == "unknown"
    assert found.why


@given(st.recursive(st.none() | st.integers() | st.text(), lambda one: st.dictionaries(st.text(), one), max_leaves=5))
def test_no_answer_of_smartctl_is_a_bug(told: object) -> None:
    shaped = {"smart_status": {"passed": True}, "ata_smart_attributes": {"table": [told]}, "smartctl": told}
    for one in (told, shaped, {"smart_status": told}):
        assert smart.read(json.dumps(one), 0).verdict in ("passed", "failing", "unknown")


def test_a_drive_that_hangs_does_not_hide_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = json.dumps(facts("smart", "nvme")["printed"])
    (tmp_path / "answer").write_text(answer)
    program(tmp_path / "bin", "smartctl", f'[ "$4" = /dev/slow ] && exec sleep 600\ncat {tmp_path}/answer')
    monkeypatch.setenv("PATH", only_path(tmp_path / "bin"))
    found = smart.ask(["/dev/slow", "/dev/nvme0n1", "/dev/slow"], 0.5)
    assert {device: one.verdict for device, one in found.items()} == {"/dev/slow": "unknown", "/dev/nvme0n1": "passed"}
    assert "did not end" in found["/dev/slow"].why


def test_each_drive_is_asked_in_a_way_that_wakes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(smart.shell, "run", lambda words, **_: asked.append(words) or Done(2, "{}", ""))
    smart.ask(["/dev/sda", "/dev/sdb"])
    assert {words[-1] for words in asked} == {"/dev/sda", "/dev/sdb"}
    assert all("--nocheck=standby" in words for words in asked)


def test_the_physical_drives_are_those_with_a_device_behind_them(tmp_path: Path) -> None:
    behind = ("sda", "nvme0n1", "cciss!c0d0", "sr0")
    plant({f"block/{name}/device/model": "x\n" for name in behind}, tmp_path)
    plant({f"block/{name}/size": "8\n" for name in ("loop0", "dm-0", "md0", "zram0")}, tmp_path)
    assert set(smart.disks(tmp_path)) == {"/dev/sda", "/dev/nvme0n1", "/dev/cciss/c0d0"}


GOOD, SIGNS = Smart(verdict="passed"), Smart(verdict="passed", signs=("8 moved sectors",))
BAD, MUTE = Smart(verdict="failing"), Smart(verdict="unknown", why="it sleeps")


@pytest.mark.parametrize(
    ("told", "word", "why"),
    [
        ((), "", ""),
        ((GOOD,), "ok", ""),
        ((MUTE,), "", "0: it sleeps"),
        ((GOOD, MUTE), "", "1: it sleeps"),
        ((GOOD, SIGNS, MUTE), "signs", "1: 8 moved sectors"),
        ((SIGNS, BAD), "failing", "1 says that it fails; 0: 8 moved sectors"),
    ],
)
def test_several_drives_are_as_well_as_the_worst(told: tuple[Smart, ...], word: str, why: str) -> None:
    assert health.word({str(at): one for at, one in enumerate(told)}) == health.Word(word, why)


def test_without_smartctl_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smart.shell, "found", lambda _: "")
    why = smart.ask(["/dev/sda"])["/dev/sda"].why
    assert "not installed" in why
    assert "smartmontools" in why


def test_errors_that_filesystems_counted(tmp_path: Path) -> None:
    plant(
        {
            "fs/ext4/sdb1/errors_count": "3\n",
            "fs/ext4/sdc1/errors_count": "0\n",
            "fs/btrfs/u-1/devinfo/1/error_stats": "write_errs 0\nread_errs 2\nflush_errs 0\n",
            "fs/btrfs/u-1/devinfo/2/error_stats": "write_errs 1\nread_errs 0\nflush_errs 0\n",
        },
        tmp_path,
    )
    assert smart.filesystem_errors("/dev/sdb1", "ext4", "x", tmp_path) == 3
    assert smart.filesystem_errors("/dev/sdc1", "ext4", "x", tmp_path) == 0
    assert smart.filesystem_errors("/dev/sdd1", "btrfs", "u-1", tmp_path) == 3
    assert smart.filesystem_errors("/dev/sdd1", "btrfs", "u-2", tmp_path) is None
    assert smart.filesystem_errors("/dev/sde1", "xfs", "x", tmp_path) is None


def _seen(held: Held | None, *, there: bool = True) -> Seen:
    return Seen(data="/d", shared=True, stack="s", offers=(OFFER,) if there else (), places={"films": Place(held=held)})


HELD = Held(source="/dev/sdb1", marker=OURS)


@pytest.mark.parametrize(
    ("held", "there", "drive", "state", "well"),
    [
        (HELD, True, {}, "mounted", True),
        (None, True, {}, "not mounted", False),
        (None, False, {}, "away", False),
        (None, False, {"needed": False}, "away", True),
        (HELD, False, {}, "dead", False),
        (replace(HELD, alive=False), True, {}, "dead", False),
        (replace(HELD, source="/dev/sdz"), True, {}, "dead", False),
        (replace(HELD, read_only=True), True, {}, "read-only", False),
        (replace(HELD, read_only=True, marker=None), True, {"read_only": True}, "read-only", True),
        (replace(HELD, marker=None), True, {}, "wrong marker", False),
        (replace(HELD, marker=replace(OURS, stack="t")), True, {}, "wrong marker", False),
        (replace(HELD, marker=replace(OURS, uuid="u2")), True, {}, "wrong marker", False),
    ],
)
def test_what_a_drive_is_now(held: Held | None, there: bool, drive: dict[str, bool], state: str, well: bool) -> None:
    wanted = DriveSettings(uuid="u1", **drive)
    found, _ = health.state(wanted, "films", _seen(held, there=there))
    assert (found, health.well(found, wanted)) == (state, well)


def test_a_filesystem_lies_on_every_drive_of_its_array() -> None:
    array = Filesystem(source="/dev/md0", type="ext4", uuid="u1", mounts=(Mount(target="/srv/a"),))
    other = Filesystem(source="/dev/sdd1", type="ext4", uuid="u2", mounts=(Mount(target="/"),))
    member = Partition(path="/dev/md0", kind="raid1", size=1, filesystem=array)  # as lsblk has it: below each member

    def drive(name: str, **held: Any) -> Drive:
        partition = Partition(path=f"/dev/{name}1", kind="part", size=1, **held)
        return Drive(name=name, path=f"/dev/{name}", size=1, partitions=(partition,))

    members = (drive("sda", children=(member,)), drive("sdb", children=(member,)))
    host = Host(
        cpu=Cpu(model="", cores=1, threads=1, architecture="x86_64"),
        memory=Memory(total=1, available=1),
        system=System(kernel="", distribution=""),
        drives=(*members, drive("sdd", filesystem=other)),
        sources={},
    )

    def below(**drive: str) -> list[str]:
        return [one.name for one in health.beneath(DriveSettings(**drive), host)]

    assert below(uuid="u1") == ["sda", "sdb"]
    assert below(path="/srv/a/films") == ["sda", "sdb"]
    assert below(path="/srv/b") == ["sdd"]
    assert below(uuid="none") == []


def _samples(days: Sequence[float], used: Sequence[float], size: int = 1000, drive: str = "u1") -> list[Sample]:
    pairs = zip(days, used, strict=True)
    return [Sample(at=NOW - (days[-1] - day) * DAY, drive=drive, used=int(u), size=size) for day, u in pairs]


def test_a_drive_that_fills_evenly_is_full_when_the_line_says_so() -> None:
    found = health.forecast(_samples(range(11), [100 + 10 * day for day in range(11)]), "u1", NOW)
    assert found is not None
    assert found.days == pytest.approx(80)
    assert (found.earliest, found.latest) == (pytest.approx(80), pytest.approx(80))
    assert health.sentence(found) == "full in about 80 days (80 to 80), if it goes on like this"


@given(st.lists(st.integers(-15, 15), min_size=20, max_size=20))
def test_what_is_uneven_is_less_certain_and_never_excludes_its_own_middle(bumps: list[int]) -> None:
    even = [100 + 20 * day for day in range(20)]
    found = health.forecast(_samples(range(20), [u + b for u, b in zip(even, bumps, strict=True)]), "u1", NOW)
    assert found is not None
    assert found.earliest <= found.days
    assert found.latest is None or found.days <= found.latest


@pytest.mark.parametrize(
    ("days", "used"),
    [
        (range(7), range(0, 70, 10)),  # too few
        ([n / 10 for n in range(20)], range(20)),  # over too short a time
        (range(10), [500] * 10),  # not filling
        (range(10), range(500, 400, -10)),  # emptying
        (range(10), [500, 100, 900, 200, 800, 150, 850, 100, 900, 520]),  # nobody can tell
        (range(10), [100 + n // 9 for n in range(10)]),  # years ahead
    ],
)
def test_nothing_is_said_from_what_does_not_tell(days: Sequence[float], used: Sequence[float]) -> None:
    assert health.forecast(_samples(list(days), list(used)), "u1", NOW) is None
    assert health.sentence(None) == ""


def test_another_drive_or_another_size_begins_anew() -> None:
    grown = [*_samples(range(10), range(0, 100, 10)), *_samples([0], [100], size=5000)]
    assert health.forecast(_samples(range(10), range(0, 100, 10)), "u2", NOW) is None
    assert health.forecast(grown, "u1", NOW) is None


def test_the_record_stays_small_and_survives_what_is_written_into_it(tmp_path: Path) -> None:
    home = Home(tmp_path)
    many = [Sample(at=NOW + n, drive=drive, used=n, size=2**40) for n in range(KEPT * 2) for drive in ("a", "b")]
    kept = health.kept(many)
    assert [one.drive for one in kept].count("a") == KEPT
    assert min(one.at for one in kept) == NOW + KEPT
    fill.store(home, kept)
    with (home.state / fill.FILE).open("a") as file:
        file.write('{"at": 1}\nnonsense\n[]\n{"at": null, "drive": "a", "used": 1, "size": 1}\n')
    assert fill.load(home) == kept
    assert fill.load(Home(tmp_path / "none")) == ()


def test_a_sample_is_taken_four_times_a_day_whatever_the_clock_did() -> None:
    one = Sample(at=NOW, drive="a", used=1, size=2)
    assert not health.due([one], "a", NOW + 60)
    assert health.due([one], "a", NOW + DAY / 4)
    assert health.due([one], "b", NOW)
    assert health.due([one], "a", NOW - DAY)


USB = "devices/pci0000:00/usb1/1-1"


def _usb(root: Path, *drives: str) -> Path:
    """A machine whose port has these drives, each with a partition, on one USB device."""
    tree: dict[str, object] = {f"{USB}/remove": "", f"{USB}/idVendor": "0bc2"}
    for name in drives:
        place = f"{USB}/1-1:1.0/host2/{name}"
        tree |= {f"{place}/delete": "", f"{place}/block/{name}/{name}1/partition": "1"}
        tree |= {f"{place}/block/{name}/device": {"link": "../.."}}
        tree |= {f"class/block/{name}": {"link": f"../../{place}/block/{name}"}}
        tree |= {f"class/block/{name}1": {"link": f"../../{place}/block/{name}/{name}1"}}
        plant({name: ""}, root.parent / "dev")
    return plant(tree, root)


@pytest.fixture
def flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program(tmp_path / "bin", "blockdev", f'echo "$@" >> {tmp_path}/flushed')
    monkeypatch.setenv("PATH", only_path(tmp_path / "bin"))
    return tmp_path / "flushed"


def _written(root: Path) -> list[str]:
    files = (p for p in root.rglob("*") if p.name in ("delete", "remove") and p.is_file())
    return sorted(os.path.relpath(p, root / USB) for p in files if p.read_text())


def test_a_usb_drive_is_stopped_and_loses_its_power(tmp_path: Path, flushed: Path) -> None:
    root = _usb(tmp_path / "sys", "sdb")
    told = eject.power_down("/dev/sdb", (), root, tmp_path / "dev")
    assert "can be pulled" in told
    assert flushed.read_text() == "--flushbufs /dev/sdb\n"
    assert _written(root) == ["1-1:1.0/host2/sdb/delete", "remove"]


def test_a_neighbour_on_the_same_port_keeps_its_power(tmp_path: Path, flushed: Path) -> None:
    root = _usb(tmp_path / "sys", "sdb", "sdc")
    assert "keeps its power for sdc" in eject.power_down("/dev/sdb", (), root, tmp_path / "dev")
    assert _written(root) == ["1-1:1.0/host2/sdb/delete"]


def test_nothing_is_stopped_that_is_mounted_or_open(tmp_path: Path, flushed: Path) -> None:
    root = _usb(tmp_path / "sys", "sdb")
    mounted = Mounted(source="/dev/sdb1", type="ext4", device="8:17", mount=Mount(target="/mnt/x"))
    with pytest.raises(SystemFailure, match="/mnt/x is on it"):
        eject.power_down("/dev/sdb", (mounted,), root)
    (root / "class/block/sdb1/holders/dm-0").mkdir(parents=True)
    with pytest.raises(SystemFailure, match="dm-0 is open on it"):
        eject.power_down("/dev/sdb", (), root, tmp_path / "dev")
    assert _written(root) == []
    assert not flushed.exists()


def test_a_drive_inside_the_machine_is_left_alone(tmp_path: Path, flushed: Path) -> None:
    place = "devices/pci0000:00/ata1/host0/sda"
    tree = {f"{place}/delete": "", f"{place}/block/sda/device": {"link": "../.."}, "devices/pci0000:00/remove": ""}
    root = plant({**tree, "class/block/sda": {"link": f"../../{place}/block/sda"}}, tmp_path / "sys")
    assert eject.power_down("/dev/sda", (), root) == ""
    assert (root / place / "delete").read_text() == ""
    assert (root / "devices/pci0000:00/remove").read_text() == ""
