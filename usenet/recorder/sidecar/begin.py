"""The parts put together: the one place that knows all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from usenet.recorder.sidecar import auth, service
from usenet.recorder.sidecar.asked import NAME, Asked
from usenet.recorder.sidecar.feeds import CameraFeed
from usenet.recorder.sidecar.ground import Ground, Living
from usenet.recorder.sidecar.keeper import Keeper
from usenet.recorder.sidecar.post import Feed, Post
from usenet.recorder.sidecar.recovery import Recovery
from usenet.recorder.sidecar.station import Station
from usenet.recorder.sidecar.wishes import Camera, Config, Uploading
from usenet.recorder.upload import targets
from usenet.recorder.upload.uploader import Uploads, is_uploaded

Opens = Callable[[Camera, Sequence[Ground]], Feed]


def begin(config: Config, feed: Opens = CameraFeed) -> int:
    """Run until told to stop; the exit code."""
    return service.run(station(config, feed), auth.token(config.token_file), config)


def station(config: Config, feed: Opens) -> Station:
    """Everything, with nothing begun yet."""
    living = Living()
    recovery = Recovery(config.places, config.recovering, living.now)
    names = config.uploading.names
    keepers = tuple(Keeper(place, config.budget, lambda path: is_uploaded(path, names)) for place in config.places)
    grounds = tuple(Ground(keeper, recovery, living) for keeper in keepers)
    asked = Asked(config.token_file.with_name(NAME))
    posts = {
        name: Post(camera, lambda one: feed(one, grounds), asked.forget) for name, camera in config.cameras.items()
    }
    return Station(
        config,
        posts,
        keepers,
        recovery,
        uploads=_uploads(config),
        asked=asked,
        fsync_p99_ms=lambda: max(ground.coordinator.fsync_p99_ms for ground in grounds),
    )


def _uploads(config: Config) -> Uploads:
    wished: Uploading = config.uploading
    return targets.uploads(wished.targets, [place.directory for place in config.places], wished.prefix)
