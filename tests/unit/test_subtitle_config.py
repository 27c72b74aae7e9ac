"""SubtitleConfig: what is refused before anything runs, and how ffmpeg gets the files."""

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from activities.transcode import Transcode
from activities.transcode.features.subtitles import describe_subtitles
from tests.support.context import make_context, make_plan_context
from tests.support.transcode_plans import COPY, MP3, MP4, media
from workflow_engine.activity import Neighbourhood, SideInputFacts, Step
from workflow_engine.errors import ActivityError, Code, Severity
from workflow_engine.records import Digests
from workflow_engine.topology import problems_of

FILE = {"Input": {"Bucket": "side", "Location": "local", "Object": "{FileName}.srt"}}
SRT = "1\n00:00:01,000 --> 00:00:02,000\n%{n}':,;[x]\n"


def parameters(*files, template=MP4, **fields):
    config = {"ExtSubtitleList": list(files)}
    output = {"OutputObject": "a", "TemplateId": template, "SubtitleConfig": config} | fields
    wire = {"OutputBucket": "out-bucket", "Outputs": [output]}
    return Transcode.parameters.model_validate(wire)


def problems(*files, template=MP4):
    try:
        read = parameters(*files, template=template)
    except ValidationError as error:
        return list(problems_of(error))
    around = Neighbourhood(name="hd", ancestor_types=())
    return list(Transcode().check(read, around))


@pytest.mark.parametrize(
    ("given", "code", "pointer"),
    [
        ({}, Code.NULL_VALUE, "/0/Input"),
        (FILE | {"CharEnc": "Latin-1"}, Code.INVALID, "/0/CharEnc"),
        (
            {"Input": FILE["Input"] | {"Object": "{Count}.srt"}},
            Code.INVALID,
            "/0/Input/Object",
        ),
        (
            {"Input": FILE["Input"] | {"Bucket": "bad/bucket"}},
            Code.BUCKET_NAME,
            "/0/Input/Bucket",
        ),
    ],
)
def test_single_faults(given, code, pointer):
    base = "/Outputs/0/SubtitleConfig/ExtSubtitleList"
    assert [(one.code, one.pointer) for one in problems(given)] == [(code, base + pointer)]


def test_limits_and_outputs_without_room():
    assert problems(*[FILE] * 4) == []
    (many,) = problems(*[FILE] * 5)
    assert many.code == Code.OUT_OF_RANGE and many.pointer.endswith("/ExtSubtitleList")
    for template in (COPY, MP3):
        (found,) = problems(FILE, template=template)
        assert (found.code, found.pointer) == (Code.NOT_SUPPORTED, "/Outputs/0/SubtitleConfig")
    (odd,) = problems(FILE | {"FontName": "Comic Sans"})
    assert odd.severity is Severity.WARNING and odd.pointer.endswith("/0/FontName")


def plan(tmp_path, read, text=SRT):
    file = tmp_path / "file.srt"
    file.write_text(text)
    context = make_plan_context(Path("in.mov"), media=media())
    sides = {}
    for n, wanted in enumerate(Transcode().reads(read, context)):
        assert wanted.ref.object == "in.srt"
        facts = describe_subtitles(wanted, make_context(tmp_path / str(n), file))
        digests = Digests(size=0, sha256="0" * 64, md5="0" * 32)
        sides[wanted] = SideInputFacts(name="side-1f.srt", digests=digests, facts=facts)
    step = Transcode().plan(read, replace(context, side_inputs=sides))
    assert isinstance(step, Step)
    return step


def test_the_file_itself_never_reaches_ffmpeg(tmp_path):
    step = plan(tmp_path, parameters(FILE, FILE | {"FontName": "WenQuanYi Zen Hei Mono"}))
    command = " ".join(step.commands[0])
    assert "side-1f" not in command and "%{n}" not in command
    assert command.count("ass=filename=subtitles-") == 2 and "fontsdir=fonts" in command
    written = step.resolved[0].rendition.written_files
    assert {file.face for file in written} == {"", "Noto Sans CJK SC", "Noto Sans Mono CJK SC"}
    assert all(file.text.startswith("[Script Info]") for file in written if file.text)


def test_a_clip_without_any_text_has_no_filter(tmp_path):
    step = plan(tmp_path, parameters(FILE, Clip={"TimeSpan": {"Seek": "10"}}))
    assert "ass=" not in " ".join(step.commands[0])


def test_what_is_no_subtitle_file(tmp_path):
    with pytest.raises(ActivityError) as caught:
        plan(tmp_path, parameters(FILE), "no times")
    error = caught.value
    assert error.code == Code.RESOURCE_NOT_SUPPORTED and '"in.srt"' in error.message
    assert error.pointer == "/Outputs/0/SubtitleConfig/ExtSubtitleList/0/Input"
