"""What lies on block devices, read from the devices themselves where no udev has done so."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from usenet.adapters import shell
from usenet.domain.errors import SystemFailure
from usenet.domain.host import Unseen

PATIENCE = 10.0  # a drive that slept spins up first
AT_ONCE = 8
UNREADABLE = "even root can't read it here; nothing is wrong with the others"


@dataclass(frozen=True, slots=True)
class Signature:
    """What blkid found on a device; `type` is empty where it found nothing."""

    type: str = ""
    uuid: str = ""
    label: str = ""


def look(paths: Sequence[str], patience: float = PATIENCE) -> tuple[dict[str, Signature], tuple[Unseen, ...]]:
    """The signature on each device by its path, and the devices that could not be read."""
    answers: dict[str, Signature | Exception] = {}
    left = iter(paths)

    def ask() -> None:
        for path in left:
            answers[path] = _asked(path, patience)

    # Importing an executor takes longer than blkid.
    threads = [threading.Thread(target=ask, daemon=True) for _ in paths[:AT_ONCE]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found, closed = {}, {}
    for path in paths:
        answer = answers[path]
        if isinstance(answer, Signature):
            found[path] = answer
        elif isinstance(answer, SystemFailure):
            closed[path] = answer
        else:
            raise answer
    return found, tuple(_together(closed))


def probe(path: str, patience: float = PATIENCE) -> Signature:
    """The signature on one device. SystemFailure when it can't be read or has two that contradict each other."""
    done = shell.run(("blkid", "-p", "-o", "udev", path), timeout=patience)
    if done.err.strip():
        why = done.err.strip().splitlines()[-1].rpartition(f"{path}: ")[2]
        hint = UNREADABLE if os.geteuid() == 0 else "run as root, or where udevd runs"
        raise SystemFailure(why, where=path, hint=hint)
    if done.code == 8:
        raise SystemFailure("more than one signature", where=path, hint=f"see them with: wipefs --no-act {path}")
    return parse(done.out)


def parse(printed: str) -> Signature:
    """Read `blkid -o udev`, whose _ENC values keep every byte as \\xNN."""
    pairs = dict(line.split("=", 1) for line in printed.splitlines() if "=" in line)

    def value(name: str) -> str:
        return _decoded(pairs.get(f"ID_FS_{name}_ENC", pairs.get(f"ID_FS_{name}", "")))

    return Signature(type=value("TYPE"), uuid=value("UUID"), label=value("LABEL"))


def _decoded(text: str) -> str:
    raw = re.sub(rb"\\x([0-9a-f]{2})", lambda hit: bytes([int(hit[1], 16)]), text.encode())
    return raw.decode(errors="replace")


def _asked(path: str, patience: float) -> Signature | Exception:
    try:
        return probe(path, patience)
    except OSError as failure:  # no process or descriptor is left
        return SystemFailure(failure.strerror or str(failure), where=path, hint="close programs, or raise: ulimit -n")
    except Exception as failure:
        return failure


def _together(failures: dict[str, SystemFailure]) -> Iterator[Unseen]:
    """One line for all devices that are closed to us for the same reason."""
    groups: dict[tuple[str, str], list[str]] = {}
    for path, failure in failures.items():
        groups.setdefault((failure.message, failure.hint), []).append(path)
    for (why, cure), paths in groups.items():
        yield Unseen(what=f"signatures on {', '.join(paths)}", why=why, cure=cure)
