"""What the benchmark would run, line by line; what its figures mean together; what it keeps."""

import json
import shlex
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.saved import only_path, program
from usenet.adapters import measurements
from usenet.adapters.home import Home
from usenet.adapters.power import Meter
from usenet.domain.hardware import benchmark, transcoding
from usenet.domain.hardware.benchmark import Case, Offers, Report, Result
from usenet.domain.hardware.transcoding import SOFTWARE, Clip
from usenet.domain.plan import Encoder

VAAPI = Encoder(kind="vaapi", gpu="0000:00:02.0", driver="i915", device="/dev/dri/renderD129")
NVENC = Encoder(kind="nvenc", gpu="0000:01:00.0", driver="nvidia 550")
QSV = Encoder(kind="qsv", gpu="0000:00:02.0", driver="xe", device="/dev/dri/renderD128")
PI = Encoder(kind="v4l2m2m", gpu="soc", device="/dev/video10")
LIBRARIES = {"libx264", "libx265", "libvpx-vp9", "libsvtav1"}
ALL = Offers(
    version="7.1",
    encoders=frozenset(LIBRARIES | {f"{c}_{k.kind}" for c in ("h264", "hevc", "av1") for k in (VAAPI, NVENC, QSV, PI)}),
    filters=frozenset({"zscale", "tonemap", "tonemap_vaapi", "tonemap_cuda"}),
)

TALK = "-hide_banner -nostdin -nostats -loglevel level+info -benchmark -progress pipe:1 -stats_period 0.1 -y "
ON = {
    "vaapi": "-init_hw_device vaapi=card:/dev/dri/renderD129 -filter_hw_device card ",
    "nvenc": "-init_hw_device cuda=card:0 -filter_hw_device card ",
    "qsv": "-init_hw_device qsv=card:hw,child_device=/dev/dri/renderD128 -filter_hw_device card ",
}
KEPT = "-hwaccel {0} -hwaccel_device card -hwaccel_output_format {0} "
LOOP = "-stream_loop -1 -i /c/{} -map 0:v:0 -timelimit 600 "
HDR, FILM = LOOP.format("hevc-10-1080p.mkv"), LOOP.format("h264-1080p.mkv")
GOLDEN = {
    (SOFTWARE, "decode", "av1"): LOOP.format("av1-1080p.mkv") + "-vf format=yuv420p -f null -",
    (SOFTWARE, "transcode", "h264"): FILM
    + "-vf format=yuv420p -an -c:v libx264 -preset veryfast -b:v 8M -f matroska /c/out",
    (SOFTWARE, "transcode", "hevc-10"): HDR
    + "-vf format=yuv420p10le -an -c:v libx265 -preset ultrafast -x265-params log-level=error -b:v 8M "
    "-f matroska /c/out",
    (VAAPI, "decode", "hevc-10"): ON["vaapi"] + KEPT.format("vaapi") + HDR + "-vf scale_vaapi=format=p010 -f null -",
    (VAAPI, "transcode", "h264"): ON["vaapi"]
    + KEPT.format("vaapi")
    + FILM
    + "-vf scale_vaapi=format=nv12 -an -c:v h264_vaapi -b:v 8M -f matroska /c/out",
    (replace(VAAPI, decode=()), "transcode", "hevc-10"): ON["vaapi"]
    + HDR
    + "-vf format=p010le,hwupload -an -c:v hevc_vaapi -b:v 8M -f matroska /c/out",
    (VAAPI, "tonemap", "h264"): ON["vaapi"]
    + KEPT.format("vaapi")
    + HDR
    + "-vf tonemap_vaapi=format=nv12:t=bt709:m=bt709:p=bt709 -an -c:v h264_vaapi -b:v 8M -f matroska /c/out",
    (NVENC, "transcode", "av1"): ON["nvenc"]
    + KEPT.format("cuda")
    + FILM
    + "-vf scale_cuda=format=nv12 -an -c:v av1_nvenc -b:v 8M -f matroska /c/out",
    (QSV, "decode", "vp9"): ON["qsv"]
    + KEPT.format("qsv")
    + "-c:v vp9_qsv "
    + LOOP.format("vp9-1080p.mkv")
    + "-vf scale_qsv=format=nv12 -f null -",
    (PI, "transcode", "h264"): "-c:v h264_v4l2m2m "
    + FILM
    + "-vf format=yuv420p -an -c:v h264_v4l2m2m -b:v 8M -f matroska /c/out",
}
HOW = {"tonemap": "tonemap_vaapi"}


