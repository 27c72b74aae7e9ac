"""What the key of an object tells of it: whether it may start a run (specification, topology, 10).

>>> starts_a_run("clips/clip.MP4"), starts_a_run("clips/clip"), starts_a_run("clips/clip.jpg")
(True, True, False)
>>> name_fault("clips/.clip.mp4")
'".clip.mp4" is a hidden name'
"""

_VIDEO = (
    "3gp asf avi dat dv f4v flv gif m2t m3u8 m4v mj2 mjpeg mkv mov mp4 mpe mpeg mpg mts ogg qt rm "
    "rmvb swf ts vob webm wmv"
)
_AUDIO = "aac ac3 acm aiff amr ape caf flac m4a mp3 ra wav wma"
#: of files that start a run, in lower case
TRIGGER_EXTENSIONS = frozenset(f"{_VIDEO} {_AUDIO}".split())


def starts_a_run(key: str) -> bool:
    """Tell whether the name has no extension at all, or one of audio or video in any case."""
    _, dot, extension = key.rpartition("/")[2].rpartition(".")
    return not dot or extension.lower() in TRIGGER_EXTENSIONS


def is_candidate(key: str) -> bool:
    """Tell whether a key may be one of a finished object: no folder, nothing hidden, no `*.part`.

    A hidden or unfinished folder hides what is in it, as listings do.
    """
    return not name_fault(key)


def name_fault(key: str) -> str:
    """Return a clause that says why no object of this name starts anything, "" when one may."""
    for part in key.split("/"):
        if not part:
            return "it is a folder" if key.endswith("/") else "its key has an empty part"
        if part[0] == ".":
            return f'"{part}" is a hidden name'
        if part.endswith(".part"):
            return f'"{part}" is the name of an unfinished file'
    return ""
