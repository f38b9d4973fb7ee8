"""The rendered stack on disk: written atomically, read back without any heavy import."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from usenet.adapters.home import Home
from usenet.domain.errors import ConfigError
from usenet.domain.plan import Encoder, Gpus
from usenet.domain.reach import Probe, Publication

PLAN = "plan.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedService:
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


@dataclass(frozen=True, slots=True)
class Rendered:
    """The stack as it was last written; `files` are the paths below stack/."""

    project: str
    services: Mapping[str, RenderedService]
    files: tuple[str, ...]


def load(home: Home) -> Rendered:
    """Read stack/plan.json. ConfigError where the stack was never written or the file is damaged."""
    path = home.stack / PLAN
    try:
        raw = json.loads(path.read_bytes())
        services = {name: _service(name, grant) for name, grant in raw["grants"].items()}
        return Rendered(raw["project"], services, tuple(raw["files"]))
    except FileNotFoundError as missing:
        raise ConfigError(
            f"no stack was written in {home.path}", hint=f"write and start it with: usenet deploy --home {home.path}"
        ) from missing
    except (ValueError, KeyError, TypeError, AttributeError) as damage:
        raise ConfigError(
            f"{path} is damaged", hint="it can be written again at any time: usenet services up"
        ) from damage


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcoder:
    """A service that was planned with something that transcodes, and what of its grant that needs."""

    service: str
    image: str
    user: str
    environment: Mapping[str, str]
    groups: tuple[int, ...]
    devices: tuple[str, ...]
    gpus: Gpus | None
    encoder: Encoder


def transcoders(home: Home) -> tuple[Transcoder, ...]:
    """The services of stack/plan.json that transcode. ConfigError as in `load`."""
    load(home)  # what is wrong with the file as a whole is said there
    path = home.stack / PLAN
    try:
        grants = json.loads(path.read_bytes())["grants"]
        return tuple(_transcoder(name, raw) for name, raw in grants.items() if raw.get("encoder"))
    except (ValueError, KeyError, TypeError, AttributeError) as damage:
        raise ConfigError(
            f"{path} is damaged", hint="it can be written again at any time: usenet services up"
        ) from damage


def _transcoder(name: str, raw: Mapping[str, Any]) -> Transcoder:
    told, gpus = raw["encoder"], raw["gpus"]
    can = {key: None if told[key] is None else tuple(told[key]) for key in ("decode", "encode")}
    return Transcoder(
        service=name,
        image=raw["image"],
        user=raw["user"],
        environment=raw["environment"],
        groups=tuple(raw["groups"]),
        devices=tuple(raw["devices"]),
        gpus=Gpus(driver=gpus["driver"], ids=tuple(gpus["ids"])) if gpus else None,
        encoder=Encoder(**{**told, **can}),
    )


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
        with suppress(FileNotFoundError, NotADirectoryError):
            found[path] = (home.stack / path).read_text(errors="replace")
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
