"""Benchmark and verify with a real ffmpeg: Debian's, on this machine and in real containers; software, and a fake card.

No card is here: the render node is made by mknod, which any driver refuses, so that a failure is real and a success
can't be had.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Stack, docker, free_port, interrupt
from usenet.actions.hardware import Looking
from usenet.cli import main
from usenet.cli.flags import FLAGS
from usenet.domain.hardware import transcoding
from usenet.domain.hardware.transcoding import SOFTWARE
from usenet.domain.host import Gpu, Node
from usenet.domain.plan import Encoder

pytestmark = pytest.mark.engine

IMAGE = "usenet-test/ffmpeg:1"
RECIPE = "ARG BASE\nFROM ${BASE}\nRUN apt-get update -q && apt-get install -qy --no-install-recommends ffmpeg\n"
HEAD = {"image": IMAGE, "ffmpeg": "ffmpeg", "wants": {"encoder": True, "memory": "256M"}}
CARD = "0000:00:02.0"


@pytest.fixture(scope="session")
def ffmpeg_image(web_image: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The web image with Debian's ffmpeg, made once."""
    with (tmp_path_factory.getbasetemp().parent / "ffmpeg.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not docker("images", "-q", IMAGE):
            recipe = tmp_path_factory.mktemp("ffmpeg")
            (recipe / "Dockerfile").write_text(RECIPE)
            docker("build", "-q", "-t", IMAGE, "--build-arg", f"BASE={web_image}", str(recipe), timeout=600)
    return IMAGE


@pytest.fixture
def coder(stack: Stack, ffmpeg_image: str) -> Stack:
    """A stack with a service that transcodes; it was not started."""
    stack.service("coder", **HEAD)
    stack.settings({"coder": {"port": free_port()}})
    return stack


def test_software_is_proven_in_its_container(coder: Stack, record_property: Callable[[str, object], None]) -> None:
    coder.run("services", "up")
    found = coder.json("hardware", "verify")
    (one,) = found["findings"]
    assert (one["service"], one["encoder"]["kind"], one["state"]) == ("coder", "software", "proven")
    assert {(p["action"], p["codec"], p["how"]) for p in one["proofs"]} == {
        ("encode", "h264", "libx264"),
        ("decode", "h264", "ffmpeg's own h264"),
    }
    assert all(p["fps"] > 0 for p in one["proofs"])
    for p in one["proofs"]:
        record_property(f"verify: {p['action']} {p['codec']} 720p by {p['how']} in a container, fps", p["fps"])
    assert "no card was granted" in coder.run("hardware", "verify").stdout
    assert not (coder.home / ".usenet" / "verified.json").exists()  # nothing is known of any card


def test_what_can_not_be_tried_is_no_success(coder: Stack) -> None:
    coder.service("bare", **{**HEAD, "image": "usenet-test/web:1"})
    coder.settings({"coder": {"port": free_port()}, "bare": {"port": free_port()}})
    coder.run("services", "up", "bare")
    found = coder.json("hardware", "verify", code=1)
    told = {one["service"]: (one["state"], one["reason"]) for one in found["findings"]}
    assert {state for state, _ in told.values()} == {"unproven"}
    assert "usenet services up coder" in told["coder"][1]
    assert told["bare"][1] == "there is no ffmpeg in usenet-test/web:1"


@pytest.mark.parametrize("kind", ["vaapi", "nvenc", "qsv"])
def test_pictures_of_software_do_not_pass_the_filter_that_proves_a_card(ffmpeg_image: str, kind: Any) -> None:
    def code(*chain: str) -> int:
        made = ("-f", "lavfi", "-i", "testsrc2=size=320x180", "-frames:v", "2", *chain, "-f", "null", "-")
        run = ("docker", "run", "--rm", "--network", "none", "--entrypoint", "ffmpeg", ffmpeg_image, *made)
        return subprocess.run(run, capture_output=True, timeout=120).returncode

    assert code(*transcoding.filters(SOFTWARE, "h264", on_card=True)) == 0
    assert code(*transcoding.filters(Encoder(kind=kind), "h264", on_card=True)) == 1


class Here:
    """usenet in this process, on this machine with one card more: a render node that no driver stands behind."""

    def __init__(self, stack: Stack, node: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.stack, self.capsys = stack, capsys
        os.mknod(node, 0o660 | stat.S_IFCHR, os.makedev(226, 128))
        self.card = Gpu(
            pci=CARD,
            vendor="intel",
            id="8086:4680",
            driver="i915",
            render=Node(path=str(node), gid=node.stat().st_gid),
        )

    def run(self, *words: str, code: int = 0) -> str:
        self.capsys.readouterr()
        vars(FLAGS).clear()  # as in a process of its own
        assert main.run(["--home", str(self.stack.home), *words]) == code
        said = self.capsys.readouterr()
        return said.out + said.err

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self.run("--json", *words, code=code))

    def encoder(self) -> tuple[str, str]:
        choices = self.json("services", "plan")["plan"]["choices"]
        return next((c["value"], c["because"]) for c in choices if c["about"] == "coder.encoder")


@pytest.fixture
def here(coder: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Here:
    if os.geteuid():
        pytest.skip("only root makes device nodes")
    made = Here(coder, tmp_path / "renderD128", capsys)
    seen = Looking.host
    monkeypatch.setattr(Looking, "host", lambda self: dataclasses.replace(seen(self), gpus=(made.card,)))
    return made


def devices(stack: Stack) -> list[str]:
    container = stack.containers()["coder"][0]
    return [d["PathOnHost"] for d in json.loads(docker("inspect", container))[0]["HostConfig"]["Devices"] or ()]


def test_a_card_that_fails_in_its_container_is_given_up_until_something_changes(here: Here) -> None:
    assert here.encoder()[0] == f"intel {CARD}"
    here.run("services", "up")
    assert devices(here.stack) == [here.card.render.path]

    found = here.json("hardware", "verify", code=1)
    (one,) = found["findings"]
    assert (one["state"], one["encoder"]["gpu"]) == ("failed", CARD)
    assert here.card.render.path in one["reason"] or "VA" in one["reason"]
    record = json.loads((here.stack.home / ".usenet" / "verified.json").read_text())["records"][0]
    assert (record["service"], record["gpu"], record["driver"], record["image"]) == ("coder", CARD, "i915", IMAGE)
    assert "usenet deploy" in here.run("hardware", "verify", code=1)

    value, because = here.encoder()
    assert value == "software"
    assert because.startswith(f"verify failed on {CARD} (i915)")
    here.run("services", "up")
    assert devices(here.stack) == []

    # Software is proven; the card is tried again beside it, in a container of its own, and fails as before.
    again = here.json("hardware", "verify", code=1)["findings"]
    assert [(f["encoder"]["kind"], f["state"]) for f in again] == [("software", "proven"), ("vaapi", "failed")]
    assert here.encoder()[0] == "software"

    here.card = dataclasses.replace(here.card, driver="xe")
    assert here.encoder()[0] == f"intel {CARD}"


def _cut_short(stack: Stack) -> Any:
    """The report of a benchmark on this machine that was interrupted once something was measured."""
    own = stack.home / "tmp"
    own.mkdir()
    stack.environment["TMPDIR"] = str(own)
    process = stack.begin("hardware", "benchmark", "--quick")
    assert process.stdout
    # A clip is made then: always told, while what reads a clip that could not be made in time is not begun.
    assert any(line.startswith("3/") for line in process.stdout)
    interrupt(process)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "transcode h264 1080p on software" in said
    report = json.loads((stack.home / ".usenet" / "benchmark.json").read_text())
    assert (report["where"], report["partial"]) == ("this machine", True)
    assert list(own.iterdir()) == []
    return report


def test_the_benchmark_measures_on_this_machine_and_in_the_image_that_will_transcode(
    coder: Stack, record_property: Callable[[str, object], None]
) -> None:
    last = _cut_short(coder)
    coder.run("services", "up")
    dry = coder.json("hardware", "benchmark", "--quick", "--dry-run")["commands"]
    assert all(line[:3] == ["docker", "run", "--rm"] and IMAGE in line for line in dry)

    found = coder.json("hardware", "benchmark", "--quick")
    report = found["report"]
    assert (report["where"], report["service"], report["partial"]) == (IMAGE, "coder", False)
    assert json.loads((coder.home / ".usenet" / "benchmark.json").read_text()) == report
    results = {r["name"]: r for r in report["results"]}
    main_one = results["transcode h264 1080p on software"]
    assert main_one["fps"] > 0
    assert main_one["cpu"] > 0
    assert 0.5 < main_one["ssim"] <= 1
    assert main_one["streams"] is not None
    assert {c["name"]: c["before"] for c in found["changes"]} == {
        r["name"]: r["fps"] for r in last["results"] if r["fps"] and results[r["name"]]["fps"]
    }
    assert "transcode h264 1080p on software" in {c["name"] for c in found["changes"]}
    for name, one in results.items():
        kept = f", {one['streams']} at once" if one["streams"] is not None else ""
        record_property(f"benchmark in a container: {name}", one["reason"] or f"{one['fps']} fps{kept}")
    assert not docker("ps", "-aq", "--filter", "name=usenet-ffmpeg-", "--filter", f"ancestor={IMAGE}")
