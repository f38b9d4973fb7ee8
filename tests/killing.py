"""A process that kills itself right before its n-th change of the machine, wherever that is in the code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

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
PROGRAMS = {"mount", "umount", "sync", "unshare"}


def arm(number: int) -> None:
    """From now on count the changes, and kill this process before the n-th."""
    count = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        started = event == "subprocess.Popen" and Path(str(arguments[0])).name in PROGRAMS
        if event in CHANGES or started:
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def killed(number: int, work: Callable[[], object]) -> bool:
    """Do the work in a child that is armed; whether it was killed. It fails the test in which it fails itself."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            arm(number)
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL), f"the work failed before it was killed: {status}"
    return status != 0


if __name__ == "__main__":
    from usenet.cli.main import main

    arm(int(sys.argv.pop(1)))
    main()
