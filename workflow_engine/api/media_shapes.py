"""Media as answers have them (specification, api, 12; snapshot, 7; mediainfo, 2).

`play_list`, `snapshot_list` and `summary_list` take what a media's runs made, newest first. An
object that an activity wrote in several runs is listed once, as the newest one left it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, NotRequired, TypedDict, cast

from workflow_engine.api.shapes import nested_properties
from workflow_engine.buckets import object_url
from workflow_engine.records import Json, ObjectRef, wire_time
from workflow_engine.records.catalog import MediaRecord
from workflow_engine.store import Published, PublishedOutput
from workflow_engine.topology import parse_topology
from workflow_engine.topology.encoded import decode_json

SNAPSHOT = "Snapshot"
TRANSCODE = "Transcode"
#: containers of moving pictures without sound, which are summaries and not for playing
_PICTURES = frozenset({"gif", "webp"})


class FileShape(TypedDict):
    """An object and what the library knows of its being there."""

    URL: str
    State: str


class FactsShape(TypedDict, total=False):
    """What was found in a media file; what was not is left out."""

    Duration: str
    Format: str
    Size: str
    Bitrate: str
    Fps: str
    Width: str
    Height: str


class MadeShape(TypedDict):
    """Where something that a run made comes from."""

    MediaWorkflowId: str
    MediaWorkflowName: str
    ActivityName: str
    File: FileShape


class PlayShape(MadeShape, FactsShape):
    """An output to play. Encryption is 0 or 1."""

    Encryption: str


class SnapshotShape(MadeShape):
    """The pictures of one activity, by the first of them. Type is Single or Sequence."""

    Type: str
    Count: NotRequired[str]


class SummaryShape(MadeShape):
    """A short moving picture. Type is Gif."""

    Type: str


class TagItems(TypedDict):
    """The list of tags."""

    Tag: list[str]


class RunItems(TypedDict):
    """The list of RunIds."""

    RunId: list[str]


class PlayItems(TypedDict):
    """The list of outputs to play."""

    Play: list[PlayShape]


class SnapshotItems(TypedDict):
    """The list of pictures."""

    Snapshot: list[SnapshotShape]


class SummaryItems(TypedDict):
    """The list of summaries."""

    Summary: list[SummaryShape]


class MediaShape(FactsShape):
    """A media; the last four only where they are asked for."""

    MediaId: str
    File: FileShape
    Title: str
    Description: str
    CateId: NotRequired[int]
    Tags: TagItems
    CoverURL: str
    PublishState: str
    CensorState: str
    RunIdList: RunItems
    CreationTime: str
    PlayList: NotRequired[PlayItems]
    SnapshotList: NotRequired[SnapshotItems]
    SummaryList: NotRequired[SummaryItems]
    MediaInfo: NotRequired[dict[str, Json]]


def media_shape(record: MediaRecord, run_ids: Sequence[str]) -> MediaShape:
    """Return a media with its runs, newest first; nothing is censored by this version."""
    state = "Deleted" if record.deleted else str(record.publish_state)
    shape: MediaShape = {
        "MediaId": record.id,
        "File": _file(record.file, deleted=record.deleted),
        "Title": record.title,
        "Description": record.description,
        "Tags": {"Tag": list(record.tags)},
        "CoverURL": record.cover_url,
        "PublishState": state,
        "CensorState": "Initiated",
        "RunIdList": {"RunId": list(run_ids)},
        "CreationTime": wire_time(record.created),
        **_facts(record.properties),
    }
    if record.category_id is not None:
        shape["CateId"] = record.category_id
    return shape


def media_info(properties: Mapping[str, Json]) -> dict[str, Json]:
    """Return the MediaInfo of a media's properties: Format and Streams."""
    return nested_properties({k: v for k, v in properties.items() if k in ("Format", "Streams")})


def play_list(made: Iterable[Published]) -> list[PlayShape]:
    """Return what Transcode activities made to be played."""
    return [
        {**one.shape(), **one.facts, "Encryption": "0"}
        for one in _once(_renditions(made))
        if not one.is_picture
    ]


