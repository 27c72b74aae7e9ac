"""The pages of docs/reference say what the source says, and their examples are taken."""

import importlib.util
from types import ModuleType

import pytest

from tests.support.places import ROOT


def _reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REFERENCE = _reference()


@pytest.mark.parametrize(("name", "text"), [*REFERENCE.pages().items()])
def test_a_page_is_as_the_source_is(name: str, text: str):
    assert (ROOT / "docs" / "reference" / name).read_text() == text, "call make reference"


@pytest.mark.parametrize(
    ("page", "row"),
    [
        (
            "activities.md",
            "| `Bitrate` | number, 10 to 50000 kbit/s |  | `25` |",
        ),
        (
            "activities.md",
            "| `Samplerate` | 22050, 32000, 44100, 48000, 96000 Hz | `44100` | `22050` |",
        ),
        ("activities.md", '| `TemplateId` | text | **required** | `"S00000001-200030"` |'),
        (
            "configuration.md",
            "| `concurrency` | whole number, at least 1 | `2` | executions at once |",
        ),
    ],
)
def test_rows_tell_ranges_units_defaults_and_examples(page: str, row: str):
    assert row in (ROOT / "docs" / "reference" / page).read_text().splitlines()
