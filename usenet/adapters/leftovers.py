"""What is made beside its place before it is moved there, and what is left of it when its writer was killed."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path


# The thread's id, not only the process's: two threads of the agent may write the same file.
def temporary(target: Path) -> Path:
    """Where what is to be `target` is made first, beside it; its name says who makes it."""
    return target.with_name(f".{target.name}.usenet-{threading.get_native_id()}~")


def remove(directory: Path) -> tuple[Path, ...]:
    """Remove the temporary files and directories of ours in `directory` whose writer lives no more."""
    removed = []
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if _writer_is_gone(entry.name):
                with suppress(OSError):
                    Path(entry.path).rmdir() if entry.is_dir(follow_symlinks=False) else Path(entry.path).unlink()
                    removed.append(Path(entry.path))
    return tuple(removed)


def _writer_is_gone(name: str) -> bool:
    if not (name.startswith(".") and name.endswith("~")):
        return False
    writer = name[:-1].rpartition(".usenet-")[2]
    return writer.isdecimal() and ".usenet-" in name and not Path("/proc", writer).exists()
