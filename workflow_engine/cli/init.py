"""`init`: a folder to begin with: configuration, a workflow, buckets."""

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from workflow_engine.cli.common import AsJson, emit, print_json, printable
from workflow_engine.errors import Code, InvalidInputError, file_error
from workflow_engine.records import Json

#: the folder of the bucket that is watched, and where its objects start the workflow
_UPLOADS, _PREFIX = "uploads", "incoming/"
_RENDITIONS = "renditions"
_WORKFLOW = "web"

_SETTINGS = f"""\
# The configuration of mediaflow. Paths are relative to this file. Each key is also an environment
# variable, as in MEDIAFLOW_SERVICE__PORT=9000.

[buckets.{_UPLOADS}]
path = "{_UPLOADS}"
events = "watch"                  # what lands in it starts the workflows that fit
existing = "process"              # so does what lies there when `serve` runs for the first time

[buckets.{_RENDITIONS}]
path = "{_RENDITIONS}"

# Everything else has these defaults. To change one, remove the # before the name of its section
# and before the key.

"""


def init(
    folder: Annotated[
        Path, typer.Argument(help="The folder; it is made if it is not there.", metavar="FOLDER")
    ] = Path(),
    as_json: AsJson = False,
) -> None:
    """Make a folder to begin with: mediaflow.toml, a workflow that runs, and buckets.

    What is there already stays as it is.
    """
    from workflow_engine.settings.commented import commented_sections

    texts = {
        Path("mediaflow.toml"): _SETTINGS + commented_sections() + "\n",
        Path("workflows", f"{_WORKFLOW}.json"): json.dumps(_workflow(), indent=2) + "\n",
    }
    made = {str(path): _write(folder / path, text) for path, text in texts.items()}
    for path in (f"{_UPLOADS}/{_PREFIX}", f"{_RENDITIONS}/"):
        made[path] = _make(folder / path)
    if as_json:
        listed: dict[str, Json] = {
            "Folder": str(folder),
            "Made": [path for path, new in made.items() if new],
            "Kept": [path for path, new in made.items() if not new],
        }
        print_json(listed)
        return
    for path, new in made.items():
        emit(printable(f"{'made' if new else 'kept'}  {folder / path}{'/' * path.endswith('/')}"))
    emit("")
    for line in _next(folder):
        emit(printable(line))


def _next(folder: Path) -> list[str]:
    """Return what to do now."""
    clip = f"{_UPLOADS}/{_PREFIX}clip.mp4"
    enter = [] if folder == Path() else [f"  cd {shlex.quote(str(folder))}"]
    return [
        "Next, with a film of yours as ~/clip.mp4:",
        *enter,
        "  mediaflow serve &",
        f"  cp ~/clip.mp4 {_UPLOADS}/{_PREFIX}",
        f"  mediaflow execution watch {clip}",
        f"Its renditions come into {_RENDITIONS}/, by workflows/{_WORKFLOW}.json.",
    ]


def _workflow() -> dict[str, Json]:
    """Return a topology: two MP4s out of one decode, a cover picture, a report."""

    def output(name: str, template: str) -> dict[str, Json]:
        return {"OutputObject": f"{{FileName}}/{name}", "TemplateId": template}

    cover = {"Bucket": _RENDITIONS, "Location": "local", "Object": "{FileName}/cover.jpg"}
    return {
        "Activities": {
            "start": {
                "Type": "Start",
                "Parameters": {
                    "InputFile": {"Bucket": _UPLOADS, "Location": "local", "ObjectPrefix": _PREFIX}
                },
            },
            "mp4": {
                "Type": "Transcode",
                "Parameters": {
                    "OutputBucket": _RENDITIONS,
                    "OutputLocation": "local",
                    "Outputs": [output("hd", "S00000001-200030"), output("ld", "S00000001-200010")],
                },
            },
            "cover": {
                "Type": "Snapshot",
                "Parameters": {"SnapshotConfig": {"OutputFile": cover, "Time": "0"}},
            },
            "report": {"Type": "Report", "Parameters": {"PublishType": "Auto"}},
        },
        "Dependencies": {
            "start": ["mp4", "cover"],
            "mp4": ["report"],
            "cover": ["report"],
            "report": [],
        },
    }


def _write(path: Path, text: str) -> bool:
    """Write a file unless there is one; return whether it was written."""
    _make(path.parent)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        if path.is_file():
            return False
        raise InvalidInputError(
            Code.RESOURCE_NOT_SUPPORTED,
            f'"{path}" is no file, and a file is needed there.',
            remedy="Choose another folder: mediaflow init FOLDER.",
        ) from None
    except OSError as error:
        raise _failed(error, path) from None
    return True


def _make(path: Path) -> bool:
    """Make a folder unless there is one; return whether it was made."""
    if path.is_dir():
        return False
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        raise InvalidInputError(
            Code.RESOURCE_NOT_SUPPORTED,
            f'"{path}" is a file, and a folder is needed there.',
            remedy="Choose another folder: mediaflow init FOLDER.",
        ) from None
    except OSError as error:
        raise _failed(error, path) from None
    return True


def _failed(error: OSError, path: Path) -> Exception:
    return file_error(
        error, f'"{path}" cannot be made', check="Choose another folder.", room="Make room there."
    )
