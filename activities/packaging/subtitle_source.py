"""Where the subtitles of a stream come from: a file that the topology names, or a text track.

`WebVTTSubtitleURL` and `InputConfig` name a file, which an execution may replace (AddMedia's
OverrideParams). Without them it is a text track inside the input. Pure. Specification: topology,
4.2 and 5.2.
"""

from collections.abc import Iterator, Sequence
from urllib.parse import quote

from activities.languages import primary
from activities.objects import SOURCE_NAMES, name_faults, object_of
from activities.packaging.models import SubtitleFile
from activities.packaging.package import StreamNode, StreamParameters, group_parameters
from activities.probe import MediaInfo, SubtitleStream
from activities.subtitles import SubtitleFormat
from workflow_engine.activity import (
    ActivityError,
    Code,
    InvalidInputError,
    Names,
    ObjectRef,
    Problem,
    check_key,
)

#: what ffmpeg calls subtitles that are texts, and how each is taken out unchanged; the others
#: become ass, which keeps their styles
TEXT_CODECS = {
    "webvtt": ("copy", "webvtt"),
    "subrip": ("copy", "srt"),
    "srt": ("copy", "srt"),
    "ass": ("copy", "ass"),
    "ssa": ("copy", "ass"),
    "mov_text": ("ass", "ass"),
    "text": ("ass", "ass"),
}
#: formats that an InputConfig may mean
FORMATS = {
    "vtt": (SubtitleFormat.WEBVTT,),
    "ttml": (SubtitleFormat.TTML,),
    "stl": (SubtitleFormat.EBU_STL, SubtitleFormat.SPRUCE_STL),
}
_UNKNOWN = "und"


def subtitle_file(parameters: StreamParameters) -> tuple[ObjectRef, str] | None:
    """Return the subtitle file that a stream names, and the pointer to its name.

    Its key may hold placeholders, and is URL-encoded. None: it names none.
    """
    if parameters.web_vtt_subtitle_url:
        return _encoded(parameters.web_vtt_subtitle_url), "/WebVTTSubtitleURL"
    if parameters.input_config:
        return _named(parameters.input_config.input_file)
    return None


def file_faults(parameters: StreamParameters) -> Iterator[Problem]:
    """Yield what is wrong with the name of a subtitle file, by pointers into its activity."""
    if found := subtitle_file(parameters):
        ref, pointer = found
        yield from name_faults(ref.object, SOURCE_NAMES, f"/Parameters{pointer}")


def filled(ref: ObjectRef, names: Names) -> ObjectRef:
    """Return the file for one input. Raises ActivityError (`InvalidParameter.ObjectKeyInvalid`)."""
    key = names.fill(ref.object)
    try:
        check_key(key)
    except InvalidInputError as error:
        raise error.as_(ActivityError) from None
    return ObjectRef(bucket=ref.bucket, object=key, location=ref.location)


def language_of(stream: StreamNode) -> str:
    """Return the language that the topology gives to a stream, empty where it gives none."""
    parameters, group = stream.parameters, stream.group
    if stream.protocol == "hls":
        media = parameters.ext_x_media if parameters else None
        return (media.language if media else None) or ""
    own = group_parameters(group) if group else None
    return (own.adaptation_set.lang if own and own.adaptation_set else None) or ""


def text_track(media: MediaInfo, language: str, name: str, track: str = "") -> SubtitleStream:
    """Return the text track of an input for the stream of this name.

    It is the one that `track` names (`0:s:1`), else the one in the language, the default one of
    several; without a language, the default or the first one. Raises ActivityError where there is
    none.
    """
    if track:
        return _mapped(media, name, track)
    texts = [one for one in media.subtitles if one.codec in TEXT_CODECS]
    fitting = [one for one in texts if not language or primary(one.language) == primary(language)]
    if not fitting and [one.language for one in texts] == [_UNKNOWN]:
        # a lone track that tells no language
        fitting = texts
    if fitting:
        return next((one for one in fitting if one.default), fitting[0])
    wanted = f' in the language "{language}"' if language and texts else ""
    raise ActivityError(
        Code.RESOURCE_NOT_FOUND,
        f'The subtitle stream "{name}" names no file, and the input has no text track{wanted}: '
        f"{_there(media.subtitles)}.",
        remedy="Give WebVTTSubtitleURL, in the topology or with OverrideParams of the execution.",
    )


def _mapped(media: MediaInfo, name: str, track: str) -> SubtitleStream:
    number = int(track.rpartition(":")[2])
    found = next((one for one in media.subtitles if one.position == number), None)
    if found is None or found.codec not in TEXT_CODECS:
        raise ActivityError(
            Code.RESOURCE_NOT_FOUND,
            f'The subtitle stream "{name}" takes the text track "{track}", and the input has none '
            f"there: {_there(media.subtitles)}.",
            pointer="/SubtitleStreamMap",
            remedy="Take SubtitleStreamMap out, or name a track of text, counted from 0.",
        )
    return found


def _there(tracks: Sequence[SubtitleStream]) -> str:
    if not tracks:
        return "it has no subtitles at all"
    told = (f"{one.language} ({one.codec or 'unknown codec'})" for one in tracks)
    return f"its subtitles are {', '.join(told)}"


def _encoded(url: str) -> ObjectRef:
    ref = object_of(url)
    # the key of a URL is decoded already, that of an object is not
    return ObjectRef(bucket=ref.bucket, object=quote(ref.object, safe="/{}"))


def _named(file: SubtitleFile) -> tuple[ObjectRef, str]:
    base = "/InputConfig/InputFile"
    if file.url:
        return _encoded(file.url), f"{base}/URL"
    bucket, key = file.bucket or "", file.object or ""
    return ObjectRef(bucket=bucket, object=key, location=file.location or ""), f"{base}/Object"