@pytest.mark.parametrize(("asked", "line"), GOLDEN.items(), ids=lambda value: "")
def test_the_exact_command(asked: tuple[Encoder, str, str], line: str) -> None:
    device, work, codec = asked
    case = Case(device.kind, work, codec, 1080, how=HOW.get(work, ""))
    assert shlex.join(benchmark.arguments(case, device, ALL, "/c", "/c/out")) == TALK + line


def test_hdr_clips_carry_what_tone_mapping_on_cards_asks_for() -> None:
    made = shlex.join(transcoding.making(Clip("hevc-10", 2160), "libx265", 2, "/c"))
    assert "testsrc2=size=3840x2160:rate=24" in made
    assert "transfer=smpte2084" in made
    assert "master-display=G(" in made
    assert "-pix_fmt yuv420p10le" in made
    assert "smpte2084" not in shlex.join(transcoding.making(Clip("hevc", 1080), "libx265", 2, "/c"))


def names(devices: tuple[Encoder, ...], *, quick: bool, offers: Offers = ALL) -> list[str]:
    return [case.name for case in benchmark.cases(devices, offers, quick=quick)]


def test_the_matrix() -> None:
    full = benchmark.cases((SOFTWARE, VAAPI), ALL, quick=False)
    assert len({case.name for case in full}) == len(full)
    for device in ("software", "vaapi"):
        of = [case for case in full if case.device == device]
        assert {case.height for case in of} == {720, 1080, 2160}
        assert {case.codec for case in of if case.work == "transcode"} == {
            *("h264", "hevc", "vp9", "av1", "hevc-10", "vp9-10", "av1-10")
        }
        assert any(case.work == "tonemap" for case in of)
    quick = benchmark.cases((SOFTWARE, VAAPI), ALL, quick=True)
    assert {case.name for case in quick} <= {case.name for case in full}  # else a quick run compares with nothing
    assert [c.name for c in quick if c.counted] == [
        "transcode h264 1080p on software",
        "transcode h264 1080p on vaapi",
    ]


@pytest.mark.parametrize(
    ("device", "work", "codec", "offers", "said"),
    [
        (VAAPI, "transcode", "vp9", ALL, "no vp9 encoder of the kind vaapi"),
        (replace(VAAPI, encode=("h264",)), "transcode", "hevc", ALL, "does not encode"),
        (replace(NVENC, encode=()), "transcode", "hevc-10", ALL, "does not encode"),
        (replace(NVENC, decode=("h264",)), "decode", "av1", ALL, "does not decode"),
        (SOFTWARE, "transcode", "hevc-10", replace(ALL, encoders=ALL.encoders - {"libx265"}), "to make a hevc-10 clip"),
        (VAAPI, "tonemap", "h264", replace(ALL, filters=frozenset()), "no filter tonemap_vaapi"),
    ],
)
def test_what_can_not_run_is_listed_with_the_reason(
    device: Encoder, work: str, codec: str, offers: Offers, said: str
) -> None:
    (case,) = [c for c in benchmark.cases((device,), offers, quick=True) if (c.work, c.codec) == (work, codec)] or [
        Case(device.kind, work, codec, 1080)
    ]
    assert said in benchmark.obstacle(case, device, offers)
    assert not benchmark.obstacle(Case("software", "transcode", "h264", 1080), SOFTWARE, ALL)
    told = replace(NVENC, encode=("h264", "hevc"))  # NVIDIA's library says nothing of ten bits
    assert not benchmark.obstacle(Case("nvenc", "transcode", "hevc-10", 1080), told, ALL)


