"""Root folders of Sonarr, Radarr, Lidarr, Readarr and Whisparr, and what uses them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from posixpath import normpath
from typing import Any

from usenet.adapters.rest import Api, Failure
from usenet.domain.errors import SystemFailure
from usenet.domain.secret import Secret
from usenet.domain.storage.roots import Add, Has, Present


@dataclass(frozen=True, slots=True)
class Dialect:
    """`users`: lists whose entries lie in a root folder. `profiles`: a root folder names two of them."""

    version: str
    users: tuple[str, ...]
    profiles: bool = False


DIALECTS = {
    "sonarr": Dialect("v3", ("series", "importlist")),
    "radarr": Dialect("v3", ("movie", "collection", "importlist")),
    "lidarr": Dialect("v1", ("artist", "importlist"), profiles=True),
    "readarr": Dialect("v1", ("author", "importlist"), profiles=True),
    "whisparr": Dialect("v3", ("series", "importlist")),
}


@dataclass(frozen=True, slots=True)
class Configured:
    """What a service's own config.xml says of its API."""

    key: Secret = Secret("")  # noqa: RUF009 - nothing in it changes
    base: str = ""


def configured(directory: Path) -> Configured:
    """Read config.xml below a service's configuration; empty where there is none yet."""
    path = directory / "config.xml"
    try:
        text = path.read_text(errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return Configured()
    except OSError as failure:
        raise SystemFailure(f"{path} can't be read: {failure.strerror}", hint="run it with sudo") from None
    base = _element(text, "UrlBase").strip("/")
    return Configured(Secret(_element(text, "ApiKey")), f"/{base}" if base else "")


def _element(text: str, name: str) -> str:
    found = re.search(rf"<{name}>\s*([^<\s]*)\s*</{name}>", text)
    return found[1] if found else ""


class Arr:
    """The root folders of one of them. Every method raises rest.Failure, or ConfigError for a key, in words."""

    def __init__(self, service: str, api: Api) -> None:
        self._dialect = DIALECTS[service]
        self._api = api
        self._root = f"/api/{self._dialect.version}"

    def has(self) -> Has:
        """Its root folders now, without what uses them."""
        return Has(present=tuple(_present(one) for one in self._folders()))

    def user(self, present: Present) -> str:
        """What uses a root folder, in a few words; empty where nothing does."""
        own = next((one for one in self._folders() if str(one["id"]) == present.id), {})
        if unknown := own.get("unmappedFolders"):
            return f"{len(unknown)} folders that are not in its library"
        for users in self._dialect.users:
            for one in self._list(users):
                if any(_below(one.get(key), present.path) for key in ("path", "rootFolderPath")):
                    title = one.get("title") or one.get("artistName") or one.get("authorName") or one.get("name")
                    return str(title or users)
        return ""

    def add(self, call: Add) -> Present | None:
        """Add a root folder; None where somebody else did meanwhile."""
        body = self._body(call)
        try:
            made = self._api.ask("POST", f"{self._root}/rootfolder", body=body, done=lambda: self._find(call.root.path))
        except Failure as failure:
            if failure.status in (400, 409) and self._find(call.root.path):
                return None
            if failure.status == 400:
                again = f"usenet services restart {self._api.name}"
                failure.hint = f"if it does not see the drive, it was started before that was mounted: {again}"
            raise
        return _present(made)

    def remove(self, present: Present) -> None:
        """Forget a root folder; one that is not there is no failure."""
        try:
            self._api.ask("DELETE", f"{self._root}/rootfolder/{present.id}")
        except Failure as failure:
            if failure.status != 404 and self._find(present.path):
                raise

    def shows(self, call: Add | Present) -> str:
        """The request that a call stands for."""
        folder = f"{self._api.base}{self._root}/rootfolder"
        return f"DELETE {folder}/{call.id}" if isinstance(call, Present) else f"POST {folder}"

    def _find(self, path: str) -> dict[str, Any] | None:
        return next((one for one in self._folders() if normpath(one["path"]) == normpath(path)), None)

    def _folders(self) -> list[dict[str, Any]]:
        found = self._list("rootfolder")
        if not all(isinstance(one.get("path"), str) and isinstance(one.get("id"), int) for one in found):
            raise Failure(f"{self._api.name} at {self._api.base}: expected root folders, found something else")
        return found

    def _list(self, what: str) -> list[dict[str, Any]]:
        found = self._api.ask("GET", f"{self._root}/{what}")
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise Failure(f"{self._api.name} at {self._api.base}: expected a list, found something else")
        return found

    def _body(self, call: Add) -> Mapping[str, object]:
        if not self._dialect.profiles:
            return {"path": call.root.path}
        # As the root folders are that are there; on a new service, its first profiles.
        model = next(iter(self._folders()), {})
        ids = {
            f"default{what}ProfileId": model.get(f"default{what}ProfileId") or self._profile(f"{what.lower()}profile")
            for what in ("Quality", "Metadata")
        }
        return {
            "name": call.root.drive,
            "path": call.root.path,
            "defaultMonitorOption": model.get("defaultMonitorOption") or "all",
            "defaultNewItemMonitorOption": model.get("defaultNewItemMonitorOption") or "all",
            "defaultTags": [],
            **ids,
        }

    def _profile(self, what: str) -> int:
        usable = sorted(one["id"] for one in _numbered(self._list(what)) if one.get("name") != "None")
        if not usable:
            raise Failure(f"{self._api.name} at {self._api.base}: it has no {what}, which a root folder needs")
        return int(usable[0])


def _numbered(found: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    return (one for one in found if isinstance(one.get("id"), int))


def _present(raw: Any) -> Present:
    return Present(id=str(raw["id"]), path=raw["path"])


def _below(path: object, root: str) -> bool:
    return isinstance(path, str) and (normpath(path) + "/").startswith(normpath(root).rstrip("/") + "/")
