"""OverrideParams: parameters that one run replaces (specification, topology, 12).

{"WebVTTSubtitleOverrides": [{"RefActivityName": "sub", "WebVTTSubtitleURL": "http://..."}]}
{"sub": {"InputConfig": {"Format": "vtt", "InputFile": {"URL": "http://..."}}}}
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, cast

from workflow_engine.errors import Code, Problem, TopologyError, pointer_to
from workflow_engine.records import Json
from workflow_engine.topology import parse_topology
from workflow_engine.topology.document import Document
from workflow_engine.topology.encoded import decode_json
from workflow_engine.topology.suggest import Suggester
from workflow_engine.topology.wire import shown

_SUBTITLES = "WebVTTSubtitleOverrides"


#: from activity and parameter to what is wrong with replacing it, a sentence; "" when nothing is
Judge = Callable[[str, str], str]


def _anything(activity: str, parameter: str) -> str:
    return ""


def apply_overrides(topology: str, overrides: str, file: str = "", judge: Judge = _anything) -> str:
    """Return the topology text with the overridden parameters in place.

    `overrides` is the JSON text of OverrideParams, `file` its name in messages. Raises
    TopologyError for what is not of the two forms above, names an unknown activity, or one whose
    parameter must not be replaced.
    """
    activities = parse_topology(topology)[0].activities
    document = Document(overrides, file)
    names = Suggester(activities)
    problems: list[Problem] = []
    changes: dict[str, dict[str, Json]] = {}
    for pointer, activity, key, value in _entries(document, problems):
        if activity in activities:
            changes.setdefault(activity, {})[key] = value
            if fault := judge(activity, key):
                problems.append(
                    Problem(
                        code=Code.INVALID,
                        message=fault,
                        pointer=pointer,
                        remedy="Name a subtitle stream of a package.",
                    )
                )
        else:
            problems.append(
                Problem(
                    code=Code.INVALID,
                    message=f"The activity {shown(activity)} is not in the topology.",
                    pointer=pointer,
                    remedy=names.remedy(activity),
                )
            )
    if problems:
        raise TopologyError(document.place(problem) for problem in problems)
    value = cast("dict[str, Any]", decode_json(topology))
    value["Activities"] = decode_json(value["Activities"])
    for name, parameters in changes.items():
        entry = value["Activities"][name] = decode_json(value["Activities"][name])
        entry["Parameters"] = {**decode_json(entry.get("Parameters") or {}), **parameters}
    return json.dumps(value, ensure_ascii=False)


def _entries(document: Document, problems: list[Problem]) -> Iterator[tuple[str, str, str, Json]]:
    """Yield (pointer, activity, parameter, value) of each override."""

    def wrong(pointer: str, form: str) -> None:
        problems.append(
            Problem(
                code=Code.JSON_OBJECT_FORMAT,
                message="The override does not have the right form.",
                pointer=pointer,
                remedy=f"Write {form}.",
            )
        )

    whole: Json = document.value
    if not isinstance(whole, dict):
        return wrong("", '{"<activity>": {"InputConfig": {...}}}')
    for key, value in cast("dict[str, Json]", whole).items():
        value = _decoded(value)
        if key == _SUBTITLES and isinstance(value, list):
            for index, item in enumerate(cast("list[Json]", value)):
                pointer = pointer_to(key, index)
                match _decoded(item):
                    case {"RefActivityName": str(name), "WebVTTSubtitleURL": str(url), **rest} if (
                        not rest
                    ):
                        yield pointer + "/RefActivityName", name, "WebVTTSubtitleURL", url
                    case _:
                        wrong(pointer, '{"RefActivityName": "...", "WebVTTSubtitleURL": "..."}')
            continue
        match value:
            case {"InputConfig": config, **rest} if not rest:
                yield pointer_to(key), key, "InputConfig", config
            case _:
                wrong(pointer_to(key), '{"InputConfig": {...}} and nothing else')


def _decoded(value: Json) -> Json:
    try:
        return decode_json(value)
    except (ValueError, RecursionError):
        return value
