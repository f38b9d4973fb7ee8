"""A service as its file's head declares it: what it is, what it wants, how its health is asked."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Group = Literal["media", "automation", "download", "network", "management", "security", "cameras", "other"]
Family = Literal["linuxserver", "hotio", "official", "plex", "root", "built"]
Role = Literal["pool-dependent", "local", "infrastructure"]
Access = Literal["read", "write"]
Load = Literal["light", "normal", "heavy"]
SecretKind = Literal["hex32", "password", "given"]

NAME = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
# A version, a digest, or both: what runs must be known.
IMAGE = r"^[a-z0-9][^\s:@]*(:\d+/[^\s:@]+)?(:[\w][\w.-]*(@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})$"
_UNIT = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def parse_bytes(value: object) -> object:
    """`512M` → 536870912. Integers pass; anything else is left for the type check to refuse."""
    found = re.fullmatch(r"(\d+)\s*([KMGT])i?B?", value.strip(), re.IGNORECASE) if isinstance(value, str) else None
    return int(found[1]) * _UNIT[found[2].upper()] if found else value


class Model(BaseModel):
    """Frozen; a key that is not declared is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Port(Model):
    """A port of the container. `host` is the one proposed on the host, unique over the whole catalog.

    `use`: page (a person clicks it), api, peer (strangers connect), stream, metrics, share.
    `publish` False: for the other containers only.
    """

    container: int = Field(ge=1, le=65535)
    host: int = Field(default=0, ge=0, le=65535, description="0: the same number as in the container")
    protocol: Literal["tcp", "udp"] = "tcp"
    use: Literal["page", "api", "peer", "stream", "metrics", "share"] = "page"
    publish: bool = True

    @property
    def proposed(self) -> int:
        return self.host or self.container


class Health(Model):
    """How the host asks whether the service works, and how the image can ask itself.

    With neither `http` nor `tcp`, running is all that can be known. `status` lists the answers that mean
    healthy. `check` is the tool inside the image (curl, wget), `image` where the image brings its own check,
    or none. `command` is a check of the service's own, run inside the container. `method` OPTIONS: a GET would
    count as somebody who tried to log in.
    """

    http: str = Field(default="", pattern=r"^(/.*)?$")
    method: Literal["GET", "OPTIONS"] = "GET"
    tcp: bool = False
    port: int = Field(default=0, description="container port; 0: the first")
    scheme: Literal["http", "https"] = "http"
    status: tuple[int, ...] = Field(default=(), description="empty: any below 400")
    start_period: int = Field(default=60, ge=1, le=3600, description="seconds")
    check: Literal["curl", "wget", "image", "none"] | None = None
    command: tuple[str, ...] = ()


class Wants(Model):
    """What the service would like to have of the host; the plan grants it or says why not.

    `media`, `data`, `downloads`: which part of the data tree, all under /data inside. `scratch`: a container
    path for fast temporary files. `engine`: talks to Docker, through the socket proxy only. `devices` and
    `capabilities`: beyond what the image family needs. `drives`: every drive as a raw device, to read its own
    health figures. `binds`: host paths, read only. `account`: the owner of the data, or nobody, who can read
    none of that owner's files.
    """

    encoder: bool = False
    media: Access | None = None
    data: Access | None = None
    downloads: Literal["torrents", "usenet"] | None = None
    recordings: Access | None = None
    scratch: str = Field(default="", pattern=r"^(/.*)?$")
    engine: bool = False
    network: Literal["stack", "host"] = "stack"
    devices: tuple[str, ...] = ()
    drives: bool = False
    capabilities: tuple[str, ...] = ()
    binds: dict[str, str] = {}
    account: Literal["owner", "nobody"] = "owner"
    memory: Annotated[int, Field(ge=2**20)] = 256 * 2**20
    load: Load = "normal"

    _memory = field_validator("memory", mode="before")(parse_bytes)


class Backup(Model):
    """Globs below config/<service> that a backup leaves out: caches, logs, artwork, transcodes."""

    exclude: tuple[str, ...] = ()


class Service(Model):
    """The head of `<name>.yaml.j2`. `needs` must be enabled and healthy first; `after` only orders, if enabled.

    `config`: directory below config/<service> → path in the container. `files`: template beside the service
    file → path in the container, read only. `secrets`: variables of `.env`, and how they are made. In the values
    of `environment`, `{uid}` and `{gid}` stand for the owner of the data. `note`: what a person must know or do.
    """

    title: str
    about: str = Field(max_length=80)
    group: Group
    role: Role
    image: str = Field(pattern=IMAGE)
    family: Family
    default: bool = False
    ports: tuple[Port, ...] = ()
    wants: Wants = Wants()
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    config: dict[str, str] = {}
    files: dict[str, str] = {}
    environment: dict[str, str] = {}
    secrets: dict[str, SecretKind] = {}
    health: Health = Health()
    backup: Backup = Backup()
    ffmpeg: str = Field(default="", pattern=r"^(/.*|[a-z][a-z-]*)?$", description="what transcodes inside the image")
    workers: dict[Literal["hardware", "software"], str] = Field(
        default={}, description="variables that take how many transcodes may run at once"
    )
    encoding: str = Field(default="", description="Jellyfin's encoding options, below config/<service>")
    retired: str = Field(default="", description="why and since when; empty: current")
    replaced_by: str = ""
    note: str = Field(default="", max_length=160)
    documentation: str = Field(default="", pattern=r"^(https://.*)?$")

    @field_validator("image")
    @classmethod
    def _pinned(cls, value: str) -> str:
        if value.endswith(":latest"):
            raise ValueError("name a version, not latest: what runs must be known")
        return value

    @model_validator(mode="after")
    def _probe_has_a_port(self) -> Service:
        asked = self.health.http or self.health.tcp
        if asked and not any(p.protocol == "tcp" for p in self.ports):
            raise ValueError("health by http or tcp needs a tcp port")
        return self