def test_each_clip_is_made_once_and_before_it_is_read() -> None:
    order = benchmark.work(benchmark.cases((SOFTWARE, VAAPI), ALL, quick=False))
    assert len(set(order)) == len(order)
    for number, item in enumerate(order):
        assert isinstance(item, Clip) or item.clip in order[:number]


@given(st.floats(-5, 600), st.integers(1, 40))
def test_the_time_box_is_shared_out_and_never_passed(left: float, count: int) -> None:
    items = benchmark.work(benchmark.cases((SOFTWARE, NVENC), ALL, quick=False))[:count]
    spent = 0.0
    for number in range(len(items)):
        part = benchmark.part(left - spent, items[number:])
        assert part >= 0
        spent += part
    assert spent <= max(left, 0) + 1e-6
    assert spent >= left - 1e-6


@given(st.integers(0, 100), st.integers(1, 64))
def test_the_count_of_streams_is_found(truth: int, most: int) -> None:
    tried = {1: truth >= 1}
    while (count := benchmark.next_count(tried, most)) is not None:
        assert count not in tried
        assert count <= most
        tried[count] = count <= truth
    assert benchmark.kept_up(tried) == min(truth, most)
    assert len(tried) <= 2 * most.bit_length() + 1


@given(st.dictionaries(st.integers(1, 40), st.booleans(), min_size=1))
def test_no_more_streams_are_claimed_than_were_seen_to_keep_up(tried: dict[int, bool]) -> None:
    best = benchmark.kept_up(tried)
    assert best == 0 or tried[best]
    assert all(ok for count, ok in tried.items() if count <= best)


def result(name: str, fps: float = 0.0, **more: object) -> Result:
    work, codec, height, _, device = name.split()
    return Result(name=name, device=device, work=work, codec=codec, height=int(height.rstrip("p")), fps=fps, **more)


def report(*results: Result) -> Report:
    return Report(
        time="2026-01-01T00:00:00+00:00",
        seconds=44.1,
        quick=True,
        partial=False,
        where="this machine",
        service="",
        version="7.1",
        processor="A processor",
        gpu="",
        driver="",
        results=results,
    )


MAIN = "transcode h264 1080p on software"


def test_against_the_last_run_what_got_slower_is_first() -> None:
    before = report(result(MAIN, 100.0), result("decode h264 720p on vaapi", 50.0), result("decode av1 720p on vaapi"))
    now = report(
        result(MAIN, 150.0), result("decode h264 720p on vaapi", 40.0), result("decode vp9 720p on vaapi", 9.0)
    )
    assert [(c.name, round(c.percent)) for c in benchmark.compared(before, now)] == [
        ("decode h264 720p on vaapi", -20),
        (MAIN, 50),
    ]
    assert benchmark.compared(None, now) == ()


def test_what_else_was_another_is_said() -> None:
    now = report(result(MAIN, 150.0))
    assert benchmark.other(replace(now, time="2020-01-01", seconds=1.0, quick=False), now) == ""
    last = replace(now, where="jellyfin/jellyfin:10.11", version="8.0", gpu="0000:03:00.0", driver="i915")
    assert benchmark.other(last, now) == "in jellyfin/jellyfin:10.11, with ffmpeg 8.0, on the card 0000:03:00.0 (i915)"
    assert benchmark.other(now, last) == "on this machine, with ffmpeg 7.1, without a card"
    assert benchmark.other(replace(now, processor="Another"), now) == "on Another"


def test_nothing_is_claimed_that_was_not_measured() -> None:
    assert benchmark.measured(report(result(MAIN, 100.0))).streams == {}
    assert "not measured" in benchmark.conclusion(report(result(MAIN, reason="no time was left for it")))[0]
    held = report(result(MAIN, 100.0, streams=4, limit="real time"))
    assert benchmark.measured(held).streams == {"software": 4}
    assert benchmark.conclusion(held) == ("software: 4 H.264 1080p streams at once in real time",)
    assert "at least 4 " in benchmark.conclusion(report(result(MAIN, 100.0, streams=4, limit="time")))[0]


