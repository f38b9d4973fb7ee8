"""Compose, always called for one stack: its file, its project, its .env."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from usenet.adapters import shell
from usenet.domain.errors import SystemFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


class Asked:
    """Compose's version, asked when this is made: it takes longer than any other question to the engine."""

    def __init__(self) -> None:
        self._begun: shell.Begun | None = None
        self._failure: SystemFailure | None = None
        try:
            if shell.found("docker"):
                self._begun = shell.Begun(["docker", "compose", "version", "--short"])
        except OSError as failure:
            why = f"{shell.found('docker')} can't be run: {failure.strerror}"
            self._failure = SystemFailure(why, hint="install Docker's command line anew")

    def end(self) -> None:
        """Nobody wants to know any more."""
        if self._begun:
            self._begun.end()

    def version(self) -> str:
        """Empty where the plugin is missing. SystemFailure where it can't be run, or does not answer in time."""
        if self._failure:
            raise self._failure
        done = self._begun.done() if self._begun else None
        return done.out.strip().lstrip("v") if done and done.ok else ""


def version() -> str:
    """As `Asked` tells it."""
    return Asked().version()


def command(home: Path, project: str, *arguments: str, file: str = "") -> list[str]:
    """The one way to call Compose: always this stack's file, project name and .env."""
    stack = home / "stack"
    return [
        *("docker", "compose", "--ansi", "never", "--project-name", project, "--project-directory", str(stack)),
        *("-f", file or str(stack / "compose.yaml"), *arguments),
    ]


def hashes(home: Path, project: str, text: str) -> dict[str, str]:
    """Service → the hash that Compose would give its configuration in the compose file `text`. SystemFailure."""
    done = shell.run(command(home, project, "config", "--hash", "*", file="-"), text=text, timeout=30)
    if not done.ok:
        raise SystemFailure(f"docker compose config failed: {' '.join(done.err.strip().splitlines()[-1:])}")
    return dict(line.split(maxsplit=1) for line in done.out.splitlines() if line.strip())


def run(line: Sequence[str], *, timeout: float = 600, environment: Mapping[str, str] | None = None) -> str:
    """Run one of `command`'s lines to its end; its stdout. SystemFailure with the last line that it said."""
    return shell.checked(line, timeout=timeout, environment=environment)


def without_secrets(home: Path) -> dict[str, str]:
    """Stand-ins for the variables of the compose file, for verbs that make no container: they work without .env."""
    try:
        text = (home / "stack" / "compose.yaml").read_text(errors="replace")
    except OSError:
        return {}
    import re  # the question that others wait for does without

    return dict.fromkeys(re.findall(r"\$\{(\w+):\?", text), "-")
