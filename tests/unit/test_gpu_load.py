"""What GPUs do: saved accounts of the kernel and NVIDIA's tables, read as a person will see them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.making import gpu
from tests.saved import TESTS, only_path, plant, program
from usenet.actions.hardware import load as action
from usenet.adapters import gpu_load
from usenet.domain.hardware import load
from usenet.domain.host import Node, Unseen

# As the kernel's Documentation/gpu/drm-usage-stats.rst and its drivers write it.
AMD = """pos:\t0
flags:\t02100002
mnt_id:\t24
ino:\t617
drm-driver:\tamdgpu
drm-client-id:\t1831
drm-pdev:\t0000:08:00.0
drm-memory-vram:\t{vram} KiB
drm-memory-gtt: \t2048 KiB
drm-memory-cpu: \t0 KiB
drm-engine-gfx:\t{gfx} ns
drm-engine-dec:\t{dec} ns
drm-engine-enc:\t{enc} ns
"""
INTEL = """drm-driver:\ti915
drm-client-id:\t7
drm-pdev:\t0000:00:02.0
drm-engine-render:\t25662044495 ns
drm-engine-copy:\t0 ns
drm-engine-video:\t{video} ns
drm-engine-capacity-video:\t2
drm-engine-video-enhance:\t0 ns
"""
XE = """drm-driver:\txe
drm-client-id:\t9
drm-pdev:\t0000:03:00.0
drm-cycles-vcs:\t{ticks}
drm-total-cycles-vcs:\t{all}
drm-resident-vram0:\t24 MiB
"""
V3D = "drm-driver:\tv3d\ndrm-client-id:\t3\ndrm-engine-render:\t5 ns\n"

SMI = (
    "0, 00000000:01:00.0, NVIDIA GeForce RTX 3060, 37, 12, 4, 2, 1024, 12288, 51, 43.27\n"
    "1, 00000000:C1:00.0, NVIDIA H100 PCIe, 0, [N/A], 0, [N/A], 4, 81559, 33, [Unknown Error]\n"
)
PMON = """# gpu         pid   type     sm    mem    enc    dec    jpg    ofa     fb   ccpm    command
# Idx           #    C/G      %      %      %      %      %      %     MB     MB    name
    0       4242     C     30      5     12      4      -      -    512      0    ffmpeg
    1          -     -      -      -      -      -      -      -      -      -    -
