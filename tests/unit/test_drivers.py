"""What cards need on each distribution: named packages, in order, and nothing that is there already."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.making import gpu, host
from tests.saved import only_path, program
from usenet.actions.hardware import drivers as action
from usenet.adapters import nvidia, packages
from usenet.cli import console
from usenet.cli.main import run
from usenet.domain.hardware.drivers import DriverStep, Found, steps, wanted
from usenet.domain.host import Engine, Host, Node, System

INTEL = gpu("intel", driver="i915")
AMD = gpu("amd", "0000:08:00.0", driver="amdgpu")
NVIDIA = gpu("nvidia", "0000:01:00.0", driver="nouveau", render=None)
PI = gpu("raspberrypi", "soc", render=None, codecs=(Node(path="/dev/video11", gid=44),))
DISTRIBUTIONS = ("debian", "ubuntu", "fedora", "arch")


def machine(distribution: str, *cards: object, version: str = "12", **changes: object) -> Host:
    system = System(kernel="6.1", distribution=distribution, version=version, init="systemd")
    return host(system=system, gpus=cards, **changes)


def bare(where: Host, **changes: object) -> Found:
    """A machine with nothing installed, whose sources have everything."""
    return replace(Found(packages=frozenset(), available=wanted(where)), **changes)


def installed(found: tuple[DriverStep, ...]) -> str:
    return " ".join(word for step in found for command in step.commands for word in command)


@pytest.mark.parametrize(
    ("distribution", "card", "names"),
    [
        ("debian", INTEL, ("intel-media-va-driver", "i965-va-driver", "vainfo", "firmware-misc-nonfree")),
        ("debian", AMD, ("mesa-va-drivers", "vainfo", "firmware-amd-graphics")),
        ("debian", NVIDIA, ("nvidia-driver", "linux-headers-amd64", "nvidia-container-toolkit")),
        ("ubuntu", INTEL, ("intel-media-va-driver", "vainfo")),
        ("ubuntu", NVIDIA, ("ubuntu-drivers install", "nvidia-container-toolkit")),
        ("fedora", AMD, ("mesa-va-drivers-freeworld", "libva-utils")),
        ("fedora", NVIDIA, ("akmod-nvidia", "nvidia-container-toolkit")),
        ("arch", INTEL, ("intel-media-driver", "libva-utils")),
        ("arch", NVIDIA, ("nvidia-open-dkms", "nvidia-container-toolkit")),
    ],
)
def test_the_packages_of_each_distribution(distribution: str, card: object, names: tuple[str, ...]) -> None:
    where = machine(distribution, card)
    told = installed(steps(where, bare(where)))
    assert [name for name in names if name not in told] == []


def test_debian_13_has_intels_firmware_in_a_package_of_its_own() -> None:
    where = machine("debian", INTEL, version="13")
    assert "firmware-intel-graphics" in installed(steps(where, bare(where)))


def test_every_step_has_a_reason_and_two_cards_share_what_both_need() -> None:
    where = machine("debian", INTEL, gpu("intel", "0000:03:00.0", driver="xe"), AMD)
    found = steps(where, bare(where))
    assert all(step.because for step in found)
    whats = [step.what for step in found]
    assert len(whats) == len(set(whats))


def test_sources_come_first_and_only_where_something_is_hidden() -> None:
    where = machine("debian", INTEL)
    free = wanted(where) - {"firmware-misc-nonfree"}
    first = steps(where, bare(where, available=free, codename="bookworm"))[0]
    assert first.because == "firmware-misc-nonfree: not in those that are on"
    assert "deb.debian.org/debian bookworm contrib non-free non-free-firmware" in installed((first,))
    assert steps(where, bare(where))[0].what.startswith("install")


def test_without_lists_nothing_else_can_be_told() -> None:
    where = machine("debian", INTEL)
    (only,) = steps(where, bare(where, available=None))
    assert only.commands == (("apt-get", "update"),)


def test_a_distribution_that_is_not_known_and_a_machine_without_cards() -> None:
    where = machine("gentoo", INTEL)
    (only,) = steps(where, bare(where))
    assert (only.commands, "gentoo" in only.because) == ((), True)
    assert steps(machine("debian", gpu("virtio")), Found(packages=frozenset())) == ()


def test_the_engine_that_knows_the_card_needs_no_toolkit_told() -> None:
    knowing = Engine(version="26", api="1.45", runtimes=("nvidia", "runc"))
    where = machine("debian", NVIDIA, engine=knowing)
    state = {step.what: step.done for step in steps(where, bare(where, char_links=False))}
    assert state["tell the engine of it"] is True
    assert state["link NVIDIA's nodes in /dev/char"] is False
    by_cdi = replace(where, engine=replace(knowing, cdi=("nvidia.com/gpu=all",)))
    assert "link NVIDIA's nodes in /dev/char" not in {step.what for step in steps(by_cdi, bare(by_cdi))}


def test_links_to_nvidias_nodes_are_known_as_its_tool_makes_them(tmp_path: Path) -> None:
    assert not nvidia.linked(tmp_path / "none")
    (tmp_path / "1:3").symlink_to("../null")
    (tmp_path / "1:5").touch()
    assert not nvidia.linked(tmp_path)
    (tmp_path / "195:0").symlink_to("/dev/nvidia0")
    assert nvidia.linked(tmp_path)


def test_a_user_without_a_name_is_put_into_no_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 2_000_000_123)
    found = action.find(machine("debian", INTEL))
    assert (found.user, found.groups) == ("", frozenset())


def test_a_user_outside_the_groups_is_put_in_by_name() -> None:
    where = machine("debian", INTEL)
    outside = bare(where, user="ann", groups=frozenset({1000}), group_names={105: "render"})
    last = steps(where, outside)[-1]
    assert last.commands == (("usermod", "-aG", "render", "ann"),)
    inside = steps(where, replace(outside, groups=frozenset({105})))[-1]
    assert (inside.done, inside.commands) == (True, ())
    assert not any("usermod" in installed((step,)) for step in steps(where, bare(where)))


@pytest.mark.parametrize("on", [False, True])
def test_secure_boot_is_told_where_a_module_is_built(on: bool) -> None:
    where = machine("debian", NVIDIA)
    (then,) = [step.then for step in steps(where, bare(where, secure_boot=on)) if "nvidia-driver" in step.what]
    assert ("mokutil" in then) == on
    assert "restart the machine" in then


def test_firmware_is_no_module_to_be_signed() -> None:
    where = machine("debian", INTEL, AMD)
    told = [step.then for step in steps(where, bare(where, secure_boot=True)) if "firmware" in step.what]
    assert len(told) == 2
    assert not any("mokutil" in then for then in told)


def test_a_card_without_a_driver_is_a_matter_of_the_kernel() -> None:
    arc = gpu("intel", "0000:03:00.0", name="Arc B580", driver="", render=None)
    where = machine("debian", arc)
    by_hand = [step for step in steps(where, bare(where)) if not step.commands]
    assert [step.what for step in by_hand] == ["get a newer kernel for Arc B580 at 0000:03:00.0"]


@given(
    st.sampled_from(DISTRIBUTIONS),
    st.lists(st.sampled_from([INTEL, AMD, NVIDIA, PI]), unique=True, min_size=1),
    st.booleans(),
)
def test_what_was_installed_is_done_the_next_time(distribution: str, cards: list[object], lists: bool) -> None:
    """Carrying out every step by its packages leaves no package step open, and asks for no source again."""
    where = machine(distribution, *cards)
    after = Found(packages=wanted(where), available=wanted(where) if lists else frozenset())
    left = [step for step in steps(where, after) if not step.done]
    assert not any(step.what.startswith(("install", "add the package")) for step in left)


@pytest.fixture
def bin_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that comes first on PATH."""
    monkeypatch.setenv("PATH", only_path(tmp_path / "bin"))
    return tmp_path / "bin"


