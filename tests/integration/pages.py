"""Pages for people, as the tests of the documentation read and follow them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^`([^`\n]+)`:\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Page:
    """A Markdown text, or a section of one."""

    text: str

    def section(self, title: str) -> Page:
        """What stands below a heading, up to the next of its level or higher."""
        level, _, rest = self.text.partition(f" {title}\n")
        assert rest, f"there is no section {title!r}"
        marks = level.rsplit("\n", 1)[-1]
        return Page(re.split(rf"^#{{1,{len(marks)}}} ", rest, flags=re.MULTILINE)[0])

    def files(self) -> dict[str, str]:
        """Path → text of each fenced block below a line that is only a path in backticks."""
        return dict(_FILE.findall(self.text))

    def blocks(self, language: str = "sh") -> list[list[str]]:
        """The lines of each fenced block in a language; comment lines and empty ones left out."""
        texts = (text for kind, text in _FENCE.findall(self.text) if kind == language)
        return [[line for line in text.splitlines() if line.strip() and line[0] != "#"] for text in texts]


def read(path: str) -> Page:
    return Page((ROOT / path).read_text(encoding="utf-8"))


def shell(lines: list[str], cwd: Path, **environment: str) -> str:
    """Run lines in one bash that stops at the first failure; stdout and stderr together. The exit code must be 0."""
    known = {k: v for k, v in os.environ.items() if not k.startswith(("USENET", "VIRTUAL_ENV", "PYTEST"))}
    done = subprocess.run(
        ["bash", "-euc", "\n".join(lines)],
        cwd=cwd,
        env={**known, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1100,  # images may be made, on a slow machine
    )
    assert done.returncode == 0, f"{done.returncode}: {lines}\n{done.stdout}"
    assert "Traceback" not in done.stdout
    return done.stdout
