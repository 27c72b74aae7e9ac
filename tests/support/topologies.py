"""Small topologies for the tests, as dictionaries to change."""

import json
from typing import Any

PIPELINE = "0123456789abcdef0123456789abcdef"


def start(**parameters: Any) -> dict[str, Any]:
    bound = {"Bucket": "uploads", "Location": "local", "ObjectPrefix": "incoming/"}
    return {
        "Type": "Start",
        "Parameters": {"PipelineId": PIPELINE, "InputFile": bound, **parameters},
    }


def transcode(name: str = "{FileName}", template: str = "S00000001-200020", **output: Any) -> Any:
    outputs = [{"OutputObject": name, "TemplateId": template, **output}]
    return {
        "Type": "Transcode",
        "Parameters": {"OutputBucket": "out", "OutputLocation": "local", "Outputs": outputs},
    }


def snapshot(name: str = "{FileName}.jpg", **config: Any) -> dict[str, Any]:
    target = {"Bucket": "out", "Location": "local", "Object": name}
    return {
        "Type": "Snapshot",
        "Parameters": {"SnapshotConfig": {"OutputFile": target, "Time": "0", **config}},
    }


def report(publish: str = "Auto") -> dict[str, Any]:
    return {"Type": "Report", "Parameters": {"PublishType": publish}}


def topology(
    activities: dict[str, Any], edges: dict[str, list[str]] | None = None
) -> dict[str, Any]:
    """Without edges: Start first, then everything side by side, then Report."""
    if edges is None:
        middle = [n for n, a in activities.items() if a["Type"] not in ("Start", "Report")]
        edges = {"start": middle or ["report"]}
        edges |= {name: ["report"] for name in middle} | {"report": []}
    return {"Activities": activities, "Dependencies": edges}


def minimal() -> dict[str, Any]:
    return topology({"start": start(), "sd": transcode(), "report": report()})


def text(value: Any) -> str:
    return json.dumps(value, indent=1)