def test_apts_answers_are_read(bin_: Path) -> None:
    program(bin_, "dpkg-query", "printf 'installed vainfo\\nnot-installed nano\\nconfig-files old\\n'")
    program(
        bin_, "apt-cache", "echo ' apt | 2.6.1 | http://deb.debian.org/debian bookworm/main amd64 Packages'; exit 100"
    )
    found = packages.look("ubuntu", ("vainfo", "nvidia-driver"))
    assert (found.installed, found.available) == (frozenset({"vainfo"}), frozenset())
    program(bin_, "apt-cache", "exit 0")
    assert packages.look("debian", ("vainfo",)).available is None


def test_dnfs_and_pacmans_answers_are_read(bin_: Path) -> None:
    program(bin_, "rpm", "printf 'installed bash\\ninstalled libva-utils\\n'")
    program(bin_, "dnf", "printf 'akmod-nvidia\\n'")
    assert packages.look("fedora", ("akmod-nvidia", "x")) == packages.Packages(
        frozenset({"bash", "libva-utils"}), frozenset({"akmod-nvidia"})
    )
    program(
        bin_, "pacman", 'case "$1" in --query) echo "mesa 1:24.1-1";; *) echo "Name            : mesa"; exit 1;; esac'
    )
    assert packages.look("arch", ("mesa", "x")) == packages.Packages(frozenset({"mesa"}), frozenset({"mesa"}))


