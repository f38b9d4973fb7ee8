"""Service files where they lie: shipped with usenet, in plugin packages, in the stack directory."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from usenet.adapters import templates
from usenet.domain.catalog import SUFFIX, ServiceFile
from usenet.domain.errors import ConfigError, UsenetError

ENTRY_POINTS = "usenet.services"
OWN = "services"


@dataclass(frozen=True, slots=True)
class Plugin:
    """The service files of one plugin package; `problem` says why it has none."""

    name: str
    files: tuple[ServiceFile, ...] = ()
    problem: str = ""


def names(home: Path | None = None) -> list[str]:
    """The names of all services, sorted, for completion: no file is read and no plugin imported."""
    brought = (_folder_without_import(module) for _, module in _entry_points())
    folders = [_shipped(), *([home / OWN] if home else []), *(folder for folder in brought if folder)]
    return sorted({_name(path) for folder in folders for path in _in(folder)})


def shipped() -> tuple[ServiceFile, ...]:
    """The service files that come with usenet, sorted by name."""
    return tuple(_read(path, str(path)) for path in _in(_shipped()))


def own(home: Path) -> tuple[ServiceFile, ...]:
    """The service files in the stack directory. ConfigError for one that can't be read."""
    return tuple(_read(path, f"{OWN}/{path.name}") for path in _in(home / OWN))


def plugins() -> tuple[Plugin, ...]:
    """The installed plugins, sorted by name. One that fails in any way has a `problem` and no files."""
    return tuple(_plugin(name, module) for name, module in _entry_points())


def template(directory: str, name: str, file: str, place: str) -> str:
    """The text of `<directory>/<name>/<file>.j2`. ConfigError with the `place` that asks for it if it is missing."""
    return _text(Path(directory, name, f"{file}.j2"), place)


def base() -> str:
    """The text of base.yaml.j2, which prints every grant."""
    path = templates.root() / "compose" / "base.yaml.j2"
    return _text(path, str(path))


def _shipped() -> Path:
    return templates.root() / "compose" / "services"


def _in(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if p.name.endswith(SUFFIX) and not p.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as failure:
        raise ConfigError(f"{folder} can't be read: {failure.strerror}", hint=f"look at: ls -ld {folder}") from failure


def _name(path: Path) -> str:
    return path.name.removesuffix(SUFFIX)


def _read(path: Path, place: str) -> ServiceFile:
    name = _name(path)
    return ServiceFile(name=name, text=_text(path, place), place=place, directory=str(path.parent))


def _text(path: Path, place: str) -> str:
    from usenet.adapters.settings.text import LARGEST, decode

    try:
        with path.open("rb") as file:
            return decode(file.read(LARGEST + 1), place)
    except OSError as failure:
        raise ConfigError(
            f"{path} can't be read: {failure.strerror}", where=place, hint=f"look at: ls -l {path}"
        ) from failure


def _entry_points() -> list[tuple[str, str]]:
    """Name and module of every plugin, from the metadata of what is installed.

    importlib.metadata does the same, but importing it costs half as much as all the rest of a completion.
    """
    found: dict[str, str] = {}
    for folder in dict.fromkeys(sys.path):
        for metadata in Path(folder).glob("*.*-info/entry_points.txt"):
            section = metadata.read_text("utf-8", "replace").partition(f"[{ENTRY_POINTS}]")[2].partition("\n[")[0]
            for line in section.splitlines():
                name, equals, value = line.partition("=")
                if equals and not name.startswith(("#", ";")):
                    found.setdefault(name.strip(), value.partition(":")[0].partition("[")[0].strip())
    return sorted(found.items())


def _plugin(name: str, module: str) -> Plugin:
    try:
        import_module(module)
        folder = _folder(module)
        return Plugin(name, tuple(_read(path, str(path)) for path in _in(folder)))
    except UsenetError as failure:
        return Plugin(name, problem=str(failure))
    except (Exception, SystemExit) as failure:  # a plugin may fail in any way; the rest of the tool must not
        return Plugin(name, problem=f"{type(failure).__name__}: {failure}")


def _folder(module: str) -> Path:
    spec = find_spec(module)
    beside = [str(Path(spec.origin).parent)] if spec and spec.origin else []
    places = [*((spec and spec.submodule_search_locations) or ()), *beside]
    found = next((folder for place in places if (folder := Path(place, "services")).is_dir()), None)
    if found is None:
        raise ConfigError(f"there is no folder services/ beside {module}")
    return found


def _folder_without_import(module: str) -> Path | None:
    try:
        return _folder(module)
    except Exception:  # the parent of a dotted name is imported, and may fail in any way
        return None
