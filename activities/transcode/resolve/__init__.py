"""From one output's settings and one source to a rendition: every number that ffmpeg needs."""
