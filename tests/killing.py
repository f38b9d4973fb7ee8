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
    "os.truncate",
}
PATIENCE = 120.0
PROGRAMS = {"mount", "umount", "sync", "unshare"}


def arm(number: int) -> None:
    """From now on count the changes, and kill this process before the n-th."""
    count = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event in CHANGES or _changes(event, arguments):
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _changes(event: str, arguments: tuple[object, ...]) -> bool:
    match event, arguments:
        case "subprocess.Popen", (program, *_):
            return Path(str(program)).name in PROGRAMS
        case "fcntl.ioctl", (_, request, *_):
            return request == guards._SET
        case "open", (path, _, int(flags)):
            return bool(flags & os.O_CREAT) and "__pycache__" not in str(path)
    return False


def killed(number: int, work: Callable[[], object]) -> bool:
    """Do the work in a process that is armed; whether it was killed. It fails the test in which it fails itself.

    The work must be a method that can be pickled: that process is no fork of pytest's, whose threads may hold locks.
    """
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([work.__module__])
    child = processes.Process(target=_work, args=(number, work))
    child.start()
    child.join(PATIENCE)
    code = child.exitcode
    if code is None:
        child.kill()
        child.join()
    assert code in (0, -signal.SIGKILL), f"the work failed before it was killed, or stands still: {code}"
    return code != 0


def _work(number: int, work: Callable[[], object]) -> None:
    code = 1
    try:
        arm(number)
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    from usenet.cli.main import main

    arm(int(sys.argv.pop(1)))
    main()
