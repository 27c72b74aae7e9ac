"""Whatever ffprobe says of a file: it is read, and planned with or refused, and nothing breaks."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from activities import probe
from activities.analysis import Analysis
from activities.probe import MediaInfo
from activities.snapshot import Snapshot
from activities.start import Start
from activities.transcode import Transcode
from tests.support.context import make_plan_context
from workflow_engine.activity import Skip, Step, StepResult
from workflow_engine.errors import ActivityError

#: what stands where a number should
NUMBERS = st.one_of(
    st.sampled_from(["N/A", "", "nan", "inf", "-inf", "0", "-1", "0.000000", "1e400", "1e308"]),
    st.sampled_from([None, True, [], {}, "1" * 5000, 10**400, -(10**400), "0x10", "٣", "½"]),
    st.integers(-(2**63), 2**64).map(str),
    st.integers(-10, 20_000),
    st.floats(),
    st.floats(-10, 10_000).map(str),
)
TERMS = st.integers(0, 2**33) | st.sampled_from([0, 1, 25, 1001, 30000, 90000, 10**15])
RATIOS = st.one_of(
    st.tuples(TERMS, st.sampled_from("/:"), TERMS).map(lambda parts: "".join(map(str, parts))),
    st.sampled_from(["0/0", "1/0", "0:1", "N/A", "/", ":", "-1/1", "1/-1", "1/1/1", None, 25]),
)
SIDES = st.one_of(NUMBERS, st.integers(0, 20_000), st.sampled_from([1, 2, 16, 160, 16_000]))
WORDS = st.text(max_size=8) | st.sampled_from(["N/A", "unknown", None, "h264", "aac"])
LENGTHS = NUMBERS | st.floats(0, 20_000).map(lambda value: f"{value:.6f}")
TAGS = st.dictionaries(
    st.sampled_from(["language", "rotate", "BPS", "BPS-eng", "DURATION", "title"]),
    st.one_of(NUMBERS, st.text(max_size=2000), st.just("99999:99:99.9")),
)


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with these keys, or without some of them."""
    without = st.just(()) | st.lists(st.sampled_from(sorted(fields)), max_size=4)
    return st.builds(
        lambda found, gone: {key: value for key, value in found.items() if key not in gone},
        st.fixed_dictionaries(fields),
        without,
    )


