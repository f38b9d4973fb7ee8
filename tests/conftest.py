"""What holds for every test: the same examples, an environment without habits, fresh flags; and figures at the end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings

from usenet.cli.flags import FLAGS

# The same examples in every run and no eye on the clock: what fails once fails again, and a busy machine fails nothing.
# New examples are looked for with: scripts/test unit -- --hypothesis-profile=default
settings.register_profile("same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("same")

# What a person, sudo or a calling program may have set, and what would change what the tool or Compose does.
for _name in [name for name in os.environ if name.startswith(("USENET_", "COMPOSE_", "SUDO_"))]:
    del os.environ[_name]
for _name in ("DOCKER_CONTEXT", "PYTHONWARNINGS", "PYTHONDEVMODE"):
    os.environ.pop(_name, None)

# Who starts the tests in the background may have them ignore Ctrl-C, and all that they start with them.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _own_flags() -> None:
    """Each test begins with the global flags as they are when nothing was given, whatever ran before in its process."""
    vars(FLAGS).clear()


@pytest.fixture
def socket_path() -> Iterator[Path]:
    """A place for a socket: the kernel takes 107 bytes, which a path below tmp_path may pass."""
    with TemporaryDirectory(prefix="ut-", dir="/tmp") as folder:
        yield Path(folder) / "s"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests recorded with `record_property`; xdist brings them here from its workers.

    Whole numbers of one name are added up.
    """
    figures: dict[str, list[object]] = {}
    for report in terminalreporter.getreports("passed"):
        if report.when == "call":
            for name, value in report.user_properties:
                figures.setdefault(name, []).append(value)
    if figures:
        terminalreporter.section("measured")
        for name, values in figures.items():
            counts = [value for value in values if isinstance(value, int)]
            for value in [sum(counts)] if len(counts) == len(values) else values:
                terminalreporter.write_line(f"{name}: {value}")
