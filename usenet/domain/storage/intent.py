"""The part of usenet.yaml that says which drives belong to the stack."""

from __future__ import annotations

from posixpath import normpath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from usenet.domain.intent import Intent
from usenet.domain.service import parse_bytes
from usenet.domain.storage.alerts import Webhook

# Of a directory, a line of fstab and a unit: nothing that a shell, a path or systemd reads otherwise.
DRIVE_NAME = r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$"
POOL = "pool"  # its directory beside those of the drives; no drive is called so
PATH = r"^(/.*)?$"
Role = Literal["media", "downloads", "recordings", "backup"]
# Directories of the machine itself; of the trees all that is in them too, but for where desktops mount drives.
_SYSTEM = frozenset({"/", "/home", "/opt", "/root", "/tmp", "/var", "/var/lib"})  # noqa: S108 - no file is made
_TREES = (
    *("/bin", "/boot", "/dev", "/efi", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/nix", "/proc", "/run", "/sbin"),
    *("/sys", "/sysroot", "/usr", "/var/cache", "/var/log", "/var/run", "/var/spool"),
)
_DESKTOPS = "/run/media/"


def of_the_machine(path: str) -> bool:
    """Whether a directory is one that the machine itself lives in, which no service may get."""
    plain = normpath("/" + path.lstrip("/"))
    within = any(plain == tree or plain.startswith(f"{tree}/") for tree in _TREES)
    return plain in _SYSTEM or (within and not plain.startswith(_DESKTOPS))


def _of_a_person(path: str) -> str:
    if path and of_the_machine(path):
        raise ValueError("expected a directory that does not belong to the machine itself")
    return path


def _free(name: str) -> str:
    if name == POOL:
        raise ValueError(f"no drive can be called {POOL}: there drives are seen as one")
    return name


DriveName = Annotated[str, Field(pattern=DRIVE_NAME), AfterValidator(_free)]


class DriveSettings(Intent):
    """One filesystem of the stack, known by its UUID wherever it is plugged in, or a directory of this machine."""

    uuid: str = Field(default="", description="of the filesystem; empty where `path` is given")
    serial: str = Field(default="", description="of the drive, where it has one")
    type: str = Field(default="", description="of the filesystem, as it was probed")
    path: Annotated[str, AfterValidator(_of_a_person)] = Field(
        default="", pattern=PATH, description="a directory of this machine instead of a drive"
    )
    role: Role = Field(default="media", description="what it is for")
    needed: bool = Field(default=True, description="whether services that use it wait while it is away")
    read_only: bool = Field(default=False, description="nothing is written to it, not even the marker")

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if bool(self.uuid) == bool(self.path):
            raise ValueError(f"expected either uuid or path, found {'both' if self.uuid else 'neither'}")
        return self


# None that keeps a file where its directory is: a hardlink between two directories would fail on it.
Policy = Literal["mfs", "pfrd", "lus", "lfs", "ff", "rand"]


class BranchSettings(Intent):
    """A drive as part of the pool."""

    new_files: bool = Field(default=True, description="whether files that are made in the pool may be put on it")


class PoolSettings(Intent):
    """Drives that are shown as one at <data>/drives/pool, by mergerfs."""

    drives: dict[DriveName, BranchSettings] = Field(min_length=1, description="drives of the stack that are in it")
    policy: Policy = Field(default="mfs", description="which drive gets a new file: mfs is the one with most room")
    min_free: int = Field(
        default=4 * 2**30,
        ge=0,
        description="a drive with less room gets no new file; such as 4G",
        json_schema_extra={"type": ["integer", "string"], "pattern": r"^\d+\s*[KMGTkmgt]([iI])?[bB]?$"},
    )

    _min_free = field_validator("min_free", mode="before")(parse_bytes)


class StorageSettings(Intent):
    """The drives of the stack, by name."""

    drives: dict[DriveName, DriveSettings] = Field(default={}, description="drives by name; see: usenet storage add")
    webhook: Webhook = ""
    pool: PoolSettings | None = Field(default=None, description="see: usenet storage pool create")

    @model_validator(mode="after")
    def _pools_its_own(self) -> Self:
        if strange := sorted(set(self.pool.drives if self.pool else ()) - set(self.drives)):
            raise ValueError(f"expected drives of this stack in the pool, found {', '.join(strange)}")
        return self
