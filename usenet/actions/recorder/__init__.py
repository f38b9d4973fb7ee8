"""What a person does with recordings: look at them, finish, check and cut them, record one, measure a drive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from usenet.actions.places import Home
from usenet.adapters import settings
from usenet.domain.errors import ConfigError, SystemFailure, UsageError, UsenetError
from usenet.domain.settings import data_root
from usenet.recorder.errors import RecorderError


@contextmanager
def told() -> Iterator[None]:
    """The recorder's failures as ours: the same sentence, the same cure, the same exit code; the system's in words."""
    try:
        yield
    except RecorderError as error:
        failure = UsenetError(error.message, hint=error.hint)
        failure.code = error.code
        raise failure from error
    except OSError as error:
        if error.filename is None:  # of no file: whoever reads what we print is gone, or has no room
            raise
        raise SystemFailure(f"{error.filename}: {error.strerror}", hint="see whose it is, and the drive") from error


def needed(*modules: str) -> None:
    """SystemFailure where a package is not installed that recording needs, and nothing else."""
    for module in modules:
        try:
            import_module(module)
        except ImportError:
            failure = f"recording needs {_PACKAGES.get(module, module)}, which is not installed"
            raise SystemFailure(failure, hint="pip install 'usenet[recorder]'") from None


_PACKAGES = {"av": "PyAV"}


def a_new_file(out: Path) -> None:
    """UsageError where an MP4 file of that name can't be begun."""
    if out.suffix != ".mp4":
        raise UsageError(f"{out}: recordings are MP4 files", hint=f"try: --out {out.with_suffix('.mp4')}")
    if not out.parent.is_dir():
        raise UsageError(f"{out.parent}: there is no such directory", hint="make it first")
    if out.exists():
        raise UsageError(f"{out} is there already", hint="name another file with --out")


def directory(home: Home) -> Path:
    """Where the stack's recordings are: `<data>/recordings`. ConfigError where there is no stack directory."""
    try:
        return Path(data_root(settings.load(home).data, str(home.path))) / "recordings"
    except ConfigError as error:
        if (home.path / "usenet.yaml").exists():
            raise
        raise ConfigError(error.message, hint=f"name the directory of the recordings, or {error.hint}") from None
