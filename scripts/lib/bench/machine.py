"""What the figures were measured on, in one line."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path


def docker(*words: str) -> str:
    """What docker prints, or nothing."""
    try:
        done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def engine() -> bool:
    """Whether a container engine and Compose answer."""
    return bool(docker("version", "--format", "{{.Server.Version}}") and docker("compose", "version", "--short"))


def describe() -> dict[str, str]:
    """Processor, cores, kernel, Python, engine, Compose, and how busy the machine is."""
    server = docker("version", "--format", "{{json .Server}}")
    found = json.loads(server) if server not in ("", "null") else {}
    return {
        "cpu": _model(),
        "cores": str(len(os.sched_getaffinity(0))),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "engine": f"{found['Version']} (API {found['ApiVersion']})" if found else "none",
        "compose": docker("compose", "version", "--short") or "none",
        "load": f"{os.getloadavg()[0]:.2f}",
    }


def _model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model"):
            return value.strip()
    return platform.machine()
