"""What running containers see of the drives, and whether they can link files there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from usenet.adapters import shell
from usenet.domain.errors import SystemFailure
from usenet.domain.storage.inside import InsideBind, Pair

PATIENCE = 20.0
# One file for each pair, and it goes again. A pair with a directory that isn't there is silent.
_SCRIPT = """
number=0
while [ $# -gt 1 ]; do
    one="$1/.usenet-link-$$" two="$2/.usenet-link-$$"
    if [ -d "$1" ] && [ -d "$2" ]; then
        said=$({ : > "$one" && ln "$one" "$two"; } 2>&1) && said= || said="${said:-it failed}"
        rm -f "$one" "$two"
        echo "$number:$said" | tr '\\n' ' '
        echo
    fi
    number=$((number + 1))
    shift 2
done
"""


def binds(seen: Mapping[str, Any]) -> tuple[InsideBind, ...]:
    """The binds of a container that was inspected."""
    return tuple(
        InsideBind(
            source=one["Source"],
            target=one["Destination"],
            writable=bool(one.get("RW")),
            propagation=one.get("Propagation") or "",
        )
        for one in seen.get("Mounts") or ()
        if one.get("Type") == "bind"
    )


def mounts(pid: int) -> dict[str, str] | None:
    """Mountpoint → device of all that a process sees, the uppermost of each; None where this user may not look."""
    try:
        text = Path(f"/proc/{pid}/mountinfo").read_text(errors="surrogateescape")
    except OSError:
        return None
    rows = (line.split(" ") for line in text.splitlines())
    return {re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), row[4]): row[2] for row in rows}


def link(container: str, user: str, pairs: Sequence[Pair]) -> dict[Pair, str]:
    """Try to link a file between each pair, as `user` (empty: as the container runs); empty, or what was said.

    A pair of which a directory is missing is left out. SystemFailure when nothing could be tried.
    """
    words = [path for one in pairs for path in (one.source, one.target)]
    who = ("--user", user) if user else ()
    command = ("docker", "exec", *who, container, "sh", "-c", _SCRIPT, "sh", *words)
    done = shell.run(command, timeout=PATIENCE)
    if not done.ok:
        said = (done.err.strip() or done.out.strip() or f"code {done.code}").splitlines()[-1]
        raise SystemFailure(f"nothing could be tried inside: {said}")
    found = (line.split(":", 1) for line in done.out.splitlines() if ":" in line)
    return {pairs[int(number)]: said.strip() for number, said in found}
