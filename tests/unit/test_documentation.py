"""The pages hold what they promise: links lead somewhere, and what is cited is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DECISIONS = ROOT / "docs" / "decisions"
PACKAGES = ("workflow_engine", "activities", "triggers")
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

#: "decision 6", "decisions 1-4", "Decisions 5 (content keys), 6 (order of writes) and 20"
_CITED = re.compile(
    r"\bdecisions?\s+((?:\d+(?:-\d+)?(?:\s+\([^)]*\))?(?:,\s+(?=\d)|\s+and\s+(?=\d))?)+)", re.I
)
_NUMBERS = re.compile(r"(\d+)(?:-(\d+))?")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.M)
_CODE = re.compile(r"^```.*?^```", re.M | re.S)
#: a file or a folder of the source, as `tests/chaos` and `tests/unit/test_transcode_*`
_PATH = re.compile(
    r"(?<![\w./-])(?:workflow_engine|activities|triggers|tests|examples|benchmarks)/[\w/.*-]*\w\*?"
)


def cited(text: str) -> Iterator[int]:
    """Yield the numbers of the decisions that a text cites."""
    for match in _CITED.finditer(text.replace("#", " ")):
        for first, last in _NUMBERS.findall(re.sub(r"\([^)]*\)", "", match[1])):
            yield from range(int(first), int(last or first) + 1)


def anchors(page: Path) -> set[str]:
    """Return the anchors that a page's headings get."""
    headings = _HEADING.findall(_CODE.sub("", page.read_text()))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("kept while its block runs (decision 6).", [6]),
        ("Decisions 1-4.", [1, 2, 3, 4]),
        ("Decisions\n5 (keys, of 2 kinds), 6 (order) and 20 (causes).", [5, 6, 20]),
        ("names\n    # (decisions 1\n    # and 19)", [1, 19]),
        ('(decision 6, "Ownership"), found by its key (decision 5)', [6, 5]),
        ("a decision, 7 times", []),
    ],
)
def test_citations_are_recognised(text: str, numbers: list[int]):
    assert list(cited(text)) == numbers


def test_every_decision_that_the_code_cites_has_a_page():
    there = {int(page.name[:4]) for page in DECISIONS.glob("0*.md")}
    sources = [path for package in PACKAGES for path in ROOT.joinpath(package).rglob("*.py")]
    found = {name(path): set(cited(path.read_text())) for path in sources}
    assert sum(map(len, found.values())) > 30
    assert not {path: numbers - there for path, numbers in found.items() if numbers - there}


def test_the_index_lists_the_decisions_by_their_titles():
    index = (DECISIONS / "README.md").read_text()
    listed = re.findall(r"^\| (\d+) \| \[(.+)\]\((.+)\) \|$", index, re.M)
    pages = sorted(DECISIONS.glob("0*.md"))
    assert [file for _, _, file in listed] == [page.name for page in pages]
    for number, title, file in listed:
        assert int(file[:4]) == int(number)
        assert (DECISIONS / file).read_text().startswith(f"# {number}. {title}\n")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path):
    for link in _LINK.findall(_CODE.sub("", page.read_text())):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_that_a_page_names_are_there(page: Path):
    for path in _PATH.findall(page.read_text()):
        assert list(ROOT.glob(path)), path
