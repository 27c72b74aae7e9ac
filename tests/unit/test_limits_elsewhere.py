"""Templates and overrides have the limits of the outputs that use them."""

import json
from itertools import repeat
from typing import Any

import pytest
from pydantic import ValidationError

from activities.templates import find
from activities.transcode import Transcode
from tests.support.limits.judging import Told, below, errors, placed, with_value
from tests.support.limits.others import PACKAGE, PACKAGES
from tests.support.limits.outputs import MP4, PLACEMENT, SECTIONS, Limit
from workflow_engine.errors import InvalidInputError
from workflow_engine.topology import problems_of
from workflow_engine.topology.overrides import apply_overrides


def faults(document: str, content: Any) -> Told:
    try:
        Transcode.documents[document].model_validate(content)
    except ValidationError as error:
        return [(str(one.code), one.pointer) for one in problems_of(error)]
    return []


def sections(limit: Limit, value: Any) -> Any:
    """The template that has the value of an output, and room for it."""
    output = placed(limit, value)["Outputs"][0]
    own = {name: output[name] for name in output if isinstance(output[name], dict)}
    container = {} if output["TemplateId"] == MP4 else {"Container": {"Format": "m3u8"}}
    return {"Video": {"Bitrate": "800"}, "Audio": {}, **container, **own}


@pytest.mark.parametrize("limit", SECTIONS, ids=str)
def test_templates(limit: Limit):
    at = limit.at.removeprefix("/Outputs/0")
    for code, values in {"": limit.rule.good, **limit.rule.bad}.items():
        for value in values:
            found = faults("Template", sections(limit, value))
            assert found == ([(code, at)] if code else []), repr(value)
    # one that was stored nevertheless is refused where it is named
    code, (value, *_) = next(iter(limit.rule.bad.items()))
    with pytest.raises(InvalidInputError) as caught:
        find("f" * 32, {"f" * 32: sections(limit, value)}.get)
    assert (caught.value.code, caught.value.pointer) == (code, "/TemplateId")


@pytest.mark.parametrize("limit", PLACEMENT, ids=str)
def test_watermark_templates(limit: Limit):
    at = limit.at.removeprefix("/Outputs/0/WaterMarks/0")
    for code, values in {"": limit.rule.good, **limit.rule.bad}.items():
        for value in values:
            config = with_value({}, at.split("/")[1:], value, repeat(False))
            found = faults("WaterMarkTemplate", config)
            assert found == ([(code, at)] if code else []), repr(value)


def overrides(name: str, given: Any) -> Any:
    """OverrideParams of the subtitles of a package, in the form of HLS or of DASH."""
    if name == "WebVTTSubtitleURL":
        return {"WebVTTSubtitleOverrides": [{"RefActivityName": "lines", name: given}]}
    return {"title": {name: given}}


@pytest.mark.parametrize(
    "limit", [one for one in PACKAGES if one.kind in ("lines", "title")], ids=str
)
def test_overrides(limit: Limit):
    name = limit.at.split("/")[1]
    for code, values in {"": limit.rule.good, **limit.rule.bad}.items():
        # the form of HLS takes strings only
        for value in [one for one in values if name == "InputConfig" or isinstance(one, str)]:
            given = overrides(name, placed(limit, value)[name])
            changed = apply_overrides(json.dumps(PACKAGE), json.dumps(given))
            found = below(limit.kind, errors(json.loads(changed)))
            assert found == ([(code, limit.at)] if code else []), repr(value)
