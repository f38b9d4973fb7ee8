"""Images in the engine's store: made here from a recipe, and the doors to pulling, saving and loading them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from usenet.adapters import engine, recipes, shell
from usenet.adapters.base_image import base
from usenet.adapters.base_image import likely as likely_base
from usenet.adapters.image_files import contents, load, load_command, save, save_command
from usenet.adapters.recipes import buildable, built_reference
from usenet.adapters.registries import failure, pull, pull_command, pull_or_why, reachable
from usenet.domain.errors import SystemFailure

__all__ = [
    "base",
    "build",
    "build_command",
    "buildable",
    "built_reference",
    "contents",
    "failure",
    "likely_base",
    "load",
    "load_command",
    "pull",
    "pull_command",
    "pull_or_why",
    "reachable",
    "save",
    "save_command",
    "sizes",
]

Report = Callable[[str], None]

HOUR = 3600
_CERTIFICATES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def sizes() -> Mapping[str, int]:
    """Reference → bytes, of every image in the engine's store that has a name."""
    return engine.images()


def build(name: str, *, tag: str, base: str, report: Report, fresh: bool = False) -> None:
    """Make the image of a service from its recipe. `fresh`: from the first step on, for newer packages.

    Raises ValidationError where there is no recipe, SystemFailure with the step that failed.
    """
    report(f"building {tag} on {base}")
    environment = {"DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}
    done = shell.run(build_command(name, tag=tag, base=base, fresh=fresh), timeout=HOUR, environment=environment)
    if not done.ok:
        raise _build_failure(name, done.err + done.out)


def build_command(name: str, *, tag: str, base: str, fresh: bool = False) -> list[str]:
    """The command line of a build; no secret is in it, only the names of files and variables."""
    command = ["docker", "build", "--tag", tag, "--build-arg", f"BASE={base}", *(["--no-cache"] if fresh else [])]
    for proxy in _PROXIES:
        command += ["--build-arg", proxy] if os.environ.get(proxy) else []
    recipe, context = recipes.directory(name), recipes.context(name)
    command += ["--file", str(recipe / "Dockerfile")] if context != recipe else []
    return [*command, *_build_secrets(), str(context)]


def _build_secrets() -> list[str]:
    """What pip needs to reach its index as it does on this machine: certificates, configuration, an index's address."""
    authorities = [os.environ.get(v, "") for v in _CERTIFICATES] + ["/etc/ssl/certs/ca-certificates.crt"]
    home = os.environ.get("HOME", "/root")
    configured = [os.environ.get("PIP_CONFIG_FILE", ""), f"{home}/.config/pip/pip.conf", "/etc/pip.conf"]
    given = [
        f"id={key},src={path}"
        for key, paths in (("ca", authorities), ("pip", configured))
        if (path := next((p for p in paths if p and Path(p).is_file()), ""))
    ]
    given += ["id=index,env=PIP_INDEX_URL"] if os.environ.get("PIP_INDEX_URL") else []
    return [word for secret in given for word in ("--secret", secret)]


def _build_failure(name: str, said: str) -> SystemFailure:
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["docker build said nothing"]
    hints = (
        ("buildx component is missing", "install Docker's buildx plugin, or run: scripts/start"),
        ("no space left", "make room where the engine keeps its images: docker system df"),
        ("emporary failure resolving", "this machine reaches no Debian mirror: check the network"),
        ("Unable to fetch", "this machine reaches no Debian mirror: check the network"),
        ("Cannot connect to the Docker daemon", "start it: sudo systemctl start docker"),
    )
    cure = next(
        (cure for sign, cure in hints if sign in said), f"see all of it: docker build {recipes.directory(name)}"
    )
    # BuildKit's last line names the whole step; what went wrong is in the line before that says error.
    telling = next((line for line in reversed(lines) if " E: " in line or "ERROR: " in line), lines[-1])
    return SystemFailure(f"the image of {name} can't be made: {telling}", hint=cure)