def stack(path: Path) -> Home:
    (path / "usenet.yaml").write_text("name: x\n")
    return Home(path)


def test_a_report_is_kept_where_there_is_a_stack_and_read_back(tmp_path: Path) -> None:
    told = report(result(MAIN, 100.0, streams=4, limit="real time", ssim=0.98))
    assert measurements.keep_benchmark(Home(tmp_path), told) == ""
    assert list(tmp_path.iterdir()) == []
    home = stack(tmp_path)
    assert measurements.keep_benchmark(home, told) == str(tmp_path / ".usenet/benchmark.json")
    assert measurements.benchmark(home) == told


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 99}', '{"results": 3}', "\x00"])
def test_a_damaged_record_is_as_none(tmp_path: Path, text: str) -> None:
    home = stack(tmp_path)
    home.state.mkdir()
    for name in ("benchmark.json", "verified.json"):
        (tmp_path / ".usenet" / name).write_text(text)
    assert measurements.benchmark(home) is None
    assert measurements.verified(home) == ()


def test_a_report_of_another_version_is_not_read(tmp_path: Path) -> None:
    home = stack(tmp_path)
    path = measurements.keep_benchmark(home, report(result(MAIN, 100.0)))
    told = json.loads(Path(path).read_text())
    Path(path).write_text(json.dumps(told | {"schema": 2}))
    assert measurements.benchmark(home) is None


def test_watts_of_the_processor_and_of_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("usenet.adapters.power.time.monotonic", lambda: clock[0])
    package = tmp_path / "sys/class/powercap/intel-rapl:0"
    package.mkdir(parents=True)
    (package / "max_energy_range_uj").write_text("1000000000")
    (package / "energy_uj").write_text("999000000\n")
    meter = Meter(root=tmp_path)
    clock[0] = 104.0
    (package / "energy_uj").write_text("79000000\n")  # it wrapped
    assert meter.watts() == (20.0, "the processor")

    sensor = tmp_path / "sys/bus/pci/devices/0000:03:00.0/hwmon/hwmon3/power1_average"
    sensor.parent.mkdir(parents=True)
    assert Meter("0000:03:00.0", tmp_path).watts() == (None, "")
    sensor.touch()
    meter = Meter("0000:03:00.0", tmp_path)
    for value in ("30000000", "50000000"):
        sensor.write_text(value)
        meter.tick()
    assert meter.watts() == (40.0, "the card")


def test_the_whole_machines_counter_is_not_added_to_the_processors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr("usenet.adapters.power.time.monotonic", lambda: clock[0])
    names = {"intel-rapl:0": "package-0", "intel-rapl:1": "psys", "intel-rapl:0:0": "core"}
    folders = [tmp_path / "sys/class/powercap" / one for one in names]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "name").write_text(f"{names[folder.name]}\n")
        (folder / "energy_uj").write_text("0\n")
    meter = Meter(root=tmp_path)
    clock[0] = 102.0
    for folder in folders:
        (folder / "energy_uj").write_text("30000000\n")
    assert meter.watts() == (15.0, "the processor")


def test_watts_of_a_card_that_only_nvidias_tool_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", only_path(tmp_path / "bin"))
    asked = tmp_path / "asked"
    program(tmp_path / "bin", "nvidia-smi", f'echo "$*" >> {asked}; echo " 61.25"')
    meter = Meter("0000:01:00.0", tmp_path)
    wait(asked.exists)
    assert meter.watts() == (61.25, "the card")
    assert "--id=0000:01:00.0" in asked.read_text()

    program(tmp_path / "bin", "nvidia-smi", f"touch {tmp_path}/again; echo '[N/A]'")
    meter = Meter("0000:01:00.0", tmp_path)
    wait((tmp_path / "again").exists)
    assert meter.watts() == (None, "")


def wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not until():
        assert time.monotonic() < end
        time.sleep(0.01)
