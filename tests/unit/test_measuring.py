"""How many streams keep up, and what one case becomes, by what ffmpeg said; ffmpeg is a stand-in here."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from usenet.actions.hardware import measuring
from usenet.actions.hardware.measuring import Room
from usenet.adapters import ffmpeg
from usenet.adapters.ffmpeg import Ffmpeg
from usenet.adapters.together import Ran
from usenet.domain.hardware.benchmark import Case, Offers, Result
from usenet.domain.hardware.transcoding import SOFTWARE, Clip
from usenet.domain.plan import Encoder

OFFERS = Offers("7.1", frozenset({"libx264", "libvpx-vp9", "h264_nvenc"}), frozenset({"ssim"}))
COUNTED = Case("software", "transcode", "h264", 1080, counted=True)
NVENC = Encoder(kind="nvenc", gpu="0000:01:00.0")
REFUSED = "[h264_nvenc @ 0x55b8] [error] OpenEncodeSessionEx failed: out of memory (10)\n"


def ran(fps: float, seconds: float = 4.0, *, settled: bool = True, code: int = 255, err: str = "") -> Ran:
    """One ffmpeg at that speed: two seconds to begin, then `seconds` that count."""
    before = int(fps * 2) if settled else 0
    done = before + int(fps * seconds)
    cost = f"[info] bench: utime=3.000s stime=1.000s rtime={done / fps:.3f}s\n" if fps else ""
    return Ran(code, f"frame={done}\n", err or cost, f"frame={before}\n", f"frame={done}\n")


def measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, at: Callable[[int], Ran], case: Case = COUNTED
) -> tuple[Result, list[Sequence[Sequence[str]]]]:
    asked: list[Sequence[Sequence[str]]] = []

    def measure(_: Ffmpeg, lines: Sequence[Sequence[str]], clips: Path, **__: object) -> tuple[float, tuple[Ran, ...]]:
        asked.append(lines)
        if lines[0][-1].startswith("/") or lines[0][-1].startswith(str(tmp_path)):
            Path(lines[0][-1]).touch()
        if "-lavfi" in lines[0]:
            return 1.0, (Ran(0, "", "[info] SSIM Y:0.9 (1) All:0.950000 (13)\n", "", ""),)
        return 4.0, (at(len(lines)),) * len(lines)

    monkeypatch.setattr(ffmpeg, "measure", measure)
    device = NVENC if case.device == "nvenc" else SOFTWARE
    return measuring.measure(case, device, OFFERS, Room(Ffmpeg(), tmp_path), 3600.0, lambda: None), asked


def test_streams_share_the_machine_until_one_falls_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found, asked = measured(monkeypatch, tmp_path, lambda count: ran(150 / count))
    assert (found.streams, found.limit) == (6, "real time")  # 150 / 24
    assert [len(lines) for lines in asked] == [1, 1, 2, 4, 8, 6, 7]  # alone, compared, then counted
    assert (found.fps, found.realtime, found.ssim) == (150.0, 6.25, 0.95)
    assert found.cpu == pytest.approx(4 / (900 / 24), abs=0.001)


def test_a_card_that_opens_only_so_many_sessions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    case = Case("nvenc", "transcode", "h264", 1080, counted=True)
    found, _ = measured(
        monkeypatch, tmp_path, lambda count: ran(900) if count <= 3 else ran(900, code=1, err=REFUSED), case
    )
    assert (found.streams, found.limit) == (3, "OpenEncodeSessionEx failed: out of memory (10)")


def test_one_slower_than_the_film_is_no_stream(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found, asked = measured(monkeypatch, tmp_path, lambda count: ran(23.9))
    assert (found.streams, found.limit, len(asked)) == (0, "real time", 2)


def test_streams_that_had_not_settled_are_judged_by_all_of_their_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is given to an encoder at first only fills it: 30 a second for a moment is not 30 a second."""
    held = Ran(255, "frame=110\n", "[info] bench: utime=1s stime=1s rtime=9.0s\n", "frame=1\n", "frame=110\n")
    found, _ = measured(monkeypatch, tmp_path, lambda count: ran(30) if count == 1 else held)
    assert found.streams == 1


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (Ran(1, "", REFUSED, "", ""), "OpenEncodeSessionEx failed: out of memory (10)"),
        (Ran(-9, "frame=90\n", "", "", "frame=90\n"), measuring.OVER),
        (Ran(255, "frame=2\n", "[info] bench: utime=1s stime=1s rtime=4.0s\n", "", ""), measuring.OVER),
    ],
)
def test_no_figure_without_its_measurement(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: Ran, reason: str
) -> None:
    found, asked = measured(monkeypatch, tmp_path, lambda _: said)
    assert (found.reason, found.fps, found.streams, found.cpu) == (reason, 0.0, None, None)
    assert len(asked) == 1


VP9 = Case("software", "transcode", "vp9", 1080)


@pytest.mark.parametrize(("code", "kept"), [(255, True), (-9, False)])
def test_what_software_made_is_the_clip_of_a_later_decode_if_it_is_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: int, kept: bool
) -> None:
    measured(monkeypatch, tmp_path, lambda _: ran(30, code=code), VP9)
    assert (tmp_path / "vp9-1080p.mkv").exists() == kept
    room = Room(Ffmpeg(), tmp_path)
    why = measuring.make(Clip("vp9", 1080), OFFERS, room, 0.0, tick=lambda: None, quick=True)
    assert why == ("" if kept else "no time was left for it")


def test_a_decode_never_removes_what_it_reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clip = tmp_path / "vp9-1080p.mkv"
    clip.touch()
    measured(monkeypatch, tmp_path, lambda _: ran(1, code=-9), Case("software", "decode", "vp9", 1080))
    assert clip.exists()


def test_the_film_itself_is_never_overwritten() -> None:
    for codec in ("h264", "hevc-10"):
        case = Case("software", "transcode", codec, 1080)
        offers = Offers("", frozenset({"libx264", "libx265"}), frozenset())
        line = measuring.arguments(case, SOFTWARE, offers, Room(Ffmpeg(), Path("/c")))
        assert line[-1] != f"/c/{case.clip.file}"