def summary_list(made: Iterable[Published]) -> list[SummaryShape]:
    """Return the moving pictures that Transcode activities made."""
    return [{**one.shape(), "Type": "Gif"} for one in _once(_renditions(made)) if one.is_picture]


def snapshot_list(made: Iterable[Published]) -> list[SnapshotShape]:
    """Return what each Snapshot activity made, by its first picture."""
    shapes: list[SnapshotShape] = []
    for one in _once(_first_pictures(made)):
        if _is_sequence(one.by.topology, one.by.activity):
            count = str(one.by.data["Count"])
            shapes.append({**one.shape(), "Type": "Sequence", "Count": count})
        else:
            shapes.append({**one.shape(), "Type": "Single"})
    return shapes


class _Made(NamedTuple):
    """An output with what made it, and what is known of it."""

    by: Published
    ref: ObjectRef
    facts: FactsShape = FactsShape()

    @property
    def is_picture(self) -> bool:
        """Whether it is a moving picture without sound."""
        return self.facts.get("Format") in _PICTURES

    def shape(self) -> MadeShape:
        """Where it lies and what made it."""
        return {
            "MediaWorkflowId": self.by.workflow_id,
            "MediaWorkflowName": self.by.workflow,
            "ActivityName": self.by.activity,
            "File": _file(self.ref),
        }


def _once(found: Iterable[_Made]) -> Iterator[_Made]:
    """Yield the first of those that lie in one place and are of one activity."""
    seen: set[tuple[str, str, ObjectRef]] = set()
    for made in found:
        key = (made.by.workflow_id, made.by.activity, made.ref)
        if key not in seen:
            seen.add(key)
            yield made


def _renditions(made: Iterable[Published]) -> Iterator[_Made]:
    for by in made:
        if by.type == TRANSCODE:
            for output, told in _told(by):
                yield _Made(by, output.ref, {**_facts(output.media), **told})


def _first_pictures(made: Iterable[Published]) -> Iterator[_Made]:
    for by in made:
        if by.type == SNAPSHOT and by.outputs:
            yield _Made(by, by.outputs[0].ref)


def _told(made: Published) -> Iterator[tuple[PublishedOutput, FactsShape]]:
    """Pair the media among a Transcode's outputs with what its result says of each.

    The probe of a playlist knows neither its container nor the size of its segments.
    """
    media = [output for output in made.outputs if output.media]
    results = cast("list[dict[str, Json]]", made.data.get("Outputs", []))
    # playlists are published last
    results = sorted(results, key=lambda result: result["Segments"] > 0)
    for output, result in zip(media, results, strict=True):
        yield (
            output,
            {
                "Format": str(result["Container"]),
                "Size": str(result["Size"]),
                "Bitrate": f"{result['Bitrate']:.3f}",
            },
        )


@lru_cache(maxsize=64)
def _is_sequence(topology: str, activity: str) -> bool:
    """Tell whether a Snapshot could take several pictures (specification, snapshot, 2)."""
    parameters = parse_topology(topology)[0].activities[activity].parameters
    config = cast("dict[str, Json]", decode_json(parameters["SnapshotConfig"]))
    number, interval = (config.get(key) or "" for key in ("Num", "Interval"))
    return float(number) != 1 if number != "" else interval != ""


def _facts(properties: Mapping[str, Json]) -> FactsShape:
    """Return what a probe found, as far as it did."""
    container = cast("Mapping[str, Json]", properties.get("Format") or {})
    found = {key: properties.get(key) for key in ("Duration", "Bitrate", "Fps", "Width", "Height")}
    found["Format"] = container.get("FormatName")
    found["Size"] = properties.get("FileSize")
    return cast("FactsShape", {key: value for key, value in found.items() if value is not None})


def _file(ref: ObjectRef, *, deleted: bool = False) -> FileShape:
    return {"URL": object_url(ref), "State": "Deleted" if deleted else "Normal"}
