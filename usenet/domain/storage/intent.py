"""The part of usenet.yaml that says which drives belong to the stack."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from usenet.domain.intent import Intent
from usenet.domain.storage.alerts import Webhook

# Of a directory, a line of fstab and a unit: nothing that a shell, a path or systemd reads otherwise.
DRIVE_NAME = r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$"
Role = Literal["media", "downloads", "recordings", "backup"]
DriveName = Annotated[str, Field(pattern=DRIVE_NAME)]


class DriveSettings(Intent):
    """One filesystem of the stack, known by its UUID wherever it is plugged in, or a directory of this machine."""

    uuid: str = Field(default="", description="of the filesystem; empty where `path` is given")
    serial: str = Field(default="", description="of the drive, where it has one")
    type: str = Field(default="", description="of the filesystem, as it was probed")
    path: str = Field(default="", pattern=r"^(/.*)?$", description="a directory of this machine instead of a drive")
    role: Role = Field(default="media", description="what it is for")
    needed: bool = Field(default=True, description="whether services that use it wait while it is away")
    read_only: bool = Field(default=False, description="nothing is written to it, not even the marker")

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if bool(self.uuid) == bool(self.path):
            raise ValueError("expected either uuid or path")
        return self


class StorageSettings(Intent):
    """The drives of the stack, by name."""

    drives: dict[DriveName, DriveSettings] = Field(default={}, description="drives by name; see: usenet storage add")
    webhook: Webhook = ""
