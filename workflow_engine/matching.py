"""Which objects start which workflows (specification, topology, 10).

>>> starts_a_run("clips/clip.MP4"), starts_a_run("clips/clip"), starts_a_run("clips/clip.jpg")
(True, True, False)
"""

from workflow_engine.catalog.records import WorkflowRecord

_VIDEO = (
    "3gp asf avi dat dv f4v flv gif m2t m3u8 m4v mj2 mjpeg mkv mov mp4 mpe mpeg mpg mts ogg qt rm "
    "rmvb swf ts vob webm wmv"
)
_AUDIO = "aac ac3 acm aiff amr ape caf flac m4a mp3 ra wav wma"
#: of files that start a run, in lower case
TRIGGER_EXTENSIONS = frozenset(f"{_VIDEO} {_AUDIO}".split())


def matches(workflow: WorkflowRecord, key: str) -> bool:
    """Tell whether an object of the workflow's bucket starts it, if it is active.

    The prefix is compared as it is: no slash is implied, and `a/clip` matches `a/clip2.mp4`.
    """
    return key.startswith(workflow.prefix) and starts_a_run(key)


def starts_a_run(key: str) -> bool:
    """Tell whether the name has no extension at all, or one of audio or video in any case."""
    _, dot, extension = key.rpartition("/")[2].rpartition(".")
    return not dot or extension.lower() in TRIGGER_EXTENSIONS


def is_candidate(key: str) -> bool:
    """Tell whether a key may be one of a finished object: no folder, nothing hidden, no `*.part`.

    A hidden or unfinished folder hides what is in it, as listings do.
    """
    return not any(not part or part[0] == "." or part.endswith(".part") for part in key.split("/"))
