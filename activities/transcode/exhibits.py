"""What a Transcode has to show of its outputs: players, pictures, tables, the rate over time.

It is read from the result of the step, so that a reused one shows the same; one of an older version
shows what it has.
"""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from activities.predictions import prediction_rows
from activities.quality import MOMENT_SUFFIX
from activities.quality.told import measured_outputs, quality_rows
from workflow_engine.activity import (
    Artifact,
    Exhibit,
    Picture,
    Pictures,
    Player,
    Plot,
    Series,
    StepResult,
)

#: what browsers play, by containers: with a picture, and without one
_PLAYED = {
    "mp4": ("video/mp4", "audio/mp4"),
    "m3u8": ("application/vnd.apple.mpegurl", "application/vnd.apple.mpegurl"),
    "mp3": ("", "audio/mpeg"),
    "m4a": ("", "audio/mp4"),
    "ogg": ("", "audio/ogg"),
    "flac": ("", "audio/flac"),
}
#: containers that are pictures, and the lists of segmented ones
_PICTURES, _LISTS = ("gif", "webp"), ("m3u8", "mpd")


def exhibits(result: StepResult) -> Iterator[Exhibit]:
    """Yield what there is to show of a finished Transcode."""
    outputs = list(_outputs(result))
    yield from _players(outputs)
    yield from _pictures(result, outputs)
    if rows := [row for one in outputs for row in _checked(one, alone=len(outputs) == 1)]:
        yield Artifact(kind="table", title="Asked and made", content=rows)
    if rows := quality_rows(result):
        yield Artifact(kind="table", title="Quality", content=list(rows))
    if rows := prediction_rows(result):
        yield Artifact(kind="table", title="Predictions", content=list(rows))
    yield from _rates(outputs)


#: facts of an output, its position among the objects, and its name
_Shown = tuple[Mapping[str, Any], int, str]


def _outputs(result: StepResult) -> Iterator[_Shown]:
    """Yield the facts of each output with the object that it is played from.

    Single files come first, lists last; each kind in the order of the outputs.
    """
    facts = cast("Sequence[Mapping[str, Any]]", result.data.get("Outputs") or ())
    described = [n for n, output in enumerate(result.outputs) if output.media]
    lists = {n for n in described if _extension(result, n) in _LISTS}
    single, listed = iter(n for n in described if n not in lists), iter(sorted(lists))
    for one in facts:
        position = next(listed if one.get("Files") else single, None)
        if position is not None:
            yield one, position, posixpath.basename(result.outputs[position].ref.object)


def _extension(result: StepResult, position: int) -> str:
    return posixpath.splitext(result.outputs[position].ref.object)[1].lower().removeprefix(".")


def _players(outputs: Sequence[_Shown]) -> Iterator[Player]:
    for facts, position, name in outputs:
        with_picture, alone = _PLAYED.get(str(facts.get("Container")), ("", ""))
        checked = facts.get("Checked") or ()
        sound_only = bool(checked) and all(row["What"] != "Picture" for row in checked)
        if media_type := alone if sound_only or not with_picture else with_picture:
            yield Player(title=name, output=position, media_type=media_type)


def _pictures(result: StepResult, outputs: Sequence[_Shown]) -> Iterator[Pictures]:
    moving = [
        Picture(output=position, caption=name)
        for facts, position, name in outputs
        if facts.get("Container") in _PICTURES
    ]
    if moving:
        yield Pictures(title="Moving pictures", pictures=tuple(moving))
    places = [n for n, one in enumerate(result.outputs) if one.ref.object.endswith(MOMENT_SUFFIX)]
    measured = [one for one in measured_outputs(result) if one["Moment"]]
    worst = [
        Picture(
            output=place,
            caption=f"{one['Summary']}: {one['Metric']} {one['Min']:g} at {one['Worst']:.2f} s; "
            "the source on the left, the output on the right",
            large=True,
        )
        for one, place in zip(measured, places, strict=False)
    ]
    if worst:
        yield Pictures(title="The worst moment", pictures=tuple(worst))


def _checked(output: _Shown, *, alone: bool) -> Iterator[Mapping[str, str]]:
    facts, _, name = output
    for row in facts.get("Checked") or ():
        yield row if alone else {"Output": name, **row}


def _rates(outputs: Sequence[_Shown]) -> Iterator[Plot]:
    series = [
        Series(name=name, points=tuple(_points(curve)))
        for facts, _, name in outputs
        if (curve := facts.get("Curve"))
    ]
    if series:
        yield Plot(title="Rate of the picture", x="seconds", y="kbit/s", series=tuple(series))


def _points(curve: Mapping[str, Any]) -> Iterator[tuple[float, float]]:
    """Yield the rate of each span at its middle."""
    for number, rate in enumerate(curve["Rates"]):
        yield (number + 0.5) * curve["Step"], rate
