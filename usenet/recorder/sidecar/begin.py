"""The parts put together: the one place that knows all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from usenet.recorder.sidecar import auth, service
from usenet.recorder.sidecar.feeds import CameraFeed
from usenet.recorder.sidecar.ground import Ground, Living
from usenet.recorder.sidecar.keeper import Keeper
from usenet.recorder.sidecar.post import Feed, Post
from usenet.recorder.sidecar.recovery import Recovery
from usenet.recorder.sidecar.station import Station
from usenet.recorder.sidecar.uploaded import uploaded
from usenet.recorder.sidecar.wishes import Camera, Config

Opens = Callable[[Camera, Sequence[Ground]], Feed]


def begin(config: Config, feed: Opens = CameraFeed) -> int:
    """Run until told to stop; the exit code."""
    return service.run(station(config, feed), auth.token(config.token_file), config)


def station(config: Config, feed: Opens) -> Station:
    """Everything, with nothing begun yet."""
    living = Living()
    recovery = Recovery(config.places, config.recovering, living.now)
    keepers = tuple(Keeper(place, config.budget, uploaded) for place in config.places)
    grounds = tuple(Ground(keeper, recovery, living) for keeper in keepers)
    posts = {name: Post(camera, lambda one: feed(one, grounds)) for name, camera in config.cameras.items()}
    return Station(
        config,
        posts,
        keepers,
        recovery,
        fsync_p99_ms=lambda: max(ground.coordinator.fsync_p99_ms for ground in grounds),
    )
