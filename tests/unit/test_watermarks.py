"""Watermarks that cannot be: refused before anything runs, with code and pointer."""

import base64
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from activities import fonts
from activities.templates import find
from activities.transcode import Transcode
from activities.transcode.features.watermarks import describe_watermark
from tests.support import media as files
from tests.support.context import make_context, make_plan_context
from tests.support.transcode_plans import COPY, MP3, MP4, media
from workflow_engine.activity import Neighbourhood, SideInputFacts, no_templates
from workflow_engine.errors import ActivityError, Code, InvalidInputError, Severity
from workflow_engine.records import Digests
from workflow_engine.topology import problems_of

LOGO = {"Bucket": "side", "Location": "local", "Object": "logo.png"}
HELLO = base64.b64encode(b"hello").decode()


def wire(*marks, template=MP4):
    output = {"OutputObject": "a", "TemplateId": template, "WaterMarks": list(marks)}
    return {"OutputBucket": "out-bucket", "Outputs": [output]}


def problems(*marks, template=MP4, templates=no_templates):
    """Code, pointer and severity of everything that is wrong, before any input is known."""
    try:
        read = Transcode.parameters.model_validate(wire(*marks, template=template))
    except ValidationError as error:
        found = list(problems_of(error))
    else:
        around = Neighbourhood(name="hd", ancestor_types=(), templates=templates)
        found = list(Transcode().check(read, around))
    assert all(one.remedy for one in found)
    return [(one.code, one.pointer.removeprefix("/Outputs/0/WaterMarks")) for one in found]


def text(**fields):
    return {"Type": "Text", "TextWaterMark": {"Content": HELLO} | fields}


@pytest.mark.parametrize(
    ("mark", "fault"),
    [
        ({}, (Code.NULL_VALUE, "/0/InputFile")),
        ({"TextWaterMark": {"Content": HELLO}}, (Code.NULL_VALUE, "/0/InputFile")),
        ({"Type": "Text"}, (Code.NULL_VALUE, "/0/TextWaterMark")),
        ({"Type": "Film", "InputFile": LOGO}, (Code.INVALID, "/0/Type")),
        ({"InputFile": LOGO, "Width": 7}, (Code.OUT_OF_RANGE, "/0/Width")),
        ({"InputFile": LOGO, "Height": "4097"}, (Code.OUT_OF_RANGE, "/0/Height")),
        ({"InputFile": LOGO, "Dx": "5000"}, (Code.OUT_OF_RANGE, "/0/Dx")),
        ({"InputFile": LOGO, "Dy": "1.5"}, (Code.OUT_OF_RANGE, "/0/Dy")),
        ({"InputFile": LOGO, "ReferPos": "Center"}, (Code.INVALID, "/0/ReferPos")),
        (
            {"InputFile": LOGO, "Timeline": {"Start": "-1"}},
            (Code.OUT_OF_RANGE, "/0/Timeline/Start"),
        ),
        ({"InputFile": {"Bucket": "side"}}, (Code.NULL_VALUE, "/0/InputFile/Object")),
        (
            {"InputFile": LOGO | {"Object": "{Count}.png"}},
            (Code.INVALID, "/0/InputFile/Object"),
        ),
        (
            {"InputFile": LOGO, "WaterMarkTemplateId": "x" * 32},
            (Code.TEMPLATE_NOT_FOUND, "/0/WaterMarkTemplateId"),
        ),
        (text(Content="no base64"), (Code.FORMAT, "/0/TextWaterMark/Content")),
        (text(Content="/////w=="), (Code.FORMAT, "/0/TextWaterMark/Content")),
        (text(Content="IA=="), (Code.EMPTY_VALUE, "/0/TextWaterMark/Content")),
        (text(Content="AAE="), (Code.FORMAT, "/0/TextWaterMark/Content")),
        (
            text(Content=base64.b64encode(b"x" * 1025).decode()),
            (Code.OUT_OF_RANGE, "/0/TextWaterMark/Content"),
        ),
        (text(FontSize=4), (Code.OUT_OF_RANGE, "/0/TextWaterMark/FontSize")),
        (text(FontSize="120"), (Code.OUT_OF_RANGE, "/0/TextWaterMark/FontSize")),
        (text(FontAlpha=0), (Code.OUT_OF_RANGE, "/0/TextWaterMark/FontAlpha")),
        (text(FontColor="red:x=1"), (Code.INVALID, "/0/TextWaterMark/FontColor")),
        (text(BorderColor="#ff0000"), (Code.INVALID, "/0/TextWaterMark/BorderColor")),
        (text(Top="-1"), (Code.OUT_OF_RANGE, "/0/TextWaterMark/Top")),
        (text(Left=4097), (Code.OUT_OF_RANGE, "/0/TextWaterMark/Left")),
        (text(BorderWidth=4097), (Code.OUT_OF_RANGE, "/0/TextWaterMark/BorderWidth")),
        (text(FontName="Comic Sans"), (Code.NOT_SUPPORTED, "/0/TextWaterMark/FontName")),
        (text() | {"InputFile": LOGO}, (Code.NOT_SUPPORTED, "/0/InputFile")),
        (
            {"InputFile": LOGO, "TextWaterMark": {"Content": HELLO}},
            (Code.NOT_SUPPORTED, "/0/TextWaterMark"),
        ),
        (text() | {"Dx": 8}, (Code.NOT_SUPPORTED, "/0/Dx")),
    ],
)
def test_single_faults(mark, fault):
    assert problems(mark) == [fault]


