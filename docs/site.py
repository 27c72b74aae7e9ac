"""Copies the pages to .site/pages, as the site has them: with those of the repository's root.

    make docs

Links to source files become text, since the site has no source.
"""

import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = ROOT / ".site" / "pages"
#: what pages outside of docs/, and indexes of folders, are called on the site
CALLED = {
    ROOT / "CHANGELOG.md": "changelog.md",
    ROOT / "CONTRIBUTING.md": "contributing.md",
    ROOT / "README.md": "overview.md",
    ROOT / "SECURITY.md": "security.md",
    DOCS / "decisions" / "README.md": "decisions/index.md",
}
_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
_BLOCK = re.compile(r"(^```.*?^```)", re.M | re.S)


def main() -> None:
    """Write the folder anew."""
    shutil.rmtree(PAGES, ignore_errors=True)
    sources = [*DOCS.rglob("*.md"), *(page for page in CALLED if page.parent == ROOT)]
    for source in sources:
        target = PAGES / _called(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_relinked(source), encoding="utf-8")
    for picture in DOCS.rglob("*.svg"):
        target = PAGES / picture.relative_to(DOCS)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture, target)


def _called(source: Path) -> str:
    """Return the place of a page on the site."""
    return CALLED.get(source) or source.relative_to(DOCS).as_posix()


def _relinked(source: Path) -> str:
    """Return a page with its links as they lead on the site."""
    up = "../" * _called(source).count("/")

    def link(match: re.Match[str]) -> str:
        text, target = match.groups()
        path, hash_, anchor = target.partition("#")
        if not path or re.match(r"\w+:", target):
            return match[0]
        file = (source.parent / path).resolve()
        on_site = file in CALLED or (file.is_relative_to(DOCS) and file.suffix in (".md", ".svg"))
        return f"[{text}]({up}{_called(file)}{hash_}{anchor})" if on_site else text

    parts = _BLOCK.split(source.read_text(encoding="utf-8"))
    parts[::2] = [_LINK.sub(link, text) for text in parts[::2]]  # blocks stand between
    return "".join(parts)


if __name__ == "__main__":
    main()
