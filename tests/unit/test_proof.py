"""What is tried in a container, what proves a card, and what a failure means for the next plan."""

import shlex
from dataclasses import replace

import pytest

from tests.making import gpu, host, service, settings
from usenet.adapters import ffmpeg, shell
from usenet.adapters.ffmpeg import Ffmpeg
from usenet.adapters.shell import Done
from usenet.adapters.transcoders import Transcoder
from usenet.domain.errors import SystemFailure
from usenet.domain.hardware import proof
from usenet.domain.hardware.proof import Finding, Proof, Record
from usenet.domain.hardware.transcoding import SOFTWARE
from usenet.domain.plan import Encoder, Gpus, Observed

CARD = "0000:00:02.0"
VAAPI = Encoder(kind="vaapi", gpu=CARD, driver="i915", device="/dev/dri/renderD128")
IMAGE = "example.org/thing:1.0"
DONE = "frame=48\nprogress=end\n[info] bench: utime=0.5s stime=0.1s rtime=2.0s\n"


def log(mapping: str) -> str:
    return f"[info]   Stream #0:0 -> #0:0 ({mapping})\n{DONE}"


def test_the_exact_commands() -> None:
    talk = "-hide_banner -nostdin -nostats -loglevel level+info -benchmark -progress pipe:2 "
    on = "-init_hw_device vaapi=card:/dev/dri/renderD128 -filter_hw_device card "
    assert shlex.join(proof.encoding(VAAPI, "hevc-10", "hevc_vaapi")) == (
        talk + on + "-f lavfi -i testsrc2=size=1280x720:rate=24 -vf format=p010le,hwupload -frames:v 48 "
        "-timelimit 60 -an -c:v hevc_vaapi -b:v 4M -f matroska pipe:1"
    )
    assert shlex.join(proof.decoding(VAAPI, "h264")) == (
        talk + on + "-hwaccel vaapi -hwaccel_device card -hwaccel_output_format vaapi "
        "-i pipe:0 -map 0:v:0 -timelimit 600 -vf scale_vaapi=format=nv12 -f null -"
    )


def test_what_must_work_is_what_was_probed() -> None:
    probed = replace(VAAPI, encode=("jpeg", "h264", "hevc-10"), decode=())
    assert proof.codecs(probed, "encode") == ("h264", "hevc-10")
    assert proof.codecs(probed, "decode") == ()
    assert proof.codecs(VAAPI, "encode") == proof.codecs(SOFTWARE, "decode") == ("h264",)


def test_an_encode_is_proven_by_who_did_it() -> None:
    by_card = proof.encoded("h264", "h264_vaapi", 0, log("wrapped_avframe (native) -> h264 (h264_vaapi)"))
    assert (by_card.state, by_card.how, by_card.fps) == ("proven", "h264_vaapi", 24.0)
    other = proof.encoded("h264", "h264_vaapi", 0, log("wrapped_avframe (native) -> h264 (libx264)"))
    assert (other.state, other.reason) == ("failed", "libx264 did it")
    short = proof.encoded("h264", "libx264", 0, log("x (native) -> h264 (libx264)").replace("frame=48", "frame=47"))
    assert (short.state, short.reason) == ("failed", "47 of 48 pictures")
    failed = proof.encoded("h264", "h264_vaapi", 1, "[error] No VA display found for device /dev/x.\n")
    assert (failed.state, failed.reason) == ("failed", "No VA display found for device /dev/x")


def test_a_decode_is_proven_by_the_filter_that_takes_pictures_from_the_card_only() -> None:
    native = log("h264 (native) -> wrapped_avframe (native)")
    assert proof.decoded(VAAPI, "h264", 0, native).how == "scale_vaapi took its pictures from the card"
    assert proof.decoded(SOFTWARE, "h264", 0, native).how == "ffmpeg's own h264"
    assert proof.decoded(SOFTWARE, "av1", 0, log("av1 (libdav1d) -> wrapped_avframe (native)")).how == "libdav1d"
    pi = Encoder(kind="v4l2m2m", gpu="soc", device="/dev/video10")
    assert proof.decoded(pi, "h264", 0, native).state == "failed"
    assert proof.decoded(pi, "h264", 0, log("h264 (h264_v4l2m2m) -> wrapped_avframe (native)")).how == "h264_v4l2m2m"
    assert proof.decoded(VAAPI, "h264", 1, "[error] Impossible to convert\n").state == "failed"


