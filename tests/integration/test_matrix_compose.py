"""Compose itself accepts the files of hundreds of combinations of host, profile and services; no engine is asked."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests import stacks

pytestmark = pytest.mark.slow


@cache
def compose() -> tuple[str, ...]:
    """Compose's own program, where docker looks for it: without docker in between a check takes half the time."""
    own = Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker"))
    system = [Path(f"/usr/{place}/docker") for place in ("local/lib", "local/libexec", "lib", "libexec")]
    found = [p for folder in (own, *system) if (p := folder / "cli-plugins" / "docker-compose").is_file()]
    if not found:
        pytest.skip("there is no compose plugin on this machine")
    return (str(found[0]),)


def combinations(host: str) -> Iterator[stacks.Combination]:
    """A quarter of the matrix: three sets for each profile, and each set with every profile or nearly so."""
    for number, combination in enumerate(stacks.matrix()):
        if combination.host == host and number % 4 == number // 12 % 4:
            yield combination


def accepted(text: str, secrets: list[str], folder: Path) -> str:
    """What Compose has to say against a file; empty when it takes it."""
    (folder / "compose.yaml").write_text(text)
    (folder / ".env").write_text("".join(f"{name}=x\n" for name in secrets))
    argv = [*compose(), "--project-directory", str(folder), "-f", str(folder / "compose.yaml"), "config", "-q"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    return "" if done.returncode == 0 and not done.stderr else f"{done.returncode}: {done.stderr}"


def test_at_least_two_hundred() -> None:
    assert len({c for host in stacks.HOSTS for c in combinations(host)}) >= 200


@pytest.mark.parametrize("host", stacks.HOSTS)
def test_compose_takes_it(
    host: str,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    testrun_uid: str,
    record_property: Callable[[str, object], None],
) -> None:
    shared = tmp_path_factory.getbasetemp().parent / f"compose-matrix-{testrun_uid}"
    shared.mkdir(exist_ok=True)
    checked, files = 0, 0
    for combination in combinations(host):
        plan, stack = combination.decide()
        text = stack.files["compose.yaml"]
        checked += 1
        if _is_new(text, shared):
            files += 1
            refused = accepted(text, list(plan.secrets), tmp_path)
            assert not refused, f"{combination}: {refused}"
    record_property("matrix: combinations that docker compose config accepts", checked)
    record_property("matrix: different files among them", files)


def _is_new(text: str, shared: Path) -> bool:
    """Whether no worker of this run has taken this very file yet."""
    try:
        (shared / hashlib.sha256(text.encode()).hexdigest()).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("restart: unless-stopped", "restart: unless-stopped\n    restarts: 3"),
        ("create_host_path: false", "create_host_path: 7"),
        ("protocol: tcp", "protocol: [tcp]"),
    ],
)
def test_compose_does_refuse(before: str, after: str, tmp_path: Path) -> None:
    """A matrix that accepts everything would say nothing."""
    plan, stack = next(iter(combinations("amd"))).decide()
    text = stack.files["compose.yaml"]
    assert not accepted(text, list(plan.secrets), tmp_path)
    assert accepted(text.replace(before, after, 1), list(plan.secrets), tmp_path)


def test_a_missing_secret_is_named(tmp_path: Path) -> None:
    host = stacks.HOSTS["amd"]
    plan = stacks.plan(host, stacks.settings(("sonarr",)))
    refused = accepted(stacks.stack(host, plan).files["compose.yaml"], [], tmp_path)
    assert "SONARR_API_KEY" in refused
    assert "is missing in .env: run usenet deploy once" in refused
