"""What ffmpeg says is read as it is, from real runs, and nothing that it could say breaks the reading."""

from hypothesis import given
from hypothesis import strategies as st

from usenet.domain.hardware import measured
from usenet.domain.hardware.measured import Cost, Mapping

PROGRESS = "frame=12\nfps=0.00\nout_time=00:00:00.5\nprogress=continue\nframe=48\nfps=17.76\nprogress=end\n"
ENCODED = """\
[info] Input #0, lavfi, from 'testsrc2=size=1280x720:rate=24':
[info] Stream mapping:
[info]   Stream #0:0 -> #0:0 (wrapped_avframe (native) -> h264 (libx264))
[libx264 @ 0x55b881055940] [info] profile High, level 3.1, 4:2:0, 8-bit
[info] video:956kB audio:0kB subtitle:0kB other streams:0kB global headers:0kB muxing overhead: 0.135062%
[info] bench: utime=0.599s stime=0.153s rtime=2.702s
[info] bench: maxrss=167832kB
[libx264 @ 0x55b881055940] [info] kb/s:3912.42
"""
REFUSED = """\
[info] Input #0, lavfi, from 'testsrc2=size=1280x720:rate=24':
[AVHWDeviceContext @ 0x55ed02d5b880] [error] No VA display found for device /dev/dri/renderD128.
[fatal] Device creation failed: -22.
[fatal] Error parsing global options: Invalid argument
"""
FELL_BACK = """\
[AVHWDeviceContext @ 0x5650] [warning] something odd
[graph 0 input from stream 0:0 @ 0x5651] [info] w:640 h:360 pixfmt:yuv420p
[Parsed_scale_vaapi_0 @ 0x5652] [auto_scale_0 @ 0x5653] [error] Impossible to convert between the formats
[error] Error reinitializing filters!
[fatal] Conversion failed!
"""
LIKE = "[Parsed_ssim_2 @ 0x5] [info] SSIM Y:0.973 (15.8) U:0.989 (19.9) V:0.99 (20.2) All:0.978972 (16.77)\n"
LIKELY = "[Parsed_libvmaf_2 @ 0x5] [info] VMAF score: 95.125\n"


def test_progress_is_its_last_whole_line() -> None:
    assert measured.pictures(PROGRESS) == 48
    assert measured.pictures(PROGRESS + "frame=4999") == 48  # cut while it was written
    assert measured.pictures("frame=   7\n") == 7


def test_cost_mapping_and_likeness() -> None:
    assert measured.cost(ENCODED) == Cost(processor=0.752, clock=2.702)
    assert measured.mapping(ENCODED) == Mapping("wrapped_avframe", "native", "h264", "libx264")
    assert measured.likeness(LIKE, "ssim") == 0.978972
    assert measured.likeness(LIKELY, "vmaf") == 95.125
    assert measured.likeness(LIKE, "vmaf") is None
    assert measured.cost(REFUSED) is None
    assert measured.mapping(REFUSED) is None


def test_what_an_image_says_can_not_steer_the_terminal() -> None:
    assert measured.why("[error] \x1b[2Jnothing is wrong\n") == "?[2Jnothing is wrong"


def test_a_failure_is_told_by_its_cause_and_not_by_what_follows_from_it() -> None:
    assert measured.why(REFUSED) == "No VA display found for device /dev/dri/renderD128"
    assert measured.why(FELL_BACK) == "Impossible to convert between the formats"
    assert measured.why("[error] Error reinitializing filters!\n[fatal] Conversion failed!") == (
        "Error reinitializing filters!"
    )
    assert measured.why("ffmpeg: not found\nprogress=continue\n") == "ffmpeg: not found"
    assert measured.why("") == "it said nothing"


lines = st.sampled_from((PROGRESS, ENCODED, REFUSED, FELL_BACK, LIKE, LIKELY))
texts = st.lists(st.one_of(st.text(), lines, lines.map(lambda text: text[: len(text) // 2]))).map("".join)


@given(texts)
def test_any_text_is_read(text: str) -> None:
    assert measured.pictures(text) >= 0
    assert "\n" not in measured.why(text)
    assert measured.why(text)
    cost = measured.cost(text)
    assert cost is None or min(cost.processor, cost.clock) >= 0
    assert measured.mapping(text) is None or all(vars_of(measured.mapping(text)))
    for measure in ("ssim", "vmaf"):
        assert measured.likeness(text, measure) is None or measured.likeness(text, measure) >= 0


def vars_of(found: Mapping) -> tuple[str, ...]:
    return found.decoded, found.decoder, found.encoded, found.encoder


@given(st.integers(0, 10**9), st.text(alphabet="abc=\n", max_size=20))
def test_pictures_count_to_the_last(count: int, noise: str) -> None:
    assert measured.pictures(f"frame=3\n{noise}\nframe={count}\nprogress=end\n") == count
