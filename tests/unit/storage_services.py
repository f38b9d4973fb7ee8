"""A stack with stand-ins for the services that storage sync asks, and drives that are directories."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests import arr_server, making
from tests import stacks as saved
from tests.arr_server import KEY, StandIn
from usenet.actions.storage import clients, sync
from usenet.actions.storage.shelf import Shelf
from usenet.adapters import rest, settings, stack
from usenet.adapters.engine import Container
from usenet.adapters.home import Home
from usenet.adapters.storage import roots as disk
from usenet.domain.settings import Settings
from usenet.domain.storage.marker import Marker
from usenet.domain.storage.seen import Held, Place, Seen


@dataclass
class Bench:
    """A stack with stand-ins for its services, and drives that are directories; `mounted` are those that are there."""

    home: Home
    start: Callable[..., StandIn]
    services: dict[str, StandIn] = field(default_factory=dict)
    mounted: list[str] = field(default_factory=list)
    running: list[str] = field(default_factory=list)

    def use(self, *names: str, **state: Any) -> list[StandIn]:
        """Turn services on, with a stack that was written."""
        made = [self.start(name, exists=self.seen, **state) for name in names]
        self.services |= dict(zip(names, made, strict=True))
        self.running = list(self.services)
        self.write({"services": {name: {"port": one.port} for name, one in self.services.items()}})
        host = saved.HOSTS["vm-bare"]
        stack.write(self.home, saved.stack(host, saved.plan(host, self.settings)).files, ())
        return made

    def write(self, changes: dict[str, Any]) -> None:
        path = self.home.settings
        old = json.loads(path.read_text()) if path.exists() else {"images": "pull"}
        path.write_text(json.dumps({**old, **changes}))

    def drives(self, *names: str, **changes: Any) -> None:
        """What usenet.yaml says of drives; all are mounted."""
        self.write({"storage": {"drives": {name: {"uuid": name, "type": "ext4", **changes} for name in names}}})
        self.mounted = list(names)
        for name in names:
            (self.home.path / "data/drives" / name).mkdir(parents=True, exist_ok=True)

    @property
    def settings(self) -> Settings:
        return settings.load(self.home)

    def seen(self, path: str) -> bool:
        """Whether a container would find a path."""
        return (self.home.path / "data" / Path(path).relative_to("/data")).is_dir()

    def observe(self, home: Home, **_: object) -> Shelf:
        data = str(home.path / "data")
        wanted = self.settings
        places = {name: self.place(name) for name in {*wanted.storage.drives, *self.mounted}}
        top = home.path.stat()
        own = Seen(data=data, shared=True, places=places, stack="s", uid=top.st_uid, gid=top.st_gid)
        return Shelf(home, wanted, making.host(), own)

    def place(self, name: str) -> Place:
        held = Held(source=f"/dev/{name}", marker=Marker(stack="s", name=name, uuid=name))
        return Place(held=held if name in self.mounted else None)

    def containers(self, home: Home, project: str) -> dict[str, Container]:
        made = Container(id="1", name="x", project=project, service="", directory="", image="", state="", status="")
        return {n: made._replace(service=n, state="running" if n in self.running else "exited") for n in self.services}

    def sync(self, *, dry_run: bool = False) -> sync.Synced:
        return sync.sync(self.home, dry_run=dry_run, say=lambda words: None)

    @property
    def record(self) -> set[tuple[str, str]]:
        return {(one.service, one.path) for one in disk.remembered(self.home)}


@contextmanager
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> Iterator[Bench]:
    """One, with a key for each service."""
    home = Home(tmp_path / "home")
    home.path.mkdir()
    keys = [f"{name.upper()}_API_KEY={KEY}\n" for name in clients.SERVICES]
    home.env.write_text("".join(keys))
    home.env.chmod(0o600)
    with arr_server.several(record_property) as begin:
        made = Bench(home, begin)
        monkeypatch.setattr(sync, "observe", made.observe)
        monkeypatch.setattr(clients.ours, "containers", made.containers)
        monkeypatch.setattr(rest, "PAUSES", (0.0, 0.0, 0.0))
        yield made
