"""Images carried in a file: saved whole or not at all, looked into, and loaded."""

from __future__ import annotations

import json
import os
import tarfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from usenet.adapters import engine, leftovers, shell
from usenet.domain.errors import SystemFailure, UsageError
from usenet.domain.pulls import Why, hint, why

HOUR = 3600


def save(references: Sequence[str], file: Path) -> int:
    """Write images to a file that is wholly there or not at all; its size in bytes.

    Raises SystemFailure (no space, not in the store, no permission …) and UsageError with the old file untouched.
    """
    if absent := sorted(set(references) - set(engine.images())):
        raise SystemFailure(
            f"not in the engine's store: {', '.join(absent)}",
            hint="get them first: usenet images pull; usenet images build",
        )
    if not file.parent.is_dir():
        raise UsageError(f"there is no directory {file.parent}", hint=f"make it: mkdir -p {file.parent}")
    if file.exists() and not file.is_file():
        raise UsageError(f"{file} is not a file", hint="name a file to write, such as images.tar")
    # The form of a name that adapters/files removes when its writer is gone.
    temporary = file.with_name(f".{file.name}.usenet-{threading.get_native_id()}~")
    _remove_leftovers(file)
    try:
        done = shell.run(save_command(references, temporary), timeout=HOUR)
        if not done.ok:
            raise _save_failure(file, done.err)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        size = temporary.stat().st_size
        temporary.rename(file)
        _sync(file.parent)
    except OSError as failure:
        raise _save_failure(file, failure.strerror or str(failure)) from failure
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return size


def _remove_leftovers(file: Path) -> None:
    """Temporary files of savers that were killed: ours, and the one that the docker command makes beside it."""
    leftovers.remove(file.parent)
    for left in file.parent.glob(f".tmp-.{file.name}.usenet-*"):
        writer = left.name.rpartition(".usenet-")[2].partition("~")[0]
        if writer.isdecimal() and not Path("/proc", writer).exists():
            left.unlink(missing_ok=True)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def save_command(references: Sequence[str], file: Path) -> list[str]:
    """The command line of a save."""
    return ["docker", "save", "--output", str(file), *references]


def _save_failure(file: Path, said: str) -> SystemFailure:
    reason = (said.strip() or "the engine said nothing").splitlines()[-1]
    if "no space left" in reason.lower():
        return SystemFailure(
            f"no space left to write {file}", hint=f"make room, or take another place: df -h {file.parent}"
        )
    return SystemFailure(f"{file} can't be written: {reason}", hint=f"look at: ls -ld {file.parent}")


def load(file: Path) -> tuple[str, ...]:
    """Bring the images of a saved file into the engine's store; their references.

    Raises SystemFailure where the file can't be read, UsageError where it holds no saved images; the store is then
    as before.
    """
    references = contents(file)
    done = shell.run(load_command(file), timeout=HOUR)
    if not done.ok:
        said = (done.err.strip() or "the engine said nothing").splitlines()[-1]
        kind = why(said)
        raise SystemFailure(
            f"{file} can't be loaded: {said}",
            hint=hint(kind, reference="", registry="") if kind in (Why.DISK_FULL, Why.NO_ENGINE) else "",
        )
    return references


def load_command(file: Path) -> list[str]:
    """The command line of a load."""
    return ["docker", "load", "--quiet", "--input", str(file)]


def contents(file: Path) -> tuple[str, ...]:
    """The references in a saved file, without loading it. SystemFailure, UsageError as in `load`."""
    not_saved = UsageError(f"{file} holds no saved images", hint="make one with: usenet images save FILE")
    try:
        with tarfile.open(file) as archive:
            manifest = archive.extractfile("manifest.json")
            described = json.load(manifest) if manifest else []
            return tuple(sorted({tag for image in described for tag in image["RepoTags"] or ()}))
    except OSError as failure:
        if isinstance(failure, tarfile.TarError):
            raise not_saved from failure
        raise SystemFailure(
            f"{file} can't be read: {failure.strerror or failure}", hint=f"look at: ls -l {file}"
        ) from failure
    except (tarfile.TarError, KeyError, ValueError, TypeError, EOFError) as failure:
        raise not_saved from failure
