"""`usenet hardware list` as a user runs it: on saved machines, on this one, without rights, with a hanging driver."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.saved import TESTS, only_path, program
from usenet.adapters import hosts
from usenet.cli.main import run

GOLDEN = sorted((TESTS / "hosts").glob("*.json"))


def usenet(*words: str, before: tuple[str, ...] = (), **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, sys.executable, "-m", "usenet", *words],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(TESTS.parent), **environment},
        stdin=subprocess.DEVNULL,
        check=False,
    )


def listed(*words: str, before: tuple[str, ...] = (), **environment: str) -> dict[str, Any]:
    done = usenet("hardware", "list", "--json", *words, before=before, **environment)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_person_sees_every_drive_and_every_gpu(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["hardware", "list", "--host", str(path)]) == 0
    printed = capsys.readouterr().out

    host = hosts.load(path)
    lines = [line.split() for line in printed.splitlines() if line]
    for drive in host.drives:
        (line,) = [one for one in lines if one[0] == drive.path and drive.bus in one]
        assert not drive.serial or drive.serial in line
    for gpu in host.gpus:
        line, codecs = [one for one in lines if one[0] == gpu.pci]
        assert gpu.vendor in line
        assert not gpu.render or gpu.render.path in line
        assert codecs[1:] == [*cell(gpu.decode), *cell(gpu.encode), *gpu.probed_by.split()]
    for remote in host.network_filesystems:
        assert remote.source in printed
    for one in host.unseen:
        assert one.what in printed
        assert one.why in printed
    assert "\x1b" not in printed


def cell(codecs: tuple[str, ...] | None) -> list[str]:
    return ["not", "probed"] if codecs is None else [*codecs] or ["nothing"]


def test_json_of_a_saved_machine_is_the_file() -> None:
    path = TESTS / "hosts/nas-eight-drives.json"
    done = usenet("hardware", "list", "--json", "--host", str(path))
    assert done.stdout == path.read_text(encoding="utf-8")


def test_what_this_machine_prints_can_be_loaded_again(tmp_path: Path) -> None:
    done = usenet("hardware", "list", "--json")
    saved = tmp_path / "this.json"
    saved.write_text(done.stdout, encoding="utf-8")

    again = usenet("hardware", "list", "--json", "--host", str(saved))

    assert (done.returncode, again.stdout) == (0, done.stdout)


def test_a_label_can_not_steer_the_terminal(tmp_path: Path) -> None:
    raw = (TESTS / "hosts/pi4.json").read_text(encoding="utf-8").replace('"rootfs"', '"\\u001b[2Jgone"')
    saved = tmp_path / "host.json"
    saved.write_text(raw, encoding="utf-8")

    printed = usenet("hardware", "list", "--host", str(saved)).stdout

    assert "\\x1b[2Jgone" in printed
    assert "\x1b" not in printed


def test_a_wrong_file_exits_4_with_the_place(tmp_path: Path) -> None:
    saved = tmp_path / "host.json"
    saved.write_text('{"schema": 1, "cpu": 3}')

    done = usenet("hardware", "list", "--host", str(saved))

    assert done.returncode == 4
    assert f"error: {saved}: cpu: " in done.stderr
    assert "hint:  save one with: usenet hardware list --json > FILE" in done.stderr


def test_without_an_engine_it_answers_and_says_so(socket_path: Path) -> None:
    found = listed(DOCKER_HOST=f"unix://{socket_path}")

    assert found["engine"] is None
    assert found["cpu"]["threads"] >= 1
    (engine,) = [one for one in found["unseen"] if one["what"] == "engine"]
    assert "No such file or directory" in engine["why"]
    assert engine["cure"]


def test_without_any_tool_it_answers_and_names_what_is_missing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MISSING, "hardware", "list", "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PATH": str(tmp_path), "PYTHONPATH": str(TESTS.parent), "DOCKER_HOST": "unix:///no.sock"},
        check=False,
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    unseen = {one["what"]: one["why"] for one in found["unseen"]}
    assert unseen["drives"] == "lsblk is not installed"
    assert unseen["mounts"] == "findmnt is not installed"
    assert found["memory"]["total"] > 0


# shell.found looks into the system's sbin too, where a machine may keep some of the tools.
MISSING = """
from usenet.adapters import shell
shell.found = lambda _: ""
from usenet.cli.main import main
main()
"""


def test_a_plain_user_gets_an_answer_and_is_told_what_is_closed() -> None:
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("only root may become a plain user, and needs setpriv for it")
    plain_user = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    if subprocess.run([*plain_user, sys.executable, "-c", "import typer"], capture_output=True, check=False).returncode:
        pytest.skip("a plain user can't read this Python")

    first = drives(listed())
    found = listed(before=plain_user, HOME="/", PYTHONDONTWRITEBYTECODE="1")
    stayed = first & drives(listed())  # others plug in and out meanwhile

    assert found["memory"]["total"] > 0
    assert stayed <= drives(found)
    assert all(one["why"] and one["cure"] for one in found["unseen"])
    reasons = {(one["what"].split()[0], one["why"]) for one in found["unseen"]}
    # Where there is a device that nobody has probed, it says that it may not.
    assert ("signatures", "Permission denied") in reasons or not any(what == "signatures" for what, _ in reasons)
    closed = any("may not talk" in why for what, why in reasons if what == "engine")
    assert closed or not os.access("/var/run/docker.sock", os.F_OK)


def drives(found: dict[str, Any]) -> set[str]:
    return {one["path"] for one in found["drives"]}


def test_a_hanging_nvidia_smi_is_asked_once_and_reported(tmp_path: Path) -> None:
    program(tmp_path / "bin", "nvidia-smi", "exec sleep 120")

    done = usenet("hardware", "list", "--json", "--verbose", PATH=only_path(tmp_path / "bin"))

    found = json.loads(done.stdout)
    (told,) = [one for one in found["unseen"] if "NVIDIA" in one["what"]]
    assert told["why"] == "nvidia-smi did not end within 5 s"
    assert told["cure"]
    assert len([line for line in done.stderr.splitlines() if line.startswith("nvidia-smi ")]) == 1
    assert found["memory"]["total"] > 0


def test_every_part_names_its_source() -> None:
    found = listed()

    parts = {"cpu", "memory", "system", "engine", "drives", "network_filesystems", "fuse_filesystems", "gpus"}
    assert parts == set(found["sources"])
    assert all(found["sources"].values())
