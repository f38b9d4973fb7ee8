"""Library paths of Jellyfin, and what it shows from them."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import normpath
from typing import Any

from usenet.adapters.rest import Api, Failure
from usenet.domain.storage.roots import Add, Has, Present

_FOLDERS = "/Library/VirtualFolders"
_PAGE = 500


class Jellyfin:
    """Its libraries. Every method raises rest.Failure, or ConfigError for a key, in words."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def has(self) -> Has:
        """Its libraries and their paths now, without what is shown from them."""
        found = self._libraries()
        present = tuple(Present(id=one["Name"], path=path) for one in found for path in one["Locations"])
        return Has(present=present, libraries={one["Name"]: one.get("CollectionType") or "" for one in found})

    def user(self, present: Present) -> str:
        """What is shown from a path, in a few words; empty where nothing is."""
        root = normpath(present.path).rstrip("/") + "/"
        library = next((one for one in self._libraries() if one["Name"] == present.id), None)
        for item in self._items(str(library.get("ItemId") or "")) if library else ():
            path = item.get("Path")
            if isinstance(path, str) and normpath(path).startswith(root):
                return str(item.get("Name") or path)
        return ""

    def add(self, call: Add) -> Present | None:
        """Add a path to a library, without a scan; None where somebody else did meanwhile."""
        made = Present(id=call.library, path=call.root.path)
        body = {"Name": call.library, "PathInfo": {"Path": call.root.path}}
        try:
            self._api.ask(
                "POST",
                f"{_FOLDERS}/Paths",
                query={"refreshLibrary": "false"},
                body=body,
                done=lambda: made if self._holds(made) else None,
            )
        except Failure as failure:
            if failure.status in (400, 409) and self._holds(made):
                return None
            raise
        return made

    def remove(self, present: Present) -> None:
        """Take a path out of its library; one that is not there is no failure."""
        query = {"name": present.id, "path": present.path, "refreshLibrary": "false"}
        try:
            self._api.ask("DELETE", f"{_FOLDERS}/Paths", query=query)
        except Failure as failure:
            if failure.status != 404 and self._holds(present):
                raise

    def shows(self, call: Add | Present) -> str:
        """The request that a call stands for."""
        return f"{'DELETE' if isinstance(call, Present) else 'POST'} {self._api.base}{_FOLDERS}/Paths"

    def _holds(self, wanted: Present) -> bool:
        return any(one.id == wanted.id and normpath(one.path) == normpath(wanted.path) for one in self.has().present)

    def _libraries(self) -> list[dict[str, Any]]:
        found = self._api.ask("GET", _FOLDERS)
        if not isinstance(found, list) or not all(map(_is_library, found)):
            raise Failure(f"{self._api.name} at {self._api.base}: expected libraries, found something else")
        return found

    def _items(self, library: str) -> Iterator[dict[str, Any]]:
        start = 0
        while True:
            query = {"parentId": library, "recursive": "true", "fields": "Path", "enableImages": "false"}
            page = self._api.ask("GET", "/Items", query={**query, "startIndex": str(start), "limit": str(_PAGE)})
            items = page.get("Items") if isinstance(page, dict) else None
            if not isinstance(items, list):
                raise Failure(f"{self._api.name} at {self._api.base}: expected items, found something else")
            yield from (one for one in items if isinstance(one, dict))
            start += len(items)
            if len(items) < _PAGE:
                return


def _is_library(raw: object) -> bool:
    if not isinstance(raw, dict):
        return False
    name, paths = raw.get("Name"), raw.get("Locations")
    return isinstance(name, str) and isinstance(paths, list) and all(isinstance(one, str) for one in paths)
