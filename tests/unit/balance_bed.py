"""Two branches on one filesystem, with a film that has two names."""

from __future__ import annotations

import os
from pathlib import Path

from usenet.adapters.home import Home
from usenet.adapters.storage import balancing, copying, recovering
from usenet.domain.storage.balance import Move

PATHS = ("downloads/film.mkv", "media/films/film.mkv")
CONTENT = os.urandom(3 * copying.CHUNK + 17)


class Bed:
    """The film is on `a`; it is to move to `b`."""

    def __init__(self, folder: Path, content: bytes = CONTENT) -> None:
        self.home = Home(folder / "home")
        self.roots = {"a": folder / "a", "b": folder / "b"}
        for path in (self.home.path, *self.roots.values()):
            path.mkdir(parents=True)
        films, downloads = self.roots["a"] / "media" / "films", self.roots["a"] / "downloads"
        films.mkdir(parents=True)
        downloads.mkdir(mode=0o750)
        downloads.chmod(0o2750)
        self.file = films / "film.mkv"
        self.file.write_bytes(content)
        os.link(self.file, downloads / "film.mkv")
        self.file.chmod(0o640)
        os.setxattr(self.file, "user.note", b"kept")
        os.utime(self.file, ns=(1_000_000_001, 1_500_000_000_123_456_789))
        self.move = Move(paths=PATHS, size=len(content), source="a", target="b")

    def recover(self) -> str:
        return recovering.recover(self.home, self.roots, self.roots)

    def run(self) -> str:
        return self.recover() or balancing.move(self.move, self.roots, 0, self.home)

    def names(self, branch: str) -> list[str]:
        root = self.roots[branch]
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())

    def contents(self, path: str) -> list[bytes]:
        """What has a name, on whichever branches."""
        return [(root / path).read_bytes() for root in self.roots.values() if (root / path).exists()]
