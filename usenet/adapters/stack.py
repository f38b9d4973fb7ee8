"""The rendered stack on disk: written atomically, read back without any heavy import."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from usenet.adapters import scanned
from usenet.adapters.home import Home
from usenet.domain.errors import ConfigError, SystemFailure
from usenet.domain.named import NamedTuple
from usenet.domain.reach import Probe, Publication

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

PLAN = "plan.json"


class RenderedService(NamedTuple):
    """What the verbs need to know of a service that was planned.

    `nodes`: devices of a service that was given a card; `groups`: the numbers that open them; `driver`: the card's.
    """

    name: str
    title: str
    group: str
    image: str
    ports: tuple[Publication, ...]
    probe: Probe
    nodes: tuple[str, ...] = ()
    groups: tuple[int, ...] = ()
    driver: str = ""


class Rendered(NamedTuple):
    """The stack as it was last written; `files` are the paths below stack/."""

    project: str
    services: Mapping[str, RenderedService]
    files: tuple[str, ...]


def load(home: Home) -> Rendered:
    """Read stack/plan.json. ConfigError where the stack was never written or the file is damaged."""
    path = f"{home.text}/stack/{PLAN}"
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs more
            raw = scanned.loads(file.read())
        services = {name: _service(name, grant) for name, grant in raw["grants"].items()}
        return Rendered(raw["project"], services, tuple(raw["files"]))
    except FileNotFoundError as missing:
        raise ConfigError(
            f"no stack was written in {home.path}", hint=f"write and start it with: usenet deploy --home {home.path}"
        ) from missing
    except OSError as failure:
        raise SystemFailure(f"{path} can't be read: {failure.strerror}", hint=f"look at: ls -ld {path}") from failure
    except (ValueError, KeyError, TypeError, AttributeError) as damage:
        raise ConfigError(
            f"{path} is damaged", hint="it can be written again at any time: usenet services up"
        ) from damage


def _service(name: str, raw: Mapping[str, Any]) -> RenderedService:
    encoder = raw.get("encoder") or {}  # a stack of an older version has none
    given = bool(encoder.get("gpu"))
    return RenderedService(
        name=name,
        title=raw["title"],
        group=raw["group"],
        image=raw["image"],
        ports=tuple(Publication(**port) for port in raw["ports"]),
        probe=Probe(**{**raw["probe"], "status": tuple(raw["probe"]["status"])}),
        nodes=tuple(raw["devices"]) if given else (),
        groups=tuple(raw["groups"]) if given else (),
        driver=encoder["driver"] if given else "",
    )


def on_disk(home: Home, paths: Iterable[str]) -> dict[str, str]:
    """The text of those of `paths` (below stack/) that exist."""
    found = {}
    for path in paths:
        try:
            found[path] = (home.stack / path).read_text(errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            continue
    return found


def write(home: Home, wanted: Mapping[str, str], gone: tuple[str, ...]) -> tuple[Path, ...]:
    """Write the files of the stack, then remove those in `gone`; `stack/.env` points at the secrets.

    Compose reads variables from the .env beside its file: the link lets it work without us.
    """
    from usenet.adapters import files  # reading does without

    changed = files.write_all({home.stack / path: text for path, text in wanted.items()})
    link = home.stack / ".env"
    if not link.is_symlink():
        link.symlink_to("../.env")
    for path in gone:
        (home.stack / path).unlink(missing_ok=True)
    return changed