def test_a_container_without_memory_says_nothing_of_the_card() -> None:
    killed = proof.encoded("h264", "h264_vaapi", 137, "frame=3\n")
    assert killed.state == "unproven"
    assert "memory" in killed.reason
    assert proof.concluded([killed]) == ("unproven", f"encode h264: {killed.reason}")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (1, "Error response from daemon: Container 3f is not running"),
        (1, "Error response from daemon: No such container: thing"),
        (1, "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"),
        (126, "OCI runtime exec failed: exec failed: unable to start container process"),
    ],
)
def test_an_engine_that_refuses_says_nothing_of_the_card(code: int, said: str) -> None:
    refused = proof.encoded("h264", "h264_vaapi", code, f"{said}\n")
    assert (refused.state, refused.reason) == ("unproven", said)
    later = proof.decoded(VAAPI, "h264", code, f"{said}\n")
    assert proof.concluded([refused, later])[0] == "unproven"
    assert proof.recorded((), [finding("unproven")], "now") == ()


def tried(action: str, codec: str, state: str) -> Proof:
    return Proof(action=action, codec=codec, state=state, reason="" if state == "proven" else "why")


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ("encode h264 proven, decode h264 proven", ("proven", "")),
        ("encode h264 proven, encode av1 untried, decode h264 proven", ("proven", "")),
        ("encode h264 failed, encode hevc failed, decode h264 proven", ("failed", "encode h264: why")),
        ("encode h264 proven, decode h264 failed", ("failed", "decode h264: why")),
        ("encode h264 proven, encode hevc failed", ("partly", "encode hevc: why")),
        ("encode h264 proven, decode h264 untried", ("unproven", "decode h264: why")),
        ("", ("unproven", "nothing could be tried")),
    ],
)
def test_what_it_means_together(states: str, expected: tuple[str, str]) -> None:
    assert proof.concluded([tried(*one.split()) for one in states.split(", ") if one]) == expected


def finding(state: str = "failed", encoder: Encoder = VAAPI, reason: str = "encode h264: no") -> Finding:
    return Finding(service="thing", encoder=encoder, image=IMAGE, state=state, where="", reason=reason)


def test_success_is_when_all_is_proven() -> None:
    assert proof.is_success([])
    assert proof.is_success([finding("proven")])
    for state in ("partly", "failed", "unproven"):
        assert not proof.is_success([finding("proven"), finding(state)])


def test_what_is_remembered_is_the_last_answer_of_a_card() -> None:
    (failed,) = proof.recorded((), [finding()], "t1")
    assert failed == Record(service="thing", gpu=CARD, driver="i915", image=IMAGE, reason="encode h264: no", time="t1")
    assert proof.recorded((failed,), [finding("proven", SOFTWARE)], "t2") == (failed,)  # software says nothing of it
    assert proof.recorded((failed,), [finding("unproven")], "t2") == (failed,)
    (worked,) = proof.recorded((failed,), [finding("proven", SOFTWARE), finding("proven")], "t2")
    assert (worked.reason, worked.time) == ("", "t2")


FAILED = Record(service="thing", gpu=CARD, driver="i915", image=IMAGE, reason="encode h264: no", time="t")
THING = {"thing": service(wants={"encoder": True})}
CARDS = (gpu("intel", CARD, driver="i915"), gpu("amd", "0000:03:00.0", driver="amdgpu"))


def given_up(record: Record = FAILED, *, cards=CARDS[:1], images=frozenset({IMAGE}), **wishes) -> dict[str, str]:
    wished = settings(**{"services": {"thing": wishes}, "images": "pull"})
    return proof.disproved((record,), host(gpus=cards), wished, THING, Observed(images=images))


def test_a_card_is_given_up_while_card_driver_and_image_are_the_same() -> None:
    assert given_up() == {"thing": f"verify failed on {CARD} (i915), encode h264: no"}
    assert given_up(replace(FAILED, reason="")) == {}
    assert given_up(cards=(replace(CARDS[0], driver="xe"),)) == {}
    assert given_up(cards=CARDS[1:]) == {}
    assert given_up(cards=()) == {}
    assert given_up(image="example.org/thing:2.0") == {}
    assert given_up(cards=CARDS, gpu="0000:03:00.0") == {}  # a person chose the other one
    assert given_up(cards=CARDS, gpu=CARD) != {}
    assert given_up(gpu="none") == {}
    assert given_up(gpu="0000:99:00.0") == {}  # the plan says what is wrong
    assert given_up(replace(FAILED, service="gone")) == {}


