"""Plans of Transcode for made-up media; nothing is encoded."""

from pathlib import Path

import pytest

from activities.transcode import Transcode
from activities.transcode.command.filters import Filter
from activities.transcode.command.rendition import RenditionJob, VideoEncoding
from tests.support.context import make_plan_context
from workflow_engine.activity import Step, no_templates
from workflow_engine.errors import ActivityError

MP4, FLV, HLS = "S00000001-200030", "S00000001-000030", "S00000001-100030"
MP3, COPY, HLS_COPY, FLV_COPY = (
    "S00000001-300020",
    "S00000001-200000",
    "S00000001-100000",
    "S00000001-000000",
)
SMART, SMART_HD = "S00000000-200030", "S00000000-200040"


def media(*, video=True, audio=1, container="mov,mp4,m4a,3gp,3g2,mj2", **fields):
    """Ffprobe's words about a 1080p clip of 60 s; `fields` change the video stream."""
    picture = {
        "index": 0,
        "codec_type": "video",
        "codec_name": "h264",
        "width": 1920,
        "height": 1080,
        "avg_frame_rate": "25/1",
        "duration": "60.0",
        "bit_rate": "4000000",
    } | fields
    sounds = [
        {
            "index": 1 + n,
            "codec_type": "audio",
            "codec_name": "aac",
            "sample_rate": "48000",
            "channels": 2,
            "bit_rate": "96000",
            "duration": "60.0",
            "disposition": {"default": int(n == 1)},
        }
        for n in range(audio)
    ]
    streams = ([picture] if video else []) + sounds
    form = {"format_name": container, "duration": "60.0", "size": "30000000"}
    return {"Probe": {"format": form, "streams": streams}}


def plan(
    *outputs,
    source=None,
    upstream=None,
    key="vod/in.mov",
    templates=no_templates,
    **parameters,
):
    wire = {"OutputBucket": "out-bucket", "OutputLocation": "local", "Outputs": list(outputs)}
    parameters = Transcode.parameters.model_validate(wire | parameters)
    context = make_plan_context(
        Path("in.mov"),
        key=key,
        media=source or media(),
        templates=templates,
        **(upstream or {}),
    )
    return Transcode().plan(parameters, context)


def step_of(template=MP4, *, source=None, name="{RunId}/{FileName}", **fields):
    step = plan({"OutputObject": name, "TemplateId": template} | fields, source=source)
    assert isinstance(step, Step)
    return step


def rendition(template=MP4, **fields):
    (job,) = step_of(template, **fields).resolved
    assert isinstance(job, RenditionJob)
    return job.rendition


def encoding(template=MP4, **fields):
    picture = rendition(template, **fields).picture
    assert picture and picture.encoding
    return picture.encoding


def option(step, name, command=0):
    argv = step.commands[command]
    return argv[argv.index(name) + 1] if name in argv else None


def failure(**fields):
    with pytest.raises(ActivityError) as caught:
        step_of(**fields)
    return caught.value


def own_filters(found: VideoEncoding) -> list[Filter]:
    """The filters of an output behind those that keep the source in the size it announces."""
    names = [one.name for one in found.filters]
    return [*found.filters[names.index("setsar") + 1 :]]
