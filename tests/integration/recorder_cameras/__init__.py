"""Cameras to record from: films behind real RTSP servers, GStreamer's and, where it is on PATH, MediaMTX."""
