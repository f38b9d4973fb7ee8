"""A process that kills itself right before its n-th change of the machine, wherever that is in the code."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from usenet.adapters.storage import guards

CHANGES = {
    "os.rename",
    "os.link",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.setxattr",
    "os.utime",
    "os.chmod",
    "os.chown",
}
PATIENCE = 120.0
ACTED, FAILED = 3, 1
PROGRAMS = {"mount", "umount", "sync", "unshare"}


def kill() -> None:
    """End this process at once."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(number: int, act: Callable[[], object] = kill) -> None:
    """From now on count the changes, and kill this process, or do what else is said, before the n-th."""
    count = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if _changes(event, arguments):
            count += 1
            if count == number:
                act()

    sys.addaudithook(hook)


def _changes(event: str, arguments: tuple[object, ...]) -> bool:
    match event, arguments:
        case "subprocess.Popen", (program, *_):
            return Path(str(program)).name in PROGRAMS
        case "fcntl.ioctl", (_, request, *_):
            return request == guards._SET
        case "open", (path, _, int(flags)):
            return bool(flags & os.O_CREAT) and not _pythons(path)
        case _, (path, *_) if event in CHANGES:
            return not _pythons(path)
    return False


def _pythons(path: object) -> bool:
    """Whether it is what Python writes the first time that it imports something."""
    return "__pycache__" in str(path)


def killed(number: int, work: Callable[[], object]) -> bool:
    """Do the work in a process that is armed; whether it was killed. It fails the test in which it fails itself.

    The work must be a method that can be pickled: that process is no fork of pytest's, whose threads may hold locks.
    """
    return disturbed(number, work, kill)


def disturbed(number: int, work: Callable[[], object], act: Callable[[], object]) -> bool:
    """As `killed`, and in that process something else is done before the n-th change; whether there was one."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([work.__module__])
    child = processes.Process(target=_work, args=(number, work, act))
    child.start()
    child.join(PATIENCE)
    code = child.exitcode
    if code is None:
        child.kill()
        child.join()
    assert code in (0, ACTED, -signal.SIGKILL), f"the work failed before it was killed, or stands still: {code}"
    return code != 0


def _work(number: int, work: Callable[[], object], act: Callable[[], object]) -> None:
    acted: list[object] = []
    code = FAILED
    try:
        arm(number, lambda: acted.append(act()))
        work()
        code = ACTED if acted else 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    from usenet.cli.main import main

    arm(int(sys.argv.pop(1)))
    main()
