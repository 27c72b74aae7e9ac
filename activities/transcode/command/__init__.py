"""A rendition as a value, and the ffmpeg commands that make it. Nothing runs here."""
