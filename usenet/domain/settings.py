"""usenet.yaml as types. Pure: text handling and files are in adapters/settings.py."""

from __future__ import annotations

import re
from posixpath import join, normpath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator
from pydantic_core import PydanticCustomError

from usenet.domain.intent import Intent
from usenet.domain.secret import looks_secret
from usenet.domain.service import IMAGE, NAME, Access, parse_bytes
from usenet.domain.storage.intent import StorageSettings

ProfileName = Literal["auto", "dedicated", "high_performance", "balanced", "light", "development", "custom"]
ImageSource = Literal["auto", "pull", "build"]
PortNumber = Annotated[int, Field(ge=1, le=65535)]
ZONE = r"^[A-Za-z][\w+-]*(/[\w+-]+)*$"
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]

_PLAIN_SECRET = "expected ${NAME}, found a value: what sounds like a secret is not written into this file"  # noqa: S105
_SWITCHES = frozenset({"", "true", "false", "yes", "no", "on", "off", "0", "1"})

DEFAULT_SERVICES = (
    "jellyfin",
    "sonarr",
    "radarr",
    "prowlarr",
    "bazarr",
    "recyclarr",
    "sabnzbd",
    "transmission",
    "seerr",
)


def publish_address(value: str) -> str:
    """The address that Compose binds: `lan` is every address."""
    return "0.0.0.0" if value == "lan" else value  # noqa: S104 - asked for by name


def _address(value: str) -> str:
    numbers = value.split(".") if re.fullmatch(r"(\d{1,3}\.){3}\d{1,3}", value) else []
    if value != "lan" and not (numbers and max(map(int, numbers)) < 256):
        raise ValueError("expected 127.0.0.1 (this machine only), lan (every address), or an IPv4 address")
    return value


def referred(value: str) -> str:
    """The variable of .env that a value such as `${NAME}` stands for; empty for a value that is meant as it is."""
    name = value[2:-1] if value.startswith("${") and value.endswith("}") else ""
    return name if name.isidentifier() else ""


def is_plain_secret(name: str, value: str) -> bool:
    """Whether a variable's name promises a secret, and its value is neither a reference, a file nor a switch."""
    switch = value.lower() in _SWITCHES or name.upper().endswith("_FILE")
    return looks_secret(name) and not switch and not referred(value)


def data_root(data: str, home: str) -> str:
    """The absolute data root, without `..`, `.` and doubled slashes."""
    # A path that begins with two slashes keeps both in POSIX.
    return normpath("/" + join(home, data).lstrip("/"))


def _data(value: str) -> str:
    if value.startswith("~"):
        raise ValueError("expected a path; ~ means something else for each user, so write it out")
    if data_root(value, "/stack") == "/" and value.startswith("/"):
        raise ValueError("expected a directory for the data, not the root of the machine")
    return value


Publish = Annotated[
    str,
    AfterValidator(_address),
    Field(description="127.0.0.1 (this machine only), lan (every address), or one address"),
]


_LAST_ID = 2**32 - 2  # the one after it means "nobody was named" to the kernel


class Identity(Intent):
    """The host user and group that own the data, and the mask for new files."""

    uid: int = Field(default=1000, ge=0, le=_LAST_ID, description="user id of the owner of the data")
    gid: int = Field(default=1000, ge=0, le=_LAST_ID, description="group id of the owner of the data")
    umask: str = Field(default="002", pattern=r"^0?[0-7]{3}$", description="rights that new files do not get")

    @field_validator("umask")
    @classmethod
    def _is_a_mask(cls, value: str) -> str:
        if int(value, 8) & 0o700:
            raise ValueError("takes rights away from the owner; it is a mask, not a mode: use 002, 022 or 077")
        return value


class ServiceSettings(Intent):
    """What a person may set for one service. None: as the catalog says."""

    enabled: bool = Field(default=True, description="whether it runs")
    image: str | None = Field(default=None, pattern=IMAGE, description="instead of the image of the catalog")
    port: int | None = Field(default=None, ge=1, le=65535, description="host port of the first port")
    ports: dict[PortNumber, PortNumber] = Field(default={}, description="container port → host port, for the others")
    publish: Publish | None = Field(default=None, description="like publish above, for this service")
    memory: int | None = Field(default=None, ge=6 * 2**20, description="limit: bytes, or such as 512M or 2G")
    gpu: str = Field(default="auto", description="auto, none, or a PCI path such as 0000:01:00.0")
    environment: dict[VariableName, str] = Field(
        default={}, description="variables for the container; ${NAME} is taken from .env, where secrets belong"
    )
    data: Access | None = Field(default=None, description="what it may do with the data: read or write")

    _memory = field_validator("memory", mode="before")(parse_bytes)

    @field_validator("environment")
    @classmethod
    def _holds_no_secret(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if is_plain_secret(name, text):
                raise PydanticCustomError("plain_secret", _PLAIN_SECRET, {"name": name})
        return value


class Settings(Intent):
    """The whole of usenet.yaml; every key has a default, so an empty file is valid."""

    version: Literal[1] = Field(default=1, description="the form of this file")
    name: str = Field(default="usenet", pattern=NAME, description="the Compose project")
    profile: ProfileName = Field(default="auto", description="how much of the machine the services may use")
    share: float | None = Field(default=None, gt=0, le=1, description="with profile custom: part of the machine")
    data: Annotated[str, AfterValidator(_data)] = Field(
        default="data", min_length=1, description="data root; relative to the stack directory"
    )
    storage: StorageSettings = StorageSettings()
    user: Identity = Identity()
    timezone: str = Field(default="Etc/UTC", pattern=ZONE, description="such as Europe/Berlin")
    publish: Publish = "127.0.0.1"
    images: ImageSource = Field(default="auto", description="auto pulls what a registry has and builds the rest")
    services: dict[Annotated[str, Field(pattern=NAME)], ServiceSettings] = Field(
        default={}, description="the services that run, by name; an empty entry takes every default"
    )

    @field_validator("version", mode="before")
    @classmethod
    def _is_a_number(cls, value: object) -> object:
        return 1 if value == "1" else value

    @field_validator("services", mode="before")
    @classmethod
    def _empty_is_default(cls, value: object) -> object:
        return {k: {} if v is None else v for k, v in value.items()} if isinstance(value, dict) else value

    @property
    def enabled(self) -> tuple[str, ...]:
        """Names of the services that are on, in the order of the file."""
        return tuple(name for name, own in self.services.items() if own.enabled)
