"""Where samples come from: cameras and streams as libav gives them, kept apart from each other and from the drive."""
