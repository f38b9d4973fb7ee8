"""All cameras and places of one process: what is asked for from outside is done here, and nowhere else."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from usenet.recorder.errors import Damaged, RecorderError
from usenet.recorder.sidecar import inventory, protect
from usenet.recorder.sidecar.answers import Refused
from usenet.recorder.sidecar.asked import Asked, Wish
from usenet.recorder.sidecar.figures import figures
from usenet.recorder.sidecar.keeper import Keeper
from usenet.recorder.sidecar.metrics import Figure
from usenet.recorder.sidecar.post import Post
from usenet.recorder.sidecar.recovery import Recovery
from usenet.recorder.sidecar.serving import FileView, View
from usenet.recorder.sidecar.snapshots import Snapshots
from usenet.recorder.sidecar.wishes import Config
from usenet.recorder.upload.uploader import Uploads

log = logging.getLogger("usenet.recorder.station")

Told = dict[str, object]


class Station:
    """Threads may ask at the same time."""

    def __init__(
        self,
        config: Config,
        posts: dict[str, Post],
        keepers: tuple[Keeper, ...],
        recovery: Recovery,
        *,
        uploads: Uploads,
        asked: Asked,
        fsync_p99_ms: Callable[[], float],
    ) -> None:
        self.config, self.posts, self.keepers, self.recovery = config, posts, keepers, recovery
        self.uploads, self.fsync_p99_ms = uploads, fsync_p99_ms
        self._asked = asked
        self._snapshots = Snapshots()
        self._opening, self._closed = threading.Lock(), False
        self._began = time.time()
        self.phase, self.ready = "recovering what was cut off", False

    def open(self) -> None:
        """Recover, then begin with what is to be recorded always, and go on with what was asked for before.

        From here on work is accepted.
        """
        self.recovery.first()
        with self._opening:
            if self._closed:
                return
            self.uploads.start()
            for post in self.posts.values():
                if post.camera.enabled:
                    post.start(None)
            self._go_on()
            self.ready, self.phase = True, "recording"

    def close(self) -> list[str]:
        """Finish everything, all cameras at the same time; the names of those that could not be finished."""
        with self._opening:
            self._closed, self.ready, self.phase = True, False, "stopping"
        running = [post for post in self.posts.values() if post.recording]
        with ThreadPoolExecutor(1 + len(running), "stop") as pool:
            uploads = pool.submit(self.uploads.stop)
            failed = [name for name in pool.map(_finish, running) if name]
            uploads.result()
            return failed

    def look(self) -> None:
        """What has to be looked after from time to time: room on the drives, drives that came back."""
        for keeper in self.keepers:
            if keeper.look() == "stop":
                self._stop_all(keeper)
        self.recovery.again()

    def start(self, camera: str, seconds: float | None) -> Told:
        if not self.ready:
            raise Refused(503, "not_ready", f"the recorder is {self.phase}", hint="ask again when it is ready")
        post = self._post(camera)
        told = post.start(seconds)
        if not post.camera.enabled:
            self._asked.remember(camera, Wish(None if seconds is None else time.time() + seconds, seconds))
            if not post.recording:  # somebody stopped it at this moment
                self._asked.forget(camera)
        return told

    def stop(self, camera: str) -> Told:
        post = self._post(camera)
        try:
            return post.stop()
        finally:
            self._asked.forget(camera)

    def rotate(self, camera: str) -> Told:
        return self._post(camera).rotate()

    def cameras(self) -> list[Told]:
        return [post.told() for post in self.posts.values()]

    def status(self) -> Told:
        """All of it, from memory alone."""
        return {
            "ready": self.ready,
            "phase": self.phase,
            "since": inventory.iso_of(self._began),
            "cameras": self.cameras(),
            "places": [{"directory": str(k.place.directory)} | asdict(k.sight) for k in self.keepers],
            "fsync_p99_ms": self.fsync_p99_ms(),
            "recovery": self.recovery.told(),
            "uploads": [asdict(one) for one in self.uploads.metrics],
        }

    def figures(self) -> Iterator[Figure]:
        return figures(self)

    def recordings(
        self, camera: str | None, since: datetime | None, until: datetime | None, limit: int, offset: int
    ) -> Told:
        """Those that began in [since, until), the newest first; `total` counts all of them."""
        low, high = inventory.stamp(since) if since else "", inventory.stamp(until) if until else "~"
        found = [
            (name, of, keeper.place.directory)
            for keeper in self.keepers
            for name, of in inventory.listed(keeper.place.directory)
            if camera in (None, of) and low <= name[:20] < high
        ]
        told = []
        for name, of, directory in sorted(found, reverse=True)[offset : offset + limit]:
            with suppress(FileNotFoundError):  # deleted, or finished, at this moment
                told.append(inventory.describe(of, directory / of / name).told())
        return {"recordings": told, "total": len(found)}

    def protect(self, camera: str, name: str, reason: str) -> Told:
        path = self._found(camera, name)
        protect.protect(path, reason, inventory.iso_of(time.time()))
        log.info("protected", extra={"event": "protect", "camera": camera, "file": name, "reason": reason})
        return self._described(camera, name)

    def release(self, camera: str, name: str) -> Told:
        path = self._found(camera, name)
        if protect.release(path):
            log.info("no longer protected", extra={"event": "release", "camera": camera, "file": name})
        return self._described(camera, name)

    def view(self, camera: str, name: str, at: int | None) -> View | int:
        """A recording to read from. For a live one `at` names a snapshot; without it, the number of a new one."""
        final = self._found(camera, name).with_name(name)
        if at is not None and (view := self._snapshots.at(final, at)):
            return view
        with suppress(FileNotFoundError):
            return FileView(final)
        if at is not None:
            raise Refused(410, "gone", f"{camera}/{name} has grown since", hint="ask again without ?at")
        try:
            return self._snapshots.new(final)
        except FileNotFoundError:  # it was finished at this moment
            return FileView(final)
        except Damaged:
            raise
        except RecorderError as error:
            raise Refused(503, "nothing_yet", error.message, hint=error.hint) from error

    def _described(self, camera: str, name: str) -> Told:
        try:
            return inventory.describe(camera, self._found(camera, name)).told()
        except FileNotFoundError:  # it was finished at this moment
            return inventory.describe(camera, self._found(camera, name)).told()

    def _found(self, camera: str, name: str) -> Path:
        for keeper in self.keepers:
            if path := inventory.find(keeper.place.directory, camera, name):
                return path
        raise Refused(404, "no_recording", f"there is no recording {camera}/{name}", hint="see: GET /recordings")

    def _post(self, camera: str) -> Post:
        if post := self.posts.get(camera):
            return post
        known = ", ".join(self.posts) or "none"
        raise Refused(404, "no_camera", f"there is no camera {camera}", hint=f"there are: {known}")

    def _go_on(self) -> None:
        """With what was asked for before a restart, as long as it was to be; what can't be begun holds up no other."""
        for camera, wish in self._asked.now().items():
            post, left = self.posts.get(camera), wish.left(time.time())
            if post is None or post.camera.enabled or (left is not None and left <= 0):
                self._asked.forget(camera)
                continue
            try:
                post.start(left)
            except (RecorderError, OSError) as error:
                log.error("can't go on", extra={"event": "go on", "camera": camera, "why": str(error)})
            else:
                log.info("it was asked for before the restart", extra={"event": "go on", "camera": camera})

    def _stop_all(self, keeper: Keeper) -> None:
        """The budget says stop: what is recorded into this place is finished."""
        for post in self.posts.values():
            if post.recording and Path(keeper.place.directory) == self._directory(post):
                log.warning("stopped by the budget", extra={"event": "budget", "camera": post.camera.name})
                _finish(post, keeper.sight.error)
                self._asked.forget(post.camera.name)

    def _directory(self, post: Post) -> Path | None:
        """The place that a camera records into now."""
        name = post.report.segment
        places = (keeper.place.directory for keeper in self.keepers if name)
        return next((one for one in places if inventory.find(one, post.camera.name, name)), None)


def _finish(post: Post, why: str = "") -> str:
    """Stop one; its name where that failed."""
    try:
        post.stop(why)
    except (RecorderError, OSError) as error:
        if isinstance(error, Refused) and not post.recording:
            return ""  # somebody else stopped it at this moment
        log.error("could not be finished", extra={"event": "stop", "camera": post.camera.name, "why": str(error)})
        return post.camera.name
    return ""
