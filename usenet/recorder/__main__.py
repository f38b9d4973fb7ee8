"""`python -m usenet.recorder [--config FILE]`: the recorder as a process of its own."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from usenet.recorder.errors import RecorderError
from usenet.recorder.sidecar import config, logs

log = logging.getLogger("usenet.recorder.service")


def main(words: Sequence[str] | None = None) -> int:
    """Record until told to stop; the exit code. What is wrong is one line of the log, with its cure."""
    parser = argparse.ArgumentParser(prog="python -m usenet.recorder", description=__doc__)
    parser.add_argument("--config", type=Path, help=f"a YAML or JSON file; else ${config.VARIABLE}")
    parser.add_argument("--make", metavar="DIR", help="write a first file where there is none: recordings go to DIR")
    parser.add_argument("--check", action="store_true", help="only say whether the file is right")
    told = parser.parse_args(words)
    named = told.config or (Path(os.environ[config.VARIABLE]) if os.environ.get(config.VARIABLE) else None)
    os.umask(int(os.environ.get("UMASK") or "027", 8))
    logs.begin("json")
    try:
        if told.make and named:
            config.make(named, told.make)
        wishes = config.load(named)
        logs.begin(wishes.log)
        if told.check:
            log.info("the file is right", extra={"event": "check", "cameras": len(wishes.cameras)})
            return 0
        from usenet.recorder.sidecar.begin import begin

        return begin(wishes)
    except RecorderError as error:
        log.error(error.message, extra={"event": "failed", "hint": error.hint})
        return error.code
    except ModuleNotFoundError as error:
        log.error(
            "%s is not installed", error.name, extra={"event": "failed", "hint": "pip install 'usenet[recorder]'"}
        )
        return 4


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    os._exit(code)  # a thread that waits for a drive or a camera would hold the process up
