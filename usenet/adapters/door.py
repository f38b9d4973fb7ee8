"""Where the container engine listens: one address for our own questions and for every docker command."""

from __future__ import annotations

import os

SOCKET = "/var/run/docker.sock"


def address() -> str:
    """$DOCKER_HOST, else the system's socket, else the user's own. Docker's contexts are not looked at."""
    if given := os.environ.get("DOCKER_HOST", ""):
        return given
    own = os.path.join(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent"), "docker.sock")  # noqa: PTH118 - 8 ms cheaper
    return f"unix://{own if not os.path.exists(SOCKET) and os.path.exists(own) else SOCKET}"  # noqa: PTH110
