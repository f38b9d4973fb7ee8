"""A stand-in for Sonarr, Radarr, Lidarr, Readarr, Whisparr and Jellyfin. It is none of them.

Every request is held against the service's published OpenAPI document where `../shared/apis` has it (Sonarr's and
Radarr's; Whisparr, which grew out of Sonarr, is held against Sonarr's), and against the few requests below for Lidarr,
Readarr and Jellyfin, which are written down here from their public sources. So is every answer. What does not fit is
kept in `wrong`, which a test looks at in the end.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema
import pytest

APIS = Path(__file__).resolve().parents[2] / "shared" / "apis"
DOCUMENTS = {"sonarr": "sonarr.v3", "whisparr": "sonarr.v3", "radarr": "radarr.v3"}
MISSING = f"{APIS} with the OpenAPI documents is not there"
FIGURE = "stand-ins that were asked instead of Sonarr, Radarr, Lidarr, Readarr, Whisparr and Jellyfin themselves"
KEY = "0123456789abcdef0123456789abcdef"

_INT, _TEXT, _FLAG = {"type": "integer"}, {"type": "string"}, {"type": "boolean"}


def _object(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _operation(answer: Any = None, body: Any = None, query: dict[str, Any] | None = None, need: str = "") -> Any:
    made: dict[str, Any] = {"responses": {"200": _json(answer) if answer else {}}}
    if body:
        made["requestBody"] = {"required": True, **_json(body)}
    made["parameters"] = [
        {"in": "query", "name": name, "schema": schema, "required": name in need.split()}
        for name, schema in (query or {}).items()
    ]
    return made


def _json(schema: Any) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


def _list(schema: Any) -> dict[str, Any]:
    return {"type": "array", "items": schema}


def _profiled(users: str) -> dict[str, Any]:
    """Lidarr's and Readarr's requests that are made here."""
    ids = {"defaultMetadataProfileId": {**_INT, "minimum": 1}, "defaultQualityProfileId": {**_INT, "minimum": 1}}
    options = {"defaultMonitorOption": _TEXT, "defaultNewItemMonitorOption": _TEXT, "defaultTags": _list(_INT)}
    new = {"name": {**_TEXT, "minLength": 1}, "path": _TEXT, **ids, **options}
    folder = _object(("id", *new), id=_INT, accessible=_FLAG, freeSpace=_INT, totalSpace=_INT, **new)
    item = _object(path=_TEXT, rootFolderPath=_TEXT, artistName=_TEXT, authorName=_TEXT, name=_TEXT)
    profile = _object(("id", "name"), id=_INT, name=_TEXT)
    number = {"in": "path", "name": "id", "required": True, "schema": _INT}
    return {
        "/api/v1/rootfolder": {
            "get": _operation(_list(folder)),
            "post": _operation(folder, _object(("name", "path", *ids), **new)),
        },
        "/api/v1/rootfolder/{id}": {"delete": {"parameters": [number], "responses": {"200": {}}}},
        f"/api/v1/{users}": {"get": _operation(_list(item))},
        "/api/v1/importlist": {"get": _operation(_list(item))},
        "/api/v1/qualityprofile": {"get": _operation(_list(profile))},
        "/api/v1/metadataprofile": {"get": _operation(_list(profile))},
    }


def _jellyfin() -> dict[str, Any]:
    library = _object(("Name", "Locations"), Name=_TEXT, Locations=_list(_TEXT), CollectionType=_TEXT, ItemId=_TEXT)
    path = _object(("Name", "PathInfo"), Name=_TEXT, PathInfo=_object(("Path",), Path=_TEXT))
    flag = {"enum": ["true", "false"]}
    paging = {"startIndex": _TEXT, "limit": _TEXT, "recursive": flag, "enableImages": flag}
    items = _object(("Items",), Items=_list(_object(Name=_TEXT, Path=_TEXT)))
    gone = _operation(query={"name": _TEXT, "path": _TEXT, "refreshLibrary": flag}, need="name path")
    return {
        "/Library/VirtualFolders": {"get": _operation(_list(library))},
        "/Library/VirtualFolders/Paths": {
            "post": _operation(body=path, query={"refreshLibrary": flag}),
            "delete": gone,
        },
        "/Items": {"get": _operation(items, query={"parentId": _TEXT, "fields": _TEXT, **paging})},
    }


@cache
def document(service: str) -> dict[str, Any]:
    """The OpenAPI document that a service is held against. Skips where the published ones are not there."""
    if name := DOCUMENTS.get(service):
        if not APIS.is_dir():
            pytest.skip(MISSING)
        found: dict[str, Any] = _nullable(json.loads((APIS / f"{name}.openapi.json").read_text()))
        return found
    paths = _jellyfin() if service == "jellyfin" else _profiled({"lidarr": "artist", "readarr": "author"}[service])
    return {"paths": paths, "components": {}}


def _nullable(node: Any) -> Any:
    """OpenAPI's `nullable` in the words of JSON Schema."""
    if isinstance(node, list):
        return [_nullable(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {key: _nullable(value) for key, value in node.items()}
    return {"anyOf": [made, {"type": "null"}]} if made.pop("nullable", False) is True else made


@dataclass
class Fault:
    """What happens to one request instead of its answer, or (`after`) after it was done."""

    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    type: str = "application/json"
    after: bool = False
    silent: bool = False
    cut: bool = False


@dataclass
class StandIn:
    """One service. `folders`: path → id, and for Jellyfin the library; `exists` says what it sees of the drives."""

    service: str
    key: str = KEY
    base: str = ""
    port: int = 0
    folders: dict[str, Any] = field(default_factory=dict)
    users: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    unmapped: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    libraries: dict[str, str] = field(default_factory=dict)
    items: list[dict[str, str]] = field(default_factory=list)
    exists: Callable[[str], bool] = lambda path: True
    faults: dict[str, deque[Fault]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def fail(self, method: str, *faults: Fault) -> None:
        """Let the next requests with this method end so."""
        self.faults.setdefault(method, deque()).extend(faults)

    @property
    def changes(self) -> list[str]:
        """The requests that could change something, in their order."""
        return [one for one in self.asked if not one.startswith("GET ")]

    def check(self, method: str, path: str, query: dict[str, list[str]], body: bytes, kind: str) -> Any:
        """The operation of the document that a request is; what does not fit is noted."""
        pattern, operation = _operation_of(document(self.service), method, path)
        where = f"{method} {path}"
        if operation is None:
            self.wrong.append(f"{where}: no such operation")
            return None
        known = {one["name"]: one for one in operation.get("parameters", ()) if one["in"] == "query"}
        self.wrong += [f"{where}: unknown parameter {name}" for name in query if name not in known]
        self.wrong += [f"{where}: {n} is missing" for n, one in known.items() if one.get("required") and n not in query]
        for name, values in query.items():
            self._fits(values[0], known.get(name, {}).get("schema", {}), f"{where} {name}")
        if schema := _schema(operation.get("requestBody", {})):
            if kind != "application/json":
                self.wrong.append(f"{where}: sent as {kind or 'nothing'}")
            self.bodies.append(json.loads(body or b"null"))
            self._fits(self.bodies[-1], schema, where)
        elif body:
            self.wrong.append(f"{where}: has a body")
        if "{id}" in pattern and not path.rpartition("/")[2].isdigit():
            self.wrong.append(f"{where}: no number")
        return operation

    def answer(self, operation: Any, value: Any) -> Any:
        """The same value, held against the document."""
        if schema := _schema(operation["responses"].get("200", {})):
            self._fits(value, schema, "the answer of the stand-in")
        return value

    def _fits(self, value: Any, schema: Any, where: str) -> None:
        whole = {**schema, "components": document(self.service)["components"]}
        for problem in jsonschema.Draft202012Validator(whole).iter_errors(value):
            self.wrong.append(f"{where}: {problem.message}")

    def do(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        """What the service would do."""
        if self.service == "jellyfin":
            return self._library(method, path, query, body)
        number = path.partition("/rootfolder")[2]
        if number:
            return self._forget(int(number.lstrip("/")))
        if "/rootfolder" not in path:
            profiles = [{"id": 1, "name": "None"}, {"id": 4, "name": "Lossless"}] if path.endswith("profile") else []
            return 200, self.users.get(path.rpartition("/")[2], profiles)
        if method == "GET":
            return 200, [self._folder(path, id_) for path, id_ in self.folders.items()]
        return self._new(body["path"])

    def _new(self, path: str) -> tuple[int, Any]:
        if path in self.folders:
            return 400, [{"propertyName": "Path", "errorMessage": "Path is already configured as a root folder"}]
        if not self.exists(path):
            return 400, [{"propertyName": "Path", "errorMessage": f"Path '{path}' does not exist"}]
        self.folders[path] = 1 + max(self.folders.values(), default=0)
        return 201, self._folder(path, self.folders[path])

    def _forget(self, number: int) -> tuple[int, Any]:
        found = next((path for path, id_ in self.folders.items() if id_ == number), None)
        if found is None:
            return 404, {"message": "NotFound"}
        del self.folders[found]
        return 200, {}

    def _folder(self, path: str, number: int) -> dict[str, Any]:
        made: dict[str, Any] = {"id": number, "path": path, "accessible": True, "freeSpace": 2**40}
        if self.service in DOCUMENTS:
            return {**made, "unmappedFolders": self.unmapped.get(path, [])}
        ids = {"defaultMetadataProfileId": 4, "defaultQualityProfileId": 4}
        options = {"defaultMonitorOption": "all", "defaultNewItemMonitorOption": "all", "defaultTags": []}
        return {**made, "name": "x", **ids, **options}

    def _library(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        if path == "/Items":
            start, limit = int(query["startIndex"][0]), int(query["limit"][0])
            return 200, {"Items": self.items[start : start + limit]}
        if method == "POST":
            if not self.exists(body["PathInfo"]["Path"]):
                return 400, None
            self.folders[body["PathInfo"]["Path"]] = body["Name"]
        if method == "DELETE":
            self.folders.pop(query["path"][0], None)
        if method != "GET":
            return 204, None
        return 200, [
            {"Name": name, "CollectionType": kind, "ItemId": f"id-{name}",
             "Locations": [path for path, library in self.folders.items() if library == name]}
            for name, kind in self.libraries.items()
        ]  # fmt: skip


def _operation_of(found: dict[str, Any], method: str, path: str) -> tuple[str, Any]:
    head, _, last = path.rpartition("/")
    for pattern in (path, f"{head}/{{id}}" if last else ""):
        if operation := found["paths"].get(pattern, {}).get(method.lower()):
            return pattern, operation
    return "", None


def _schema(part: dict[str, Any]) -> Any:
    return part.get("content", {}).get("application/json", {}).get("schema")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "stand-in"

    def _handle(self) -> None:
        own: StandIn = self.server.stand_in  # type: ignore[attr-defined]
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        own.asked.append(f"{self.command} {self.path}")
        fault = own.faults[self.command].popleft() if own.faults.get(self.command) else None
        given = self.headers.get("X-Api-Key") or self.headers.get("Authorization", "")
        expected = f'MediaBrowser Token="{own.key}"' if own.service == "jellyfin" else own.key
        if given != expected:
            self._send(401, b'{"error": "Unauthorized"}')
            return
        if not parts.path.startswith(own.base + "/"):
            self._send(307, b"", Location=own.base + self.path)
            return
        path = parts.path.removeprefix(own.base)
        query = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        operation = own.check(self.command, path, query, body, self.headers.get("Content-Type", ""))
        if operation is None:
            self._send(404, b"{}")
            return
        if fault and not fault.after:
            self._fault(fault, own)
            return
        status, value = own.do(self.command, path, query, json.loads(body) if body else None)
        if fault:
            self._fault(fault, own)
            return
        told = own.answer(operation, value) if status < 300 else value
        self._send(status, b"" if told is None or status == 204 else json.dumps(told).encode())

    do_GET = do_POST = do_DELETE = do_PUT = _handle  # noqa: N815 - http.server's names

    def _fault(self, fault: Fault, own: StandIn) -> None:
        if fault.silent:
            own.released.wait(60)
            self.close_connection = True
            return
        self._send(fault.status, fault.body, fault.type, cut=fault.cut, **fault.headers)

    def _send(
        self, status: int, body: bytes, kind: str = "application/json", *, cut: bool = False, **more: str
    ) -> None:
        self.send_response(status)
        for name, value in {**({"Content-Type": kind} if kind else {}), **more}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) + (10 if cut else 0)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.close_connection or cut

    def log_message(self, *words: Any) -> None:
        """A test says itself what matters."""


@contextmanager
def running(service: str, **state: Any) -> Iterator[StandIn]:
    """A stand-in on a free port of this machine."""
    document(service)
    own = StandIn(service, **state)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.stand_in = own  # type: ignore[attr-defined]
    own.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield own
    finally:
        own.released.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextmanager
def several(record: Callable[[str, object], None]) -> Iterator[Callable[..., StandIn]]:
    """Starts stand-ins; in the end nothing that they were asked was unlike their documents."""
    made: list[StandIn] = []
    with ExitStack() as stack:

        def begin(service: str, **state: Any) -> StandIn:
            made.append(stack.enter_context(running(service, **state)))
            record(FIGURE, 1)
            return made[-1]

        yield begin
    assert [problem for one in made for problem in one.wrong] == []
