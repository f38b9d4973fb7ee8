"""The services of the rendered stack that transcode: what of their grants a test inside them needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from usenet.adapters import stack
from usenet.adapters.home import Home
from usenet.domain.errors import ConfigError
from usenet.domain.plan import Encoder, Gpus


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


def planned(home: Home) -> tuple[Transcoder, ...]:
    """The services of stack/plan.json that transcode. ConfigError as in `stack.load`."""
    stack.load(home)  # what is wrong with the file as a whole is said there
    path = home.stack / stack.PLAN
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
