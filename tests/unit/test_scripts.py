"""scripts/start and scripts/test say what is missing, ask before sudo, and leave a machine with Docker alone."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLAIN = (
    *("bash", "sh", "env", "cat", "dirname", "sed", "grep", "head", "tr", "find", "rm", "true"),
    *("seq", "sleep", "timeout", "uname", "sha256sum", "mktemp"),
)
# Each fake is strict: what it does not expect makes it fail loudly, and leaves a line in the file `calls`.
FAKES = {
    "id": 'case "$*" in -u) echo "$FAKE_UID" ;; -un) echo anna ;; *) exit 9 ;; esac',
    "dpkg-query": "exit 1",
    "apt-cache": "exit 0",
    "apt-get": 'case "$1" in indextargets) exit 0 ;; esac; echo "apt-get $*" >>"$CALLS"; exit 9',
    "dpkg": "exit 9",
    "sudo": 'echo "sudo $*" >>"$CALLS"; exit 9',
    "dockerd": 'echo "dockerd $*" >>"$CALLS"; exit 9',
    "docker": 'case "$*" in info | "compose version" | "buildx version") exit 0 ;; esac; exit 9',
}
STARTING = (
    "would do: start the engine (systemctl start docker)"
    if Path("/run/systemd/system").is_dir()
    else "would do: start dockerd; its log: /var/log/usenet-dockerd.log"
)


class Machine:
    """A PATH with only what is put there, and a copy of the checkout."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.calls, self.checkout = folder / "bin", folder / "calls", folder / "checkout"
        self.bin.mkdir()
        # Not what Python writes there, and takes away again, while others run them.
        shutil.copytree(ROOT / "scripts", self.checkout / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", self.checkout)
        self.environment = {"PATH": str(self.bin), "HOME": str(folder), "CALLS": str(self.calls), "FAKE_UID": "1000"}
        for name in PLAIN:
            (self.bin / name).symlink_to(shutil.which(name) or f"/bin/{name}")
        self.has("id", "dpkg-query", "apt-cache", "apt-get", "dpkg")

    def has(self, *programs: str) -> None:
        for name in programs:
            (self.bin / name).write_text(f"#!{shutil.which('bash')}\n{FAKES[name]}\n")
            (self.bin / name).chmod(0o755)

    def has_python(self) -> None:
        (self.bin / "python3").symlink_to(sys.executable)

    def run(self, script: str, *words: str, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
        command = [shutil.which("bash") or "/bin/bash", str(self.checkout / "scripts" / script), *words]
        return subprocess.run(
            command, env=self.environment, stdin=stdin, capture_output=True, text=True, timeout=60, check=False
        )

    def run_with_answer(self, answer: str) -> subprocess.CompletedProcess[str]:
        """scripts/start with a terminal on stdin, on which somebody types `answer`."""
        person, terminal = pty.openpty()
        try:
            os.write(person, f"{answer}\n".encode())
            return self.run("start", stdin=terminal)
        finally:
            os.close(person)
            os.close(terminal)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    if Path("/run/docker.sock").exists() and not os.access("/run/docker.sock", os.W_OK):
        pytest.skip("the socket of this machine's engine is closed to this user, which is what the script would say")
    return Machine(tmp_path)


def test_without_sudo_it_names_the_command_for_root(machine: Machine) -> None:
    told = machine.run("start")
    assert told.returncode == 5
    assert told.stdout == ""
    assert "error: this needs root, and there is no sudo: install docker.io" in told.stderr
    assert "hint:  run as root: apt-get install docker.io" in told.stderr


@pytest.mark.parametrize("script", [("start",), ("test", "integration")])
def test_without_a_terminal_nobody_agreed_to_sudo(machine: Machine, script: tuple[str, ...]) -> None:
    machine.has("sudo")
    told = machine.run(*script)
    assert told.returncode == 5
    assert "there is no terminal to ask on" in told.stderr
    assert "--yes" in told.stderr
    assert not machine.calls.exists()


def test_on_a_terminal_it_asks_once_and_no_means_no(machine: Machine) -> None:
    machine.has("sudo")
    told = machine.run_with_answer("n")
    assert told.returncode == 5
    assert told.stderr.startswith("install docker.io iptables ca-certificates debootstrap (for a container engine): ")
    assert "use sudo for this? [y/N]" in told.stderr
    assert not machine.calls.exists()


def test_on_a_terminal_yes_means_sudo(machine: Machine) -> None:
    machine.has("sudo")
    told = machine.run_with_answer("y")
    assert "now: install docker.io" in told.stdout
    assert machine.calls.read_text() == "sudo apt-get update -qq\n"  # the fake fails here
    assert told.returncode == 5


def test_yes_does_not_help_where_sudo_wants_a_password(machine: Machine) -> None:
    machine.has("sudo")
    told = machine.run("start", "--yes")
    assert told.returncode == 5
    assert "sudo wants a password" in told.stderr
    assert machine.calls.read_text() == "sudo -n true\n"


def test_a_dry_run_lists_what_is_missing_and_installs_nothing(machine: Machine) -> None:
    told = machine.run("start", "--dry-run", "--services", "transmission")
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.splitlines() == [
        "would do: install docker.io iptables ca-certificates debootstrap (for a container engine)",
        STARTING,
        "would do: unpack docker-compose docker-buildx from Debian 13's packages (http://deb.debian.org/debian) "
        f"into {machine.environment['HOME']}/.docker/cli-plugins",
        "would do: install python3 python3-venv ca-certificates (for Python 3.11 or later)",
        "would do: install usenet and its Python packages into .venv (runtime)",
        "after that: usenet deploy --yes --dry-run --services transmission",
    ]
    assert not machine.calls.exists()
    assert sorted(p.name for p in machine.checkout.iterdir()) == ["pyproject.toml", "scripts"]


def test_a_dry_run_says_that_an_engine_would_be_started(machine: Machine) -> None:
    machine.has("docker", "dockerd")
    (machine.bin / "docker").write_text('#!/bin/sh\n[ "$1" = compose ] || [ "$1" = buildx ]\n')
    machine.has_python()
    told = machine.run("start", "--dry-run")
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.splitlines()[0] == STARTING


def test_where_docker_works_no_system_package_is_needed(machine: Machine) -> None:
    machine.has("docker")
    machine.has_python()
    told = machine.run("start", "--dry-run")
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.splitlines() == [
        "would do: install usenet and its Python packages into .venv (runtime)",
        "after that: usenet deploy --yes --dry-run",
    ]


def test_an_installed_checkout_goes_straight_to_deploy(machine: Machine) -> None:
    machine.has("docker")
    venv = machine.checkout / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").symlink_to(sys.executable)
    (venv / "bin/usenet").write_text(f'#!{shutil.which("bash")}\necho "usenet $*"\n')
    (venv / "bin/usenet").chmod(0o755)
    script = f'ROOT={machine.checkout}; . "$ROOT/scripts/lib/python.sh"; wanted >"$VENV/.installed-runtime"'
    subprocess.run(["bash", "-c", script], check=True, timeout=60)

    told = machine.run("start", "--services", "samba")
    assert (told.returncode, told.stdout) == (0, "usenet deploy --yes --services samba\n")

    with (machine.checkout / "pyproject.toml").open("a") as project:
        project.write("# changed\n")
    assert "into .venv" in machine.run("start", "--dry-run").stdout


def test_an_engine_elsewhere_that_does_not_answer_is_not_replaced(machine: Machine) -> None:
    machine.environment["DOCKER_HOST"] = "tcp://127.0.0.1:1"
    told = machine.run("start")
    assert told.returncode == 5
    assert "no engine answers at DOCKER_HOST=tcp://127.0.0.1:1" in told.stderr
    assert told.stdout == ""


def test_another_distribution_is_told_what_it_lacks(machine: Machine) -> None:
    (machine.bin / "apt-get").unlink()
    told = machine.run("start")
    assert told.returncode == 5
    assert "missing for a container engine: docker.io" in told.stderr


def test_an_unknown_stage_is_a_usage_error(machine: Machine) -> None:
    told = machine.run("test", "everything")
    assert told.returncode == 2
    assert "no such stage: everything" in told.stderr


@pytest.mark.parametrize("script", ["start", "test"])
def test_help_needs_nothing(machine: Machine, script: str) -> None:
    told = machine.run(script, "--help")
    assert told.returncode == 0
    assert told.stdout.startswith(f"usage: scripts/{script}")
