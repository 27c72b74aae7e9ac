"""Where the streams and lists of a package go, for one input. Pure.

Specification: topology, 5.4.
"""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from activities.packaging.models import PackageConfigParameters, PackageOutput
from activities.packaging.package import Package, StreamNode
from activities.packaging.streams import SegmentFormat, StreamKind
from workflow_engine.activity import ActivityError, InvalidInputError, Names, ObjectRef, check_key

#: what the names of the lists may hold
PLACEHOLDERS = frozenset({"ObjectPrefix", "FileName", "ExtName", "RunId", "MediaId"})


@dataclass(frozen=True, kw_only=True)
class StreamPlace:
    """What a stream is to its package.

    `uri` is its own list, relative to the directory of the master list; `ref` is the object. Its
    segments take `seconds`. A `muted` picture leaves its sound to the audio streams. With
    `manifest`, an HLS package has an MPD over its segments, too. A stream of DASH has Group, Lang
    and Id as its `representation`.
    """

    kind: StreamKind
    protocol: str
    uri: str
    ref: ObjectRef
    segment_format: SegmentFormat
    seconds: int
    muted: bool
    manifest: bool
    representation: tuple[str, str, str]

    @property
    def fragmented(self) -> bool:
        """Whether its segments are fragments of an mp4."""
        return self.segment_format is SegmentFormat.FMP4

    def beside(self, uri: str) -> ObjectRef:
        """Return the object of another URI of the package."""
        folder = self.ref.object.removesuffix(self.uri)
        return ObjectRef(
            bucket=self.ref.bucket, object=f"{folder}{uri}", location=self.ref.location
        )


def is_fragmented(config: PackageConfigParameters) -> bool:
    """Whether the segments of a package are fragments of an mp4."""
    return bool(
        config.protocol == "dash" or config.segment_format == "fmp4" or config.output.manifest_name
    )


def is_muted(package: Package, stream: StreamNode) -> bool:
    """Whether a picture leaves its sound to audio streams: always in DASH, in HLS by its item."""
    if stream.kind is not StreamKind.VIDEO:
        return False
    listed = package.master.master_play_list if package.master else None
    items = listed.multi_bitrate_video_streams if listed else ()
    return package.protocol == "dash" or any(
        item.ext_x_stream_info.audio for item in items if item.ref_activity_name == stream.name
    )


def place_of(package: Package, stream: StreamNode, names: Names, seconds: int) -> StreamPlace:
    """Return the place of a stream of a valid package; its segments take so many seconds.

    Raises ActivityError (`InvalidParameter.ObjectKeyInvalid`) for a key that cannot be stored.
    """
    config, place, kind = package.parameters, stream.place, stream.kind
    assert config is not None and place is not None and kind is not None
    master = list_refs(config.output, names)[0]
    uri = posixpath.normpath(place[1])
    key = posixpath.join(posixpath.dirname(master.object), uri)
    return StreamPlace(
        kind=kind,
        protocol=config.protocol,
        uri=uri,
        ref=_ref(config.output, key),
        segment_format=SegmentFormat.FMP4 if is_fragmented(config) else SegmentFormat.TS,
        seconds=seconds,
        muted=is_muted(package, stream),
        manifest=config.output.manifest_name is not None,
        representation=stream.representation,
    )


def list_refs(output: PackageOutput, names: Names) -> list[ObjectRef]:
    """Return the objects of the lists over all streams, the master list first.

    Raises ActivityError (`InvalidParameter.ObjectKeyInvalid`) for a key that cannot be stored.
    """
    return [_ref(output, names.fill(ref.object)) for ref in list_templates(output)]


def list_templates(output: PackageOutput) -> Iterator[ObjectRef]:
    """Yield the lists over all streams with their placeholders, the master list first."""
    for name in (output.master_play_list_name, output.manifest_name):
        if name is not None:
            yield ObjectRef(bucket=output.bucket, object=name, location=output.location)


def _ref(output: PackageOutput, key: str) -> ObjectRef:
    try:
        check_key(key)
    except InvalidInputError as error:
        raise error.as_(ActivityError) from None
    return ObjectRef(bucket=output.bucket, object=key, location=output.location)
