"""What the figures of /metrics are, taken from what is known without asking the drive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from usenet.recorder.sidecar.metrics import Figure

if TYPE_CHECKING:
    from usenet.recorder.sidecar.keeper import Keeper
    from usenet.recorder.sidecar.post import Post
    from usenet.recorder.sidecar.station import Station
    from usenet.recorder.upload.uploader import Metrics


def figures(station: Station) -> Iterator[Figure]:
    """Every figure of the whole process."""
    yield Figure("ready", "1 once work is accepted", station.ready, {})
    yield Figure("fsync_p99_seconds", "How long making data durable took at most, in 99 of 100", _seconds(station), {})
    for post in station.posts.values():
        yield from _of_camera(post)
    for keeper in station.keepers:
        yield from _of_place(keeper)
    for upload in station.uploads.metrics:
        yield from _of_upload(upload)
    recovered = station.recovery.told()
    for name in ("finished", "kept", "nothing"):
        about = "Segments that were cut off, by what recovery made of them"
        yield Figure("recovered_total", about, _number(recovered[name]), {"state": name}, "counter")
    yield Figure("recovery_pending", "Directories not recovered yet", _number(recovered["pending"]), {})
    about = "Chunks that recovery could not keep"
    yield Figure("recovered_dropped_chunks_total", about, _number(recovered["chunks_dropped"]), {}, "counter")


def _of_camera(post: Post) -> Iterator[Figure]:
    of, report = {"camera": post.camera.name}, post.report
    asked = post.recording
    yield Figure("asked", "1 where the camera is to be recorded", asked, of)
    yield Figure("recording", "1 where a segment is being written", asked and bool(report.segment), of)
    yield Figure("connected", "1 where the camera answers", asked and report.connected, of)
    yield Figure("durable_lag_seconds", "What a power cut would cost now", report.durable_lag_s, of)
    yield Figure("reserve_left_ratio", "What is left of the room for the final tables", report.reserve_left, of)
    yield Figure("bytes_total", "Bytes recorded", report.bytes, of, "counter")
    yield Figure("frames_total", "Pictures recorded", report.frames, of, "counter")
    yield Figure("gaps_total", "Times that nothing was recorded, told in the file", report.gaps, of, "counter")
    yield Figure("gap_seconds_total", "How long these were together", report.gap_s, of, "counter")
    yield Figure("reconnects_total", "Times that the camera was connected to anew", report.reconnects, of, "counter")
    yield Figure("waiting_bytes", "Read from the camera and not written yet", report.waiting_bytes, of)
    yield Figure("drops_total", "Samples left out as the drive was too slow", report.drops, of, "counter")


def _of_place(keeper: Keeper) -> Iterator[Figure]:
    of, sight = {"directory": str(keeper.place.directory)}, keeper.sight
    yield Figure("place_ok", "1 where new segments may begin", not sight.error, of)
    yield Figure("used_bytes", "What the recordings take", sight.used, of)
    yield Figure("free_bytes", "What is free on the drive", sight.free, of)
    yield Figure("drive_bytes", "How large the drive is", sight.total, of)
    yield Figure("recordings", "How many recordings there are", sight.recordings, of)
    yield Figure("protected", "How many of them are protected", sight.protected, of)
    yield Figure("evicted_total", "Recordings deleted for room", sight.evicted, of, "counter")
    yield Figure("evicted_bytes_total", "Bytes of these", sight.evicted_bytes, of, "counter")


def _of_upload(upload: Metrics) -> Iterator[Figure]:
    of = {"storage": upload.storage}
    yield Figure("uploaded_segments_total", "Segments whose copy was verified", upload.segments, of, "counter")
    yield Figure("uploaded_bytes_total", "Bytes sent", upload.bytes_sent, of, "counter")
    yield Figure("upload_errors_total", "Tries that failed", upload.errors, of, "counter")
    yield Figure("upload_waiting", "Finished segments without a verified copy", upload.waiting, of)
    yield Figure("upload_lag_seconds", "Age of the oldest of these", upload.lag_s, of)


def _seconds(station: Station) -> float:
    return station.fsync_p99_ms() / 1000


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
