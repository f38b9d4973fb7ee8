"""Films of every codec and kind of track, made by ffmpeg, recorded by us, and read back by others."""