def transcoder(**changes: object) -> Transcoder:
    base: dict[str, object] = {
        "service": "thing",
        "image": IMAGE,
        "user": "",
        "environment": {},
        "groups": (105,),
        "devices": ("/dev/dri/renderD128",),
        "gpus": None,
        "encoder": VAAPI,
    }
    return Transcoder(**(base | changes))


def test_a_container_is_entered_as_the_user_who_transcodes() -> None:
    def words(**changes: object) -> str:
        return shlex.join(ffmpeg.in_container(transcoder(**changes), "/usr/bin/ffmpeg", "abc").command(["-version"]))

    assert words() == "docker exec --interactive abc /usr/bin/ffmpeg -version"
    assert "--user 1000:100 abc" in words(user="1000:100")
    assert "--user 911:912 abc" in words(environment={"PUID": "911", "PGID": "912"})
    assert "--user 5:6 abc" in words(environment={"PLEX_UID": "5", "PLEX_GID": "6"})


def test_a_container_for_this_alone_gets_what_the_service_was_granted_and_no_secret() -> None:
    told = {"LIBVA_DRIVER_NAME": "iHD", "NVIDIA_DRIVER_CAPABILITIES": "video", "API_KEY": "${KEY}", "TOKEN": "x"}
    line = shlex.join(ffmpeg.of_service(transcoder(environment=told), "ffmpeg").command(["-h"]))
    for part in ("--device /dev/dri/renderD128", "--group-add 105", "--network none", "--cap-drop ALL", "--rm"):
        assert part in line
    assert "--env LIBVA_DRIVER_NAME=iHD --env NVIDIA_DRIVER_CAPABILITIES=video" in line
    assert "TOKEN" not in line
    assert "KEY" not in line
    cards = Gpus(driver="nvidia", ids=("GPU-1",))
    line = shlex.join(ffmpeg.of_service(transcoder(gpus=cards, devices=(), groups=()), "ffmpeg").command([]))
    assert """--gpus '"device=GPU-1","capabilities=gpu,video,compute,utility"'""" in line
    cdi = Gpus(driver="cdi", ids=("nvidia.com/gpu=0",))
    assert "--device nvidia.com/gpu=0" in shlex.join(ffmpeg.of_service(transcoder(gpus=cdi), "ffmpeg").command([]))


ENCODERS = """\
Encoders:
 V..... = Video
 ------
 V....D libx264              libx264 H.264 / AVC / MPEG-4 AVC / MPEG-4 part 10 (codec h264)
 V..... h264_vaapi           H.264/AVC (VAAPI) (codec h264)
 A....D aac                  AAC (Advanced Audio Coding)
"""
FILTERS = """\
Filters:
  T.. = Timeline support
 ... scale_vaapi       V->V       Scale to/from VAAPI surfaces.
 TS. ssim              VV->V      Calculate the SSIM between two video streams.
 ..C acopy             A->A       Copy.
"""


def test_what_an_ffmpeg_has(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"-encoders": Done(0, ENCODERS, "ffmpeg version 7.1-Jellyfin Copyright\n"), "-filters": Done(0, FILTERS, "")}
    monkeypatch.setattr(shell, "run", lambda words, **_: said[words[-1]])
    found = ffmpeg.offers(Ffmpeg())
    assert found.version == "7.1-Jellyfin"
    assert found.encoders == {"libx264", "h264_vaapi", "aac"}
    assert found.filters == {"scale_vaapi", "ssim", "acopy"}


@pytest.mark.parametrize(
    ("done", "said"), [(Done(126, "OCI runtime exec failed", ""), "there is no ffmpeg in"), (Done(1, "", "no"), ": no")]
)
def test_an_ffmpeg_that_is_not_there(monkeypatch: pytest.MonkeyPatch, done: Done, said: str) -> None:
    monkeypatch.setattr(shell, "run", lambda words, **_: done)
    with pytest.raises(SystemFailure, match=said):
        ffmpeg.offers(Ffmpeg())


def test_an_engine_that_does_not_answer_at_the_end_takes_nobody_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: object, **__: object) -> Done:
        raise SystemFailure("docker did not end within 60 s")

    monkeypatch.setattr(shell, "run", late)
    one = Ffmpeg(image=IMAGE)
    one.command(["-version"])
    one.remove_leftovers()
    assert one.made == []
