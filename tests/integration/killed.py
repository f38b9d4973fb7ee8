"""Run by tests as a program: a verb on drives that kills itself before its n-th change of the machine.

HOME N add DEVICE NAME, or HOME N remove NAME
"""

import os
import signal
import sys
from pathlib import Path

from usenet.actions import storage
from usenet.adapters import files, shell
from usenet.adapters.home import Home
from usenet.adapters.storage import guards

CHANGES = {"mount", "umount", "rm", "sync", "unshare"}


def main(home: str, number: str, verb: str, *words: str) -> None:
    arm(int(number))
    if verb == "add":
        storage.add(Home(Path(home)), storage.Wish(drive=words[0], name=words[1]), say=lambda _: None)
    else:
        storage.remove(Home(Path(home)), words[0], say=lambda _: None)


def arm(number: int) -> None:
    count = 0

    def armed(owner, name, counts):
        real = getattr(owner, name)

        def call(*arguments, **named):
            nonlocal count
            if not counts(*arguments):
                return real(*arguments, **named)
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **named)

        setattr(owner, name, call)

    armed(shell, "run", lambda words, **_: words[0] in CHANGES)
    armed(files, "write_all", lambda *_: True)
    armed(guards, "_set", lambda *_: True)
    armed(Path, "mkdir", lambda *_: True)
    armed(Path, "rmdir", lambda *_: True)


if __name__ == "__main__":
    main(*sys.argv[1:])
