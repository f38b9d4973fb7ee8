"""Install what the cards of this machine need, one step at a time."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Callable
from pathlib import Path

from usenet.actions import hardware
from usenet.adapters import machine, nvidia, packages, shell
from usenet.adapters.packages import Prefix
from usenet.domain.errors import Interrupted, SystemFailure, UsenetError
from usenet.domain.hardware import drivers
from usenet.domain.hardware.drivers import DriverStep, Found
from usenet.domain.hardware.packages import FAMILIES
from usenet.domain.host import Host

Say = Callable[[str], None]


def look(saved: Path | None = None) -> tuple[Host, tuple[DriverStep, ...]]:
    """This machine, or the one in a file, and what its cards need; a saved machine has nothing installed."""
    host = hardware.look(saved)
    found = Found(packages=frozenset(), available=drivers.wanted(host)) if saved else find(host)
    return host, drivers.steps(host, found)


def find(host: Host, prefix: Prefix = ()) -> Found:
    """What is installed here and who is to reach the cards."""
    family = FAMILIES.get(host.system.distribution)
    there = packages.look(family, drivers.wanted(host), prefix) if family else packages.Packages(None, frozenset())
    user, groups = _user()
    return Found(
        packages=there.installed,
        available=there.available,
        codename=machine.codename(),
        user=user,
        groups=groups,
        group_names=_names(host),
        char_links=nvidia.linked(),
        secure_boot=machine.secure_boot(),
    )


def _user() -> tuple[str, frozenset[int]]:
    """Who called sudo, else who runs us; nobody for root, whom every node is open to."""
    try:
        name = os.environ.get("SUDO_USER", "") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        return name, frozenset(os.getgrouplist(name, pwd.getpwnam(name).pw_gid) if name else ())
    except KeyError:  # a number without a name, as in a container: no group can have it as a member
        return "", frozenset()


def _names(host: Host) -> dict[int, str]:
    gids = {node.gid for gpu in host.gpus for node in (gpu.render, gpu.card, *gpu.codecs) if node}
    known = {entry.gr_gid: entry.gr_name for entry in grp.getgrall()}
    return {gid: known[gid] for gid in gids if gid in known}


def prefix() -> Prefix:
    """What lets the commands run: nothing for root, else sudo. SystemFailure where there is none."""
    if os.geteuid() == 0:
        return ()
    if not shell.found("sudo"):
        raise SystemFailure(
            "only root may install drivers, and there is no sudo", hint="run the commands above as root"
        )
    return ("sudo", "--")


def carry_out(step: DriverStep, say: Say, before: Prefix = ()) -> None:
    """Run the commands of one step, telling their lines. UsenetError with the first that fails, or Interrupted."""
    for command in step.commands:
        last: list[str] = []

        def heard(text: str, last: list[str] = last) -> None:
            last[:] = [text.strip() or "".join(last)]
            say(text)

        code = shell.relay([*before, *command], heard)
        if code == shell.INTERRUPTED:
            raise Interrupted(f"{' '.join(command)}: interrupted", hint="run this again to go on from here")
        if code:
            why = f": {last[0]}" if last else ""
            raise UsenetError(f"{' '.join(command)}: failed with code {code}{why}", hint="mend it, then run this again")
