"""From a few plain words to a storage: what a settings file says of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .azure import Azure, AzurePlace
from .credentials import BadCredentials, Secret, credentials, demanded
from .gcs import GCS
from .layout import storage_name
from .pace import Pace
from .queue import Uploader
from .s3 import S3, S3Place
from .storage import Storage
from .uploader import Uploads

S3_NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
GCS_NAMES = ("GCS_ACCESS_KEY_ID", "GCS_SECRET_ACCESS_KEY")
AZURE_NAMES = ("AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN")


@dataclass(frozen=True, slots=True)
class Target:
    """One storage. `bucket` is Azure's container; `account` is Azure's alone; `rate` is bytes a second, 0 no limit.

    Secrets are never in here: `credentials` names a file with mode 0600; without it they are in the environment.
    """

    name: str
    kind: Literal["s3", "azure", "gcs"]
    bucket: str
    endpoint: str = ""
    region: str = "us-east-1"
    account: str = ""
    path_style: bool = True
    checksum: Literal["auto", "sha256", "md5"] = "auto"
    ca: str = ""
    credentials: Path | None = None
    rate: float = 0


def uploads(targets: Sequence[Target], roots: Sequence[Path], prefix: str = "") -> Uploads:
    """Every segment under `roots` to every target, once started; `rate` holds for all roots of a target together."""
    if len({target.name for target in targets}) < len(targets):
        raise ValueError("two storages have the same name")
    storages = [open_storage(target) for target in targets]
    return Uploads([Uploader(root, storage, prefix=prefix) for storage in storages for root in roots])


def open_storage(target: Target, environment: Mapping[str, str] | None = None) -> Storage:
    """The storage; nothing is read or asked yet. ValueError for a name that can't be one."""
    name, pace = storage_name(target.name), Pace(target.rate)

    def found(*names: str) -> dict[str, Secret]:
        return credentials(target.credentials, *names, environment=environment)

    if target.kind == "azure":
        return Azure(name, AzurePlace(target.account, target.bucket, lambda: _azure(found), target.endpoint), pace)
    names = S3_NAMES if target.kind == "s3" else GCS_NAMES

    def keys() -> tuple[Secret, Secret]:
        access, secret = demanded(found(*names), *names)
        return access, secret

    place = S3Place(target.bucket, keys, target.endpoint, target.region, target.path_style, target.checksum, target.ca)
    return S3(name, place, pace) if target.kind == "s3" else GCS(name, place, pace)


def _azure(found: Callable[..., dict[str, Secret]]) -> tuple[Secret | None, Secret | None]:
    have = found(*AZURE_NAMES)
    if not have:
        raise BadCredentials(f"credentials are missing: {' or '.join(AZURE_NAMES)}")
    key, sas = map(have.get, AZURE_NAMES)
    return key, sas
