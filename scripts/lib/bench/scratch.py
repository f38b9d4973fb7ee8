"""Stack directories and an image of the bench's own, all of it gone at the end."""

from __future__ import annotations

import json
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from secrets import token_hex

from bench.timing import run

RECIPE = "ARG BASE\nFROM ${BASE}\nRUN apt-get update -q && apt-get install -qy --no-install-recommends busybox\n"
SERVE = "mkdir -p /tmp/w && echo up >/tmp/w/index.html && exec busybox httpd -f -p 8000 -h /tmp/w"
ASK = ["busybox", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8000/"]
LABEL = "com.docker.compose.project"


@dataclass
class Stack:
    """A stack of small web servers in waves, each of which needs one service of the wave before."""

    home: Path
    name: str
    waves: tuple[tuple[str, ...], ...]
    ports: dict[str, int] = field(default_factory=dict)

    def usenet(self, *words: str) -> list[str]:
        return [*usenet(), "--home", str(self.home), *words]

    def compose(self, *words: str) -> list[str]:
        """Raw Compose on the rendered file, without a word of ours."""
        return ["docker", "compose", "-f", str(self.home / "stack" / "compose.yaml"), *words]

    def answering(self) -> None:
        """Return once every port answers as a service that is up does."""
        waiting, until = set(self.ports.values()), time.monotonic() + 60
        while waiting and time.monotonic() < until:
            waiting -= {port for port in waiting if _answers(port)}
            time.sleep(0.02 if waiting else 0)
        if waiting:
            raise RuntimeError(f"{self.name}: no answer on {sorted(waiting)}")

    def clear(self) -> None:
        """Remove its containers and networks, and only those."""
        ours = ["--filter", f"label={LABEL}={self.name}"]
        for kind, listing in (("container", ["ls", "-aq"]), ("network", ["ls", "-q"])):
            found = run(["docker", kind, *listing, *ours])[1].split()
            if found:
                run(["docker", kind, "rm", *(["-f", "-v"] if kind == "container" else []), *found])


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def usenet() -> list[str]:
    """The installed command beside this Python, as a person runs it; else the module."""
    installed = Path(sys.executable).parent / "usenet"
    return [str(installed)] if installed.is_file() else [sys.executable, "-m", "usenet"]


class Scratch:
    """Everything that a run of the bench makes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tag = folder.name.lower()
        self.stacks: list[Stack] = []
        self._ports = _free_ports()
        self._image = ""

    def image(self) -> str:
        """A small image with a web server, made on first use (from the build cache where it was made before)."""
        if not self._image:
            from usenet.adapters import images

            base = images.base(lambda _: None)
            self._image = f"{self.tag}/web:1"
            recipe = self.folder / "web"  # a folder: with a recipe on stdin docker leaves files in $TMPDIR
            recipe.mkdir()
            (recipe / "Dockerfile").write_text(RECIPE)
            command = ["docker", "build", "-q", "-t", self._image, "--build-arg", f"BASE={base}", str(recipe)]
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
        return self._image

    def stack(self, sizes: Sequence[int], *, checked: bool) -> Stack:
        """A stack directory with one wave for each of `sizes`; with `checked` the image can check itself."""
        name = f"{self.tag}-{len(self.stacks)}"
        waves = tuple(tuple(f"w{wave}-n{n}" for n in range(size)) for wave, size in enumerate(sizes))
        waves = tuple(tuple(word.replace("-", "") for word in wave) for wave in waves)
        home = self.folder / name
        (home / "services").mkdir(parents=True)
        made = Stack(home, name, waves, {one: next(self._ports) for wave in waves for one in wave})
        self.stacks.append(made)
        for number, wave in enumerate(waves):
            needs = waves[number - 1] if number else ()
            for place, service in enumerate(wave):
                need = [needs[place % len(needs)]] if needs else []
                _write(home / "services" / f"{service}.yaml.j2", self.image(), need, checked=checked)
        own = {service: {"port": port} for service, port in made.ports.items()}
        (home / "usenet.yaml").write_text(json.dumps({"name": name, "services": own}))  # JSON is YAML
        return made

    def remove(self) -> None:
        for stack in self.stacks:
            stack.clear()
        if self._image:
            run(["docker", "rmi", "-f", self._image])
        shutil.rmtree(self.folder)


def _write(path: Path, image: str, needs: Iterable[str], *, checked: bool) -> None:
    head = {
        "title": path.name.partition(".")[0],
        "about": "A web server of the bench",
        "group": "other",
        "role": "local",
        "image": image,
        "family": "official",
        "ports": [{"container": 8000}],
        "needs": list(needs),
        "health": {"http": "/", "start_period": 60, **({"command": ASK} if checked else {})},
        "wants": {"memory": "16M", "load": "light"},
    }
    body = f'{{% include "base.yaml.j2" %}}\ncommand: {json.dumps(["sh", "-c", SERVE])}\n'
    path.write_text(f"{json.dumps(head)}\n---\n{body}")


def _free_ports() -> Iterator[int]:
    """Ports that nobody holds, below those that the kernel gives to outgoing connections; each comes once."""
    for port in random.sample(range(12000, 30000), 18000):
        with socket.socket() as attempt:
            taken = attempt.connect_ex(("127.0.0.1", port)) == 0
        if not taken:
            yield port


@contextmanager
def scratch() -> Iterator[Scratch]:
    """A Scratch that is removed at the end, on Ctrl-C too."""
    # Not mkdtemp: its names may have an underscore, and this one becomes the name of stacks.
    folder = Path(tempfile.gettempdir(), f"usenet-bench-{token_hex(4)}")
    folder.mkdir(mode=0o700)
    made = Scratch(folder)
    try:
        yield made
    finally:
        made.remove()
