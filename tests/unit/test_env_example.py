""".env.example names every secret that a service file declares, and holds none."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from usenet.actions.storage import clients

ROOT = Path(__file__).parents[2]
LINES = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()


def test_it_is_what_the_service_files_declare() -> None:
    checked = subprocess.run(
        [sys.executable, str(ROOT / "scripts/env-example"), "--check"], capture_output=True, text=True, timeout=60
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_every_variable_that_a_compose_file_reads_is_listed() -> None:
    listed = {line.rstrip("=") for line in LINES if line.endswith("=")}
    for file in (ROOT / "templates/compose/services").glob("*.yaml.j2"):
        head = file.read_text(encoding="utf-8").split("\n---\n", 1)[0]
        read = set(re.findall(r"\$\{([A-Z][A-Z0-9_]*)[:}?-]", head))
        assert read <= listed, f"{file.name} reads {read - listed}"


def test_every_key_with_which_services_are_asked_is_listed() -> None:
    assert {f"{name.upper()}_API_KEY=" for name in clients.SERVICES} <= {*LINES}


def test_it_holds_names_and_comments_only() -> None:
    assert all(re.fullmatch(r"|#.*|[A-Z][A-Z0-9_]*=", line) for line in LINES)
