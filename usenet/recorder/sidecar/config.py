"""What the sidecar is told before it starts: one file, checked as a whole, with every fault in a sentence."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from usenet.recorder.policy import PRESETS, Flush
from usenet.recorder.sidecar.reading import ConfigError, Part, named
from usenet.recorder.sidecar.wishes import (
    CAMERA,
    MOST_CAMERAS,
    Budget,
    Camera,
    Config,
    Listen,
    Marker,
    Place,
    Protect,
    Recovering,
    Uploading,
)

if TYPE_CHECKING:
    from usenet.recorder.upload.targets import Target

_KINDS: tuple[Literal["s3", "azure", "gcs"], ...] = ("s3", "azure", "gcs")
VARIABLE = "USENET_RECORDER_CONFIG"
FIRST = """\
# The recorder's cameras. What else can be set is in docs/recorder-sidecar.md.
directory: {directory}
# marker: {{file: /data/drives/cctv/.usenet-drive.json, id: UUID of the drive}}
# budget: {{max_bytes: 500G, policy: evict}}
cameras: {{}}
#  front-door: {{url: "rtsp://mediamtx:8554/front-door"}}
#  garden: {{url_file: garden.url, segment_seconds: 600}}   # a file, mode 0600, where the address has a password
"""
_OVERRIDES = {  # variable → key of the file
    "USENET_RECORDER_DIRECTORY": "directory",
    "USENET_RECORDER_LISTEN": "listen",
    "USENET_RECORDER_TOKEN_FILE": "token_file",
}


def load(path: Path | None, environment: Mapping[str, str] = os.environ) -> Config:
    """The configuration in a YAML or JSON file; without one, what the variables say, and no camera.

    A variable USENET_RECORDER_DIRECTORY, _LISTEN or _TOKEN_FILE goes before the file. ConfigError names the file,
    the key, what was expected there, and what to do.
    """
    where = str(path) if path else "environment"
    base = path.resolve().parent if path else Path.cwd()
    told = _text(path) if path else {}
    if not isinstance(told, dict):
        raise ConfigError(f"{where}: expected keys and values, found {named(told)}", hint="begin with: cameras: {}")
    told |= {key: environment[name] for name, key in _OVERRIDES.items() if environment.get(name)}
    return _config(Part(told, where), base)


def make(path: Path, directory: str) -> None:
    """Write a first file without cameras where there is none; what is there stays as it is."""
    try:
        # Nobody else reads it: a person may write an address with a password into it.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(FIRST.format(directory=directory))
    except FileExistsError:
        return
    except OSError as error:
        raise ConfigError(f"{path}: a first file can't be written: {error.strerror}", hint="see whose it is") from error


def _text(path: Path) -> object:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file", hint=f"write it, or unset {VARIABLE}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: it can't be read: {error}", hint="give it to the account that records") from error
    try:
        found = json.loads(text) if path.suffix == ".json" else _yaml(text)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}", hint="see the line that it names") from error
    return {} if found is None else found


def _yaml(text: str) -> object:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        raise ValueError(f"{line}{getattr(error, 'problem', None) or error}") from error


def _config(part: Part, base: Path) -> Config:
    uploading = _uploading(part.part("upload"), base)
    budget = _budget(part.part("budget"), uploads=bool(uploading.targets))
    if budget.uploaded_first and not uploading.targets:
        raise part.fault("upload", "storages, as budget/uploaded_first waits for their copies", None)
    config = Config(
        place=Place(part.path("directory", base), _marker(part.part("marker"), base)),
        fallback=_fallback(part.part("fallback"), base),
        cameras=_cameras(part.part("cameras"), base),
        budget=budget,
        uploading=uploading,
        listen=_listen(part),
        token_file=part.path("token_file", base, default="token"),
        recovering=_recovering(part.part("recovery")),
        grace_seconds=part.number("grace_seconds", 25, least=1, most=600),
        log=part.choice("log", ("json", "text"), "json"),
    )
    part.done()
    return config


def _listen(part: Part) -> Listen:
    text = part.text("listen", "127.0.0.1:8095")
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise part.fault("listen", "an address and a port such as 127.0.0.1:8095", text)
    return Listen(host.strip("[]"), int(port))


def _marker(part: Part | None, base: Path) -> Marker | None:
    if part is None:
        return None
    marker = Marker(part.path("file", base), part.text("id"))
    part.done()
    return marker


def _fallback(part: Part | None, base: Path) -> Place | None:
    if part is None:
        return None
    place = Place(part.path("directory", base), _marker(part.part("marker"), base))
    part.done()
    return place


def _budget(part: Part | None, *, uploads: bool) -> Budget:
    """Who has recordings uploaded loses none before its copy is verified, unless that was said."""
    if part is None:
        return Budget(uploaded_first=uploads)
    budget = Budget(
        max_bytes=part.size("max_bytes"),
        max_percent=part.number("max_percent", None, least=1, most=100),
        min_free=part.size("min_free") or Budget().min_free,
        policy=part.choice("policy", ("refuse", "stop", "evict"), "refuse"),
        uploaded_first=part.switch("uploaded_first", default=uploads),
    )
    part.done()
    return budget


def _uploading(part: Part | None, base: Path) -> Uploading:
    if part is None:
        return Uploading()
    storages, prefix = part.part("storages"), part.text("prefix", "")
    part.done()
    if storages is None:
        raise part.fault("storages", "a name and what it is", None, hint="write: storages: {offsite: {kind: s3, …}}")
    return Uploading(tuple(_target(name, storages.part(name) or storages, base) for name in storages.told), prefix)


def _target(name: object, part: Part, base: Path) -> Target:
    from usenet.recorder.upload.layout import storage_name
    from usenet.recorder.upload.targets import Target

    try:
        known = storage_name(str(name))
    except ValueError as error:
        raise ConfigError(f"{part.where}: {error}", hint="call it: offsite") from error
    kind, file = part.choice("kind", _KINDS, "s3"), part.text("credentials", "")
    target = Target(
        name=known,
        kind=kind,
        bucket=part.text("bucket"),
        endpoint=part.text("endpoint", ""),
        region=part.text("region", "us-east-1"),
        account=part.text("account") if kind == "azure" else part.text("account", ""),
        path_style=part.switch("path_style", default=True),
        checksum=part.choice("checksum", ("auto", "sha256", "md5"), "auto"),
        ca=part.text("ca", ""),
        credentials=base / file if file else None,
        rate=part.size("rate") or 0,
    )
    part.done()
    return target


def _recovering(part: Part | None) -> Recovering:
    if part is None:
        return Recovering()
    wish = Recovering(
        part.choice("policy", ("strict", "skip", "align"), "skip"), part.number("seconds", 20, least=0, most=3600)
    )
    part.done()
    return wish


def _cameras(part: Part | None, base: Path) -> dict[str, Camera]:
    names = list(part.told) if part else []
    if part is None:
        return {}
    if len(names) > MOST_CAMERAS:
        raise ConfigError(
            f"{part.where}: {len(names)} cameras are more than the {MOST_CAMERAS} that one process records",
            hint="give the others to a second recorder, with a file and a directory of its own",
        )
    found = {}
    for name in names:
        if not isinstance(name, str) or not CAMERA.fullmatch(name):
            raise ConfigError(
                f'{part.where}: "{name}" can\'t be the name of a camera',
                hint="use small letters, digits, - and _, 63 at most: front-door",
            )
        found[name] = _camera(name, part.part(name) or Part({}, f"{part.where}/{name}"), base)
    part.done()
    return found


def _camera(name: str, part: Part, base: Path) -> Camera:
    url, file = part.text("url", ""), part.text("url_file", "")
    if bool(url) == bool(file):
        raise ConfigError(
            f"{part.where}: expected either url or url_file, found {'both' if url else 'neither'}",
            hint="write: url: rtsp://…, or url_file with a file that holds it, where it has a password",
        )
    camera = Camera(
        name=name,
        url=url,
        url_file=base / file if file else None,
        transport=part.choice("transport", ("tcp", "udp"), "tcp"),
        flush=_flush(part),
        segment_seconds=part.whole("segment_seconds", 900, least=2, most=86400),
        segment_bytes=part.size("segment_bytes") or 4 << 30,
        audio=part.switch("audio", default=True),
        enabled=part.switch("enabled", default=True),
        protect=_protect(part.part("protect")),
        title=part.text("title", ""),
    )
    part.done()
    return camera


def _flush(part: Part) -> Flush:
    """A preset by its name, or each figure by hand; what is left out is as in the default."""
    if not isinstance(part.told.get("flush"), dict):
        return PRESETS[part.choice("flush", tuple(PRESETS), "default")]
    own, usual = part.part("flush") or part, PRESETS["default"]
    flush = Flush(
        own.choice("cut", ("frame", "time", "gop", "bytes"), usual.cut),
        own.whole("chunk_ms", usual.chunk_ms, least=10, most=60_000),
        own.whole("sync_ms", usual.sync_ms, least=10, most=600_000),
        own.size("chunk_bytes") or usual.chunk_bytes,
    )
    own.done()
    return flush


def _protect(part: Part | None) -> Protect | None:
    if part is None:
        return None
    protect = Protect(part.text("reason"))
    part.done()
    return protect