def test_a_package_tool_that_is_missing_is_no_tool(bin_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages.shell, "found", lambda _: "")
    assert packages.look("fedora", ("x",)).installed is None


@pytest.mark.parametrize("name", ["intel-igpu", "amd", "nvidia", "two-gpus", "pi4", "vm-bare"])
def test_saved_machines_are_told_what_they_need(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    saved = Path(__file__).parent.parent / "hosts" / f"{name}.json"
    assert run(["hardware", "install-drivers", "--host", str(saved)]) == 0
    out = capsys.readouterr().out
    nothing = name in ("vm-bare", "pi4")
    assert ("No card" in out) == nothing
    assert ("because: " in out) != nothing
    assert run(["hardware", "install-drivers", "--apply", "--host", str(saved)]) == 2


class Machine:
    """A machine on which each step leaves a file, which is how the next look knows it."""

    def __init__(self, folder: Path, *scripts: str) -> None:
        self.folder = folder
        self.scripts = scripts

    def look(self, _: object = None) -> tuple[Host, tuple[DriverStep, ...]]:
        found = tuple(
            DriverStep(
                what=f"step {number}",
                because="it must be",
                commands=(("sh", "-c", f"{script} && touch {self.folder}/{number}"),),
                done=(self.folder / str(number)).exists(),
            )
            for number, script in enumerate(self.scripts)
        )
        return machine("debian"), found

    def made(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


def apply(where: Machine, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(action, "look", where.look)
    monkeypatch.setattr(action, "prefix", lambda: ())
    return run(["hardware", "install-drivers", *words])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "made").mkdir()
    return tmp_path / "made"


def test_nothing_runs_without_apply_or_in_a_dry_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = Machine(folder, "true")
    assert apply(where, monkeypatch) == 0
    assert apply(where, monkeypatch, "--apply", "--dry-run", "--yes") == 0
    assert where.made() == []


def test_nobody_to_agree_is_a_question_of_flags(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    where = Machine(folder, "true")
    assert apply(where, monkeypatch, "--apply") == 2
    assert "--yes" in capsys.readouterr().err
    assert where.made() == []


def test_who_is_asked_is_told_what_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "ask", lambda *_, **__: "n")
    for words in ((), ("--json",), ("--quiet",)):
        assert apply(Machine(folder, "true"), monkeypatch, "--apply", *words) == 0
        said = capsys.readouterr()
        assert "step 0: it must be" in (said.err if words else said.out)


def test_each_step_once_and_a_second_run_does_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    where = Machine(folder, f"echo first >> {folder.parent}/log", f"echo second >> {folder.parent}/log")
    for _ in range(2):
        assert apply(where, monkeypatch, "--apply", "--yes") == 0
    assert where.made() == ["0", "1"]
    assert (folder.parent / "log").read_text() == "first\nsecond\n"
    assert "done: step 1" in capfd.readouterr().out


def test_ctrl_c_in_a_step_is_no_failure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> int:
        return action.shell.INTERRUPTED

    monkeypatch.setattr(action.shell, "relay", interrupted)
    assert apply(Machine(folder, "true", "true"), monkeypatch, "--apply", "--yes") == 130
    assert list(folder.iterdir()) == []


def test_a_step_that_fails_ends_it_and_the_next_run_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    where = Machine(folder, "true", f"test -e {folder.parent}/mended", "true")
    assert apply(where, monkeypatch, "--apply", "--yes") == 1
    assert where.made() == ["0"]
    (folder.parent / "mended").touch()
    assert apply(where, monkeypatch, "--apply", "--yes") == 0
    assert where.made() == ["0", "1", "2"]