"""
ID = "a" * 64
TREE = TESTS.parent


def amd(**changes: int) -> str:
    return AMD.format(**({"vram": 1024, "gfx": 0, "dec": 0, "enc": 0} | changes))


def test_engines_are_parts_of_the_time_between_two_readings() -> None:
    before, after = (load.client(1, amd(gfx=10, enc=n)) for n in (1_000_000_000, 1_250_000_000))
    assert before is not None
    assert after is not None
    assert load.busy(before, after, 0.5) == {"enc": 0.5}
    assert after.memory == 2**20


def test_the_xe_driver_counts_ticks_of_a_clock_of_its_own() -> None:
    before, after = (load.client(1, XE.format(ticks=n, all=m)) for n, m in ((100, 1000), (400, 2000)))
    assert before is not None
    assert after is not None
    assert load.busy(before, after, 77.0) == {"vcs": 0.3}
    assert after.memory == 24 * 2**20


def test_capacity_is_no_engine() -> None:
    found = load.client(1, INTEL.format(video=5))
    assert found is not None
    assert set(found.times) == {"render", "copy", "video", "video-enhance"}


def test_two_engines_of_a_kind_share_what_is_told_as_one_sum() -> None:
    before, after = (load.client(1, INTEL.format(video=n)) for n in (0, 1_000_000_000))
    assert before is not None
    assert after is not None
    assert load.busy(before, after, 1.0) == {"video": 0.5}  # one of the two all of the time


def test_a_card_beside_the_bus_is_the_one_whose_node_is_open() -> None:
    assert load.client(1, V3D) is None
    found = load.client(1, V3D, "fec00000.v3d")
    assert found is not None
    assert found.pci == "fec00000.v3d"


@given(st.text())
def test_any_text_is_a_client_or_none(text: str) -> None:
    found = load.client(1, text)
    assert found is None or found.pci
    found = load.client(1, f"drm-pdev: 0000:00:02.0\ndrm-client-id: 1\n{text}")
    assert found is None or all(time >= 0 for time in found.times.values())


@given(st.text(alphabet="0123456789,:.-[]NA \n#abcdef"))
def test_any_text_of_nvidias_tool_is_read_or_skipped(text: str) -> None:
    cards = load.nvidia(text)
    assert all(part >= 0 for card in cards.values() for part in card.engines.values())
    load.nvidia_programs(text, load.nvidia(SMI))


@given(st.lists(st.dictionaries(st.sampled_from(["enc", "dec", "gfx"]), st.floats(0, 1))))
def test_many_clients_never_use_more_than_the_engine(parts: list[dict[str, float]]) -> None:
    assert all(0 <= part <= 1 for part in load.together(parts).values())


def test_nvidias_tables() -> None:
    cards = load.nvidia(SMI)
    first, second = cards["0"], cards["1"]
    assert (first.pci, first.sessions, first.memory_used, first.watts) == ("0000:01:00.0", 2, 2**30, 43.27)
    assert first.engines == {"sm": 0.37, "enc": 0.12, "dec": 0.04}
    assert (second.pci, second.sessions, second.watts) == ("0000:c1:00.0", None, None)
    assert second.engines == {"sm": 0.0, "dec": 0.0}
    assert load.nvidia_programs(PMON, cards) == [
        (4242, "0000:01:00.0", {"sm": 0.3, "enc": 0.12, "dec": 0.04}, 512 * 2**20)
    ]


RADEON = gpu("amd", "0000:08:00.0", name="Radeon", memory=4 * 2**30)


def process(pid: int, fdinfo: str, container: str = "", node: str = "/dev/dri/renderD128") -> dict[str, object]:
    group = f"0::/system.slice/docker-{container}.scope\n" if container else "0::/user.slice\n"
    return {
        f"proc/{pid}/fd/5": {"link": node},
        f"proc/{pid}/fdinfo/5": fdinfo,
        f"proc/{pid}/cgroup": group,
        f"proc/{pid}/comm": "ffmpeg\n",
    }


def read(tree: dict[str, object], root: Path, then: dict[str, str], *cards: object) -> gpu_load.Reading:
    """A reading of `tree`, in the middle of which the files of `then` change."""
    plant(tree, root)
    real = time.sleep

    def change(seconds: float) -> None:
        for path, text in then.items():
            (root / path).write_text(text)
        real(seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpu_load.time, "sleep", change)
        return gpu_load.read(cards, 0.3, root)  # type: ignore[arg-type]


def test_a_card_with_its_sensors_and_the_container_that_uses_it(tmp_path: Path) -> None:
    device = "sys/bus/pci/devices/0000:08:00.0"
    tree = process(700, amd(), ID) | {
        f"{device}/gpu_busy_percent": "41\n",
        f"{device}/mem_info_vram_used": "1073741824\n",
        f"{device}/hwmon/hwmon3/temp1_input": "56000\n",
        f"{device}/hwmon/hwmon3/power1_average": "31500000\n",
        "proc/701/comm": "sh\n",
    }
    found = read(tree, tmp_path, {"proc/700/fdinfo/5": amd(enc=60_000_000)}, RADEON)

    (card,), (use,) = found.cards, found.programs
    assert (card.temperature, card.watts, card.memory_used, card.memory) == (56, 31.5, 2**30, 4 * 2**30)
    assert card.engines["gpu"] == 0.41
    assert 0 < card.engines["enc"] <= 0.2
    assert (card.sessions, card.name) == (1, "Radeon")
    assert (use.container, use.name, use.engines["enc"]) == (ID, "ffmpeg", card.engines["enc"])


def test_a_handle_that_two_processes_share_counts_once(tmp_path: Path) -> None:
    tree = process(700, amd()) | process(701, amd())
    changes = {f"proc/{pid}/fdinfo/5": amd(enc=60_000_000) for pid in (700, 701)}
    found = read(tree, tmp_path, changes, RADEON)
    assert len(found.programs) == 1
    assert found.cards[0].sessions == 1


def test_a_handle_that_closes_meanwhile_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(process(700, amd()), tmp_path)
    gone = tmp_path / "proc/700/fd/4"
    listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda folder: [*([gone] if folder == gone.parent else []), *listed(folder)])
    assert [one.pid for one in gpu_load.read((RADEON,), 0.01, tmp_path).programs] == [700]


def test_only_nodes_of_known_cards_are_read(tmp_path: Path) -> None:
    found = read(process(700, amd(), node="/dev/null"), tmp_path, {}, RADEON)
    assert found.programs == ()


def test_a_program_beside_the_bus(tmp_path: Path) -> None:
    pi = gpu("raspberrypi", "fec00000.v3d", render=Node(path="/dev/dri/renderD128", gid=1))
    found = read(process(700, V3D), tmp_path, {}, pi)
    assert [(one.pci, one.container) for one in found.programs] == [("fec00000.v3d", "")]


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that comes first on PATH."""
    monkeypatch.setenv("PATH", only_path(tmp_path / "bin"))
    return tmp_path / "bin"


