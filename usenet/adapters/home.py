"""Where the stack directory is, and what lies where in it.

In text until somebody asks for a path: `services status` does without `pathlib`, whose import takes 3 ms.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping

from usenet.domain.errors import ConfigError, SystemFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = "usenet.yaml"


class Home:
    """The paths of one stack directory; `text` is its own, absolute. Nothing need exist. Two of one path are equal."""

    __slots__ = ("text",)

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.text = os.fspath(path)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Home) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Home({self.text!r})"

    @property
    def path(self) -> Path:
        from pathlib import Path

        return Path(self.text)

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

    The default is ~/usenet, for root /srv/usenet. The directory need not exist; ConfigError if it is no directory, or
    below the home directory of somebody who has none.
    """
    env = os.environ if env is None else env
    named = given or env.get("USENET_HOME", "")
    if named:
        path = os.path.abspath(os.path.join(_working(cwd), _expanded(named)))  # links are kept
        if _is(path, lambda mode: not stat.S_ISDIR(mode)):
            raise ConfigError(f"{path} is not a directory", hint=f"name the directory that holds {SETTINGS}")
        return Home(path)
    found = (place for place in _upwards(_working(cwd)) if os.path.isfile(os.path.join(place, SETTINGS)))
    return Home(next(found, "") or _default(env))


def _upwards(place: str) -> Iterator[str]:
    yield place
    while (above := os.path.dirname(place)) != place:
        yield (place := above)


def _is(path: str | Path, kind: Callable[[int], bool]) -> bool:
    try:
        return kind(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as failure:
        raise SystemFailure(
            f"{path} can't be looked at: {failure.strerror}",
            hint=f"run it with sudo, or look at: ls -ld {os.path.dirname(path)}",
        ) from failure


def _default(env: Mapping[str, str]) -> str:
    if os.geteuid() == 0:
        return "/srv/usenet"
    return os.path.abspath(os.path.join(_expanded(env.get("HOME") or "~"), "usenet"))


def _expanded(path: str) -> str:
    """With the home directory in the place of its `~`; never a directory whose name is `~`."""
    expanded = os.path.expanduser(path)
    if expanded.startswith("~"):
        who = expanded.split("/")[0]
        raise ConfigError(f"nobody knows a home directory for {who}", hint="name the stack directory: --home PATH")
    return expanded


def _working(cwd: Path | None) -> str:
    try:
        return os.getcwd() if cwd is None else os.fspath(cwd)
    except FileNotFoundError as gone:
        raise SystemFailure("the working directory was deleted", hint="go elsewhere: cd") from gone
