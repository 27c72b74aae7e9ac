"""HLS playlists as inputs: read here, never by ffmpeg (specification, transcode, 21).

`parse` reads a list and refuses what is not taken, pure; `join` makes one media file of the
segments, and `segments` knows the containers that they come in. Start offers both to the engine,
which opens the objects that a list names.
"""

from activities.playlist.join import join
from activities.playlist.parse import MAX_BYTES, Playlist, is_list, parse

__all__ = ["MAX_BYTES", "Playlist", "is_list", "join", "parse"]