def test_nvidias_tool_is_asked_once_for_each_table(tmp_path: Path, smi: Path) -> None:
    script = f'echo "$1" >> {tmp_path}/asked\ncase "$1" in\npmon) cat <<\'END\'\n{PMON}END\n;;\n'
    program(smi, "nvidia-smi", f"{script}--query-gpu={gpu_load.COLUMNS}) cat <<'END'\n{SMI}END\n;;\n*) exit 9;; esac")
    cards = (gpu("nvidia", "0000:01:00.0"), gpu("nvidia", "0000:c1:00.0"))
    found = read({"proc/4242/comm": "ffmpeg\n"}, tmp_path / "root", {}, *cards)
    assert [one.sessions for one in found.cards] == [2, None]
    assert [(one.name, one.engines["enc"]) for one in found.programs] == [("ffmpeg", 0.12)]
    assert found.unseen == ()
    assert (tmp_path / "asked").read_text().split("\n")[:-1] == [f"--query-gpu={gpu_load.COLUMNS}", "pmon"]


def test_a_tool_that_fails_is_told_and_the_card_stays(tmp_path: Path, smi: Path) -> None:
    program(smi, "nvidia-smi", "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18")
    found = read({"proc/1/comm": "init\n"}, tmp_path / "root", {}, gpu("nvidia", "0000:01:00.0"))
    assert [one.pci for one in found.cards] == ["0000:01:00.0"]
    assert "Driver/library version mismatch" in found.unseen[0].why
    assert "dmesg" in found.unseen[0].cure


def test_the_screen_names_the_service_and_what_is_not_the_stacks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from usenet.adapters import gpus
    from usenet.cli.main import run

    monkeypatch.setattr(gpus, "look", lambda: ((RADEON,), ()))
    monkeypatch.setattr(action, "_services", lambda _: {ID: "screen"})
    tree = process(700, amd(), ID) | process(701, amd().replace("1831", "1832"))
    plant(tree, tmp_path)
    here = gpu_load.read
    monkeypatch.setattr(gpu_load, "read", lambda cards, seconds: here(cards, seconds, tmp_path))

    assert run(["--home", str(tmp_path), "hardware", "status", "--interval", "0.1"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["screen", "0000:08:00.0", "idle", "1.0", "MiB"] in rows
    assert ["[ffmpeg]", "0000:08:00.0", "idle", "1.0", "MiB"] in rows


def test_the_document_tells_what_was_not_seen_while_looking_for_cards(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from usenet.adapters import gpus
    from usenet.cli.main import run

    dark = (Unseen(what="what it can do", why="vainfo is not installed"), Unseen(what="its load", why="none"))
    monkeypatch.setattr(gpus, "look", lambda: ((RADEON,), dark[:1]))
    monkeypatch.setattr(action, "read", lambda *_: action.Load(cards=(), uses=(), unseen=dark[1:]))
    assert run(["--home", str(tmp_path), "--json", "hardware", "status"]) == 0
    assert [one["what"] for one in json.loads(capsys.readouterr().out)["unseen"]] == ["what it can do", "its load"]


# A second look comes when the first was read; a third is Ctrl-C.
WATCHES = """
import sys, time
from pathlib import Path
from tests.making import gpu
from usenet.actions.hardware import load as action
from usenet.adapters import gpus
from usenet.cli.main import run
from usenet.domain.hardware.load import GpuLoad

was_read, looks = Path(sys.argv[1]), []

def read(*_):
    looks.append(1)
    end = time.monotonic() + 30
    while len(looks) == 2 and not was_read.exists():
        if time.monotonic() > end:
            sys.exit(3)
        time.sleep(0.01)
    if len(looks) == 3:
        raise KeyboardInterrupt
    return action.Load(cards=(GpuLoad(pci="0000:08:00.0", name="R"),), uses=())

action.read, gpus.look = read, lambda: ((gpu("amd", "0000:08:00.0"),), ())
sys.exit(run(sys.argv[2:]))
"""


@pytest.mark.parametrize(("words", "ends"), [(["--json"], "}\n"), ([], "No program has a GPU open.\n")])
def test_a_watch_writes_each_look_at_once_until_ctrl_c(words: list[str], ends: str, tmp_path: Path) -> None:
    was_read = tmp_path / "read"
    command = [sys.executable, "-c", WATCHES, str(was_read), *words, "hardware", "status", "--watch"]
    buffered = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    process = subprocess.Popen(
        command, cwd=TREE, env=buffered, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    while not first.endswith(ends) and (more := process.stdout.readline()):
        first += more
    was_read.touch()
    rest, err = process.communicate(timeout=60)
    assert "0000:08:00.0" in first
    assert (rest, err, process.returncode) == (first, "", 130)


def test_a_machine_without_a_card_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from usenet.adapters import gpus
    from usenet.cli.main import run

    monkeypatch.setattr(gpus, "look", lambda: ((), ()))
    assert run(["hardware", "status"]) == 0
    assert "no GPU on this machine" in capsys.readouterr().out
    assert run(["hardware", "status", "--interval", "nan"]) == 2
    assert "0.1 to 60 seconds" in capsys.readouterr().err
