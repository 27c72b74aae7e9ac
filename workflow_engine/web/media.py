"""The media library: covers and titles, and one media with its runs."""

from collections.abc import Mapping
from urllib.parse import quote

from starlette.responses import Response

from workflow_engine.engine import Engine
from workflow_engine.records import ExecutionKind, Json
from workflow_engine.records.catalog import MediaRecord
from workflow_engine.store import ExecutionFilter
from workflow_engine.web.executions import rows_of
from workflow_engine.web.objects import is_picture, plays_as
from workflow_engine.web.serving import Visit
from workflow_engine.web.workflows import page_number

#: media of one page
_PAGE_SIZE = 24
_RECENT = 20
#: what is shown of the properties of a file, and how it is called
_FACTS = (
    ("Format", "FileFormat", ""),
    ("Width", "Width", " px"),
    ("Height", "Height", " px"),
    ("Duration", "Duration", " s"),
    ("Frame rate", "Fps", " fps"),
    ("Bitrate", "Bitrate", " kbit/s"),
)


class MediaPages:
    """`/media` and `/media/ID`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(self, visit: Visit) -> Response:
        """Show a page of the library."""
        number = page_number(visit)
        found, total = self._engine.media.search(offset=(number - 1) * _PAGE_SIZE, limit=_PAGE_SIZE)
        return visit.page(
            "media_list.html",
            here="/media",
            media=[(one, _title(one), _cover(one), _short(one.properties)) for one in found],
            total=total,
            number=number,
            pages=-(-total // _PAGE_SIZE),
        )

    def show(self, visit: Visit) -> Response:
        """Show a media."""
        record = self._engine.media.get(visit.request.parts["media_id"])
        runs = self._engine.store.executions.line_page(
            ExecutionFilter(kind=ExecutionKind.WORKFLOW, media_id=record.id), limit=_RECENT
        )
        return visit.page(
            "media.html",
            here="/media",
            record=record,
            title=_title(record),
            cover=_cover(record),
            file=f"/media/{quote(record.id)}/file",
            plays_as=plays_as(record.file.object),
            facts=_facts(record.properties),
            rows=rows_of(runs.items),
        )


def _title(record: MediaRecord) -> str:
    return record.title or record.file.object.rpartition("/")[2]


def _cover(record: MediaRecord) -> str:
    """Return where the cover is served, "" for none."""
    return f"/media/{quote(record.id)}/cover" if is_picture(record.cover_url) else ""


def _short(properties: Mapping[str, Json]) -> str:
    """Return how long a media is, and how large its picture."""
    width, height = properties.get("Width"), properties.get("Height")
    seconds = properties.get("Duration")
    facts = [f"{seconds} s" if seconds else "", f"{width}x{height}" if width and height else ""]
    return ", ".join(filter(None, facts))


def _facts(properties: Mapping[str, Json]) -> list[tuple[str, str]]:
    return [
        (name, f"{properties[key]}{unit}")
        for name, key, unit in _FACTS
        if properties.get(key) not in (None, "")
    ]
