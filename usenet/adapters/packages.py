"""What is installed and what can be: the distributions' own package tools, asked once each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from usenet.adapters import shell
from usenet.domain.errors import SystemFailure
from usenet.domain.hardware.packages import Family

Prefix = tuple[str, ...]  # what stands before each command, such as sudo
_INSTALLED: dict[Family, tuple[str, ...]] = {
    "debian": ("dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\n"),
    "fedora": ("rpm", "--query", "--all", "--queryformat", "installed %{NAME}\n"),
    "arch": ("pacman", "--query"),
}
_PATIENCE = 60.0  # dnf fetches lists that are old


@dataclass(frozen=True, slots=True)
class Packages:
    """`installed`: None where the package tool does not answer. `available`, of those asked for: None without lists."""

    installed: frozenset[str] | None
    available: frozenset[str] | None


def look(family: Family, names: Iterable[str], prefix: Prefix = ()) -> Packages:
    """Ask the package tool of `family` what there is, and which of `names` could be installed. Never raises."""
    tool: Family = "debian" if family == "ubuntu" else family
    printed = _printed((*prefix, *_INSTALLED[tool]))
    if printed is None:
        return Packages(None, frozenset())
    words = [line.split() for line in printed.splitlines()]
    if tool == "arch":
        installed = frozenset(line[0] for line in words if line)
    else:
        installed = frozenset(line[1] for line in words if len(line) == 2 and line[0] == "installed")
    return Packages(installed, _available(tool, sorted(names), prefix))


def _available(tool: Family, names: list[str], prefix: Prefix) -> frozenset[str] | None:
    if tool == "debian":
        # A package that every machine has: without lists not even that one can be had.
        printed = _printed((*prefix, "apt-cache", "madison", "apt", *names)) or ""
        found = frozenset(line.split("|")[0].strip() for line in printed.splitlines() if "Packages" in line)
        return found - {"apt"} if found else None
    if tool == "fedora":
        query = ("dnf", "--quiet", "repoquery", "--queryformat", "%{name}\n", *names)
        return frozenset((_printed((*prefix, *query)) or "").split())
    printed = _printed((*prefix, "pacman", "--sync", "--info", *names)) or ""
    return frozenset(re.findall(r"^Name\s*:\s*(\S+)", printed, re.MULTILINE))


def _printed(command: tuple[str, ...]) -> str | None:
    """What it wrote to stdout, whatever its exit code: some fail where one of several names is unknown."""
    if not shell.found(command[0]):
        return None
    try:
        done = shell.run(command, timeout=_PATIENCE, environment={"LC_ALL": "C"})
    except SystemFailure:
        return None
    return done.out if done.ok or done.out else None