def test_padding_of_base64_may_be_missing():
    assert HELLO.endswith("=") and problems(text(Content=HELLO.rstrip("="))) == []


def test_at_most_four():
    assert problems(*[text()] * 4) == []
    assert problems(*[text()] * 5) == [(Code.OUT_OF_RANGE, "")]


def test_outputs_without_room_for_them():
    assert problems(text(), template=COPY) == [(Code.NOT_SUPPORTED, "")]
    assert problems(text(), template=MP3) == [(Code.NOT_SUPPORTED, "")]


def test_a_wide_outline_is_drawn_less_wide_and_says_so():
    place = "/0/TextWaterMark/BorderWidth"
    assert problems(text(BorderWidth="257")) == [(Code.NOT_SUPPORTED, place)]
    assert problems(text(BorderWidth="256")) == []


def test_what_is_only_odd_is_a_warning():
    read = Transcode.parameters.model_validate(wire(text(FontName="Comic Sans") | {"Dx": 8}))
    around = Neighbourhood(name="hd", ancestor_types=())
    found = list(Transcode().check(read, around))
    assert [one.severity for one in found] == [Severity.WARNING] * 2


def test_templates_of_the_other_kind_are_not_found():
    templates = {"w" * 32: {"Name": "w", "Config": {}}, "t" * 32: {"Name": "t", "Video": {}}}.get
    logo = {"InputFile": LOGO}
    assert problems(logo | {"WaterMarkTemplateId": "w" * 32}, templates=templates) == []
    assert problems(logo | {"WaterMarkTemplateId": "t" * 32}, templates=templates) == [
        (Code.TEMPLATE_NOT_FOUND, "/0/WaterMarkTemplateId")
    ]
    with pytest.raises(InvalidInputError) as caught:
        find("w" * 32, templates)
    assert caught.value.code == Code.TEMPLATE_NOT_FOUND


def planned(facts, **fields):
    """The error of a plan in which this was found of the logo."""
    read = Transcode.parameters.model_validate(wire({"InputFile": LOGO} | fields))
    context = make_plan_context(Path("in.mov"), media=media())
    (wanted,) = Transcode().reads(read, context)
    side = SideInputFacts(
        name="side-1f.png", digests=Digests(size=0, sha256="0" * 64, md5="0" * 32), facts=facts
    )
    with pytest.raises(ActivityError) as caught:
        Transcode().plan(read, replace(context, side_inputs={wanted: side}))
    return caught.value


def test_what_is_no_picture(tmp_path):
    png = files.make(tmp_path / "a.png", "-f", "lavfi", "-i", "color=red:s=8x8", "-frames:v", "1")
    jpeg = files.make(tmp_path / "a.jpg", "-f", "lavfi", "-i", "color=red:s=8x8", "-frames:v", "1")
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(png.read_bytes()[:60] + b"\0" + png.read_bytes()[61:])
    cut = tmp_path / "cut.png"
    cut.write_bytes(png.read_bytes()[:-5])
    wrong = [jpeg, damaged, cut, files.text_named_video(tmp_path, "text.png")]
    for n, path in enumerate(wrong):
        facts = describe_watermark("watermark", make_context(tmp_path / str(n), path))
        error = planned(facts)
        assert error.code == Code.RESOURCE_NOT_SUPPORTED
        assert error.pointer == "/Outputs/0/WaterMarks/0/InputFile"
        assert '"logo.png"' in error.message and "InputFile" not in error.message
    assert describe_watermark("watermark", make_context(tmp_path / "png", png)) == {
        "stream": 0,
        "width": 8,
        "height": 8,
        "moving": False,
    }


def test_a_ratio_that_makes_a_side_too_long():
    error = planned({"stream": 0, "width": 1, "height": 100, "moving": False}, Width=100)
    assert (error.code, error.pointer) == (Code.OUT_OF_RANGE, "/Outputs/0/WaterMarks/0/Width")


def test_every_font_name_has_a_face(tmp_path):
    assert fonts.face_of("方正楷体简体") == fonts.face_of("whatever") == fonts.SANS
    assert fonts.face_of("WenQuanYi Zen Hei Mono") == fonts.MONO
    assert "/" not in fonts.face_file(fonts.SANS)
    assert fonts.font_finding().works