def mostly(good: object, any_value: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A right value in most cases, so that planning gets to the others."""
    return st.integers(0, 7).flatmap(lambda n: any_value if n == 7 else st.just(good))


STREAMS = objects(
    index=mostly(0, NUMBERS),
    codec_type=st.sampled_from(["video", "video", "audio", "audio", "subtitle", None]),
    codec_name=st.sampled_from(["h264", "aac"]) | WORDS,
    width=mostly(640, SIDES),
    height=mostly(360, SIDES),
    has_b_frames=mostly(2, NUMBERS),
    sample_aspect_ratio=mostly("1:1", RATIOS),
    pix_fmt=mostly("yuv420p", WORDS),
    level=mostly(30, NUMBERS),
    field_order=st.sampled_from(["progressive", "tt", "bb", "tb"]) | WORDS,
    color_range=WORDS,
    color_space=st.sampled_from(["bt709", "bt2020nc", "gbr", "ycgco"]) | WORDS,
    color_transfer=st.sampled_from(["bt709", "smpte2084", "arib-std-b67"]) | WORDS,
    color_primaries=st.sampled_from(["bt709", "bt2020", "smpte432"]) | WORDS,
    r_frame_rate=mostly("25/1", RATIOS),
    avg_frame_rate=mostly("25/1", RATIOS),
    time_base=RATIOS,
    start_time=mostly("0.000000", LENGTHS),
    duration=mostly("10.000000", LENGTHS),
    bit_rate=mostly("500000", NUMBERS),
    nb_frames=mostly("250", NUMBERS),
    sample_fmt=mostly("fltp", WORDS),
    sample_rate=mostly("44100", NUMBERS),
    channels=mostly(2, NUMBERS),
    channel_layout=WORDS,
    tags=mostly({}, TAGS | NUMBERS),
    disposition=mostly({}, objects(default=NUMBERS, attached_pic=st.booleans()) | NUMBERS),
    side_data_list=mostly([], st.lists(objects(rotation=NUMBERS) | NUMBERS, max_size=3) | NUMBERS),
)
FORMATS = objects(
    format_name=mostly("mov,mp4,m4a", st.sampled_from(["flv", "avi", "mp3", "mpegts"]) | WORDS),
    format_long_name=WORDS,
    nb_streams=NUMBERS,
    nb_programs=NUMBERS,
    start_time=mostly("0.000000", LENGTHS),
    duration=mostly("10.000000", LENGTHS),
    size=mostly("700000", NUMBERS),
    bit_rate=mostly("560000", NUMBERS),
)
ANSWERS = st.builds(
    lambda container, streams, times: {"format": container, "streams": streams * times},
    FORMATS,
    st.lists(STREAMS, min_size=1, max_size=4),
    st.sampled_from([1, 1, 1, 1, 40]),
)


def data_of(answer: dict[str, Any]) -> dict[str, Any]:
    """What Start hands on, as it comes out of the store."""
    media = MediaInfo.parse(probe._trimmed(answer))
    return json.loads(json.dumps(media.to_json()))


def transcode(template: str, **fields: Any) -> tuple[Any, dict[str, Any]]:
    output = {"OutputObject": "{RunId}/{FileName}", "TemplateId": template} | fields
    return Transcode(), {"OutputBucket": "out-bucket", "Outputs": [output]}


SPRITES = {"Bucket": "out-bucket", "Object": "t-{TileCount}.jpg"}


def snapshot(**fields: Any) -> tuple[Any, dict[str, Any]]:
    target = {"Bucket": "out-bucket", "Object": "{Count}.jpg"}
    return Snapshot(), {"SnapshotConfig": {"OutputFile": target, "Time": "0"} | fields}


PLANNED = (
    transcode("S00000001-200010"),
    transcode("S00000001-200010", Video={"Width": "", "Height": "240"}),
    transcode("S00000001-200010", Video={"LongShortMode": "true", "Height": "240"}),
    transcode("S00000001-200010", TransConfig={"IsCheckReso": "true", "AdjDarMethod": "pad"}),
    transcode("S00000001-200010", TransConfig={"AdjDarMethod": "crop", "TransMode": "twopass"}),
    transcode("S00000001-200010", Clip={"TimeSpan": {"Seek": "1", "Duration": "2"}}),
    transcode("S00000001-100010", Rotate="90"),
    transcode("S00000001-400040"),
    transcode("S00000001-300010"),
    transcode("S00000001-200000"),
    transcode("S00000001-100000"),
    snapshot(),
    snapshot(Interval="1", Width="100"),
    snapshot(Num="5", Height="100", FrameType="normal"),
    snapshot(Interval="1", TileOut={}, TileOutputFile=SPRITES, Format="vtt"),
    snapshot(Best="true"),
    snapshot(Preview={}, OutputFile={"Bucket": "out-bucket", "Object": "p.webp"}),
    (Analysis(), {}),
)


@given(ANSWERS)
@settings(max_examples=200, deadline=None)
def test_any_answer_is_read(answer: dict[str, Any]) -> None:
    data = data_of(answer)
    media = MediaInfo.from_json(data)
    assert len(media.videos) + len(media.audios) + len(media.subtitles) <= 64
    assert media.duration is None or 0 <= media.duration < 1e7
    for stream in (*media.videos, *media.audios):
        assert stream.duration is None or 0 <= stream.duration < 1e7
    for video in media.videos:
        assert 0 <= video.rotation < 360 and 0 < video.fps < 1000
    assert len(json.dumps(data)) < 1_000_000
    assert list(Start().artifacts(StepResult(data=data)))


@given(ANSWERS, st.sampled_from(PLANNED))
@settings(max_examples=400, deadline=None)
def test_any_answer_is_planned_with_or_refused(
    answer: dict[str, Any], planned: tuple[Any, dict[str, Any]]
) -> None:
    activity, wire = planned
    parameters = activity.parameters.model_validate(wire)
    context = make_plan_context(Path("in.mov"), media=data_of(answer))
    try:
        step = activity.plan(parameters, context)
        if isinstance(activity, Analysis):
            activity.forecast(step, context)
    except ActivityError as error:
        assert error.message.count("\n") == 0 and error.message.endswith(".")
        return
    assert isinstance(step, Step | Skip)
