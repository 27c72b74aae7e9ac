"""Packaging: HLS and DASH master playlists over the renditions of several Transcode activities.

The parameters are complete, so that topologies are checked to the last field (`models.py`), but
nothing is packaged yet: every activity of this module fails with a sentence that says so.
"""

from typing import Generic, NoReturn, TypeVar

from activities.packaging.models import (
    GroupParameters,
    MasterPlayListParameters,
    PackageConfigParameters,
    VideoGroupParameters,
)
from workflow_engine.activity import Activity, ActivityContext, PlanContext, Role, Step
from workflow_engine.errors import ActivityError, Code
from workflow_engine.topology.wire import WireModel

P = TypeVar("P", bound=WireModel)

REMEDY = (
    "Take the packaging activities out and give each Transcode an OutputBucket and Outputs "
    "with an m3u8 template."
)


def refuse(type_name: str) -> NoReturn:
    """Raise the ActivityError (`InvalidParameter.NotSupported`) of everything about packages."""
    raise ActivityError(
        Code.NOT_SUPPORTED,
        f'HLS and DASH packaging is not supported by this version: "{type_name}" cannot run.',
        remedy=REMEDY,
    )


class _Packaging(Activity[P], Generic[P]):
    def plan(self, parameters: P, context: PlanContext) -> Step:
        """Raise ActivityError: this version does not package."""
        refuse(self.type_name)

    def run(self, step: Step, context: ActivityContext) -> NoReturn:
        """Raise ActivityError, as `plan` does."""
        refuse(self.type_name)


class PackageConfig(_Packaging[PackageConfigParameters]):
    """Begins a package: protocol and place of the master playlist (specification, topology, 5)."""

    type_name = "PackageConfig"
    role = Role.PACKAGE
    parameters = PackageConfigParameters


class SubtitleGroup(_Packaging[GroupParameters]):
    """A group of subtitle renditions (specification, topology, 5)."""

    type_name = "SubtitleGroup"
    role = Role.SUBTITLE_GROUP
    parameters = GroupParameters


class AudioGroup(_Packaging[GroupParameters]):
    """A group of audio renditions (specification, topology, 5)."""

    type_name = "AudioGroup"
    role = Role.AUDIO_GROUP
    parameters = GroupParameters


class VideoGroup(_Packaging[VideoGroupParameters]):
    """A group of DASH video renditions (specification, topology, 5)."""

    type_name = "VideoGroup"
    role = Role.VIDEO_GROUP
    parameters = VideoGroupParameters


class GenerateMasterPlayList(_Packaging[MasterPlayListParameters]):
    """Ends a package: writes the master playlist (specification, topology, 5)."""

    type_name = "GenerateMasterPlayList"
    role = Role.MASTER
    parameters = MasterPlayListParameters
