"""Where the stack directory is, and what lies where in it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from usenet.domain.errors import ConfigError, SystemFailure

SETTINGS = "usenet.yaml"


class Home(NamedTuple):
    """The paths of one stack directory; `path` is absolute. Nothing need exist."""

    path: Path

    @property
    def settings(self) -> Path:
        return self.path / SETTINGS

    @property
    def env(self) -> Path:
        return self.path / ".env"

    @property
    def services(self) -> Path:
        return self.path / "services"

    @property
    def stack(self) -> Path:
        return self.path / "stack"

    @property
    def state(self) -> Path:
        return self.path / ".usenet"

    def config(self, service: str) -> Path:
        return self.path / "config" / service

    @property
    def exists(self) -> bool:
        """Whether there is a usenet.yaml. SystemFailure where this user may not look."""
        return _is(self.settings, stat.S_ISREG)

    def require(self) -> Home:
        """Itself; ConfigError where there is no usenet.yaml."""
        if not self.exists:
            raise ConfigError(
                f"there is no {SETTINGS} in {self.path}", hint=f"make one with: usenet init --home {self.path}"
            )
        return self


def find(given: str = "", env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Home:
    """The stack directory: `given`, else $USENET_HOME, else the nearest parent with a usenet.yaml, else the default.

    The default is ~/usenet, for root /srv/usenet. The directory need not exist; ConfigError if it is no directory.
    """
    env = os.environ if env is None else env
    named = given or env.get("USENET_HOME", "")
    if named:
        path = Path(os.path.abspath(_working(cwd) / Path(named).expanduser()))  # noqa: PTH100 - links are kept
        if _is(path, lambda mode: not stat.S_ISDIR(mode)):
            raise ConfigError(f"{path} is not a directory", hint=f"name the directory that holds {SETTINGS}")
        return Home(path)
    here = _working(cwd)
    # Path.is_file raises where this user may not look.
    found = (p for p in (here, *here.parents) if os.path.isfile(p / SETTINGS))  # noqa: PTH113
    return Home(next(found, _default(env)))


def _is(path: Path, kind: Callable[[int], bool]) -> bool:
    try:
        return kind(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as failure:
        raise SystemFailure(
            f"{path} can't be looked at: {failure.strerror}", hint=f"run it with sudo, or look at: ls -ld {path.parent}"
        ) from failure


def _default(env: Mapping[str, str]) -> Path:
    return Path("/srv/usenet") if os.geteuid() == 0 else Path(env.get("HOME") or "~").expanduser() / "usenet"


def _working(cwd: Path | None) -> Path:
    try:
        return Path.cwd() if cwd is None else cwd
    except FileNotFoundError as gone:
        raise SystemFailure("the working directory was deleted", hint="go elsewhere: cd") from gone
