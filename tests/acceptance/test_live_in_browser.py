"""How a page in a real browser listens for news: only while it is seen, and until it is let in."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.support.api_clients import serving
from tests.support.site import Pages, opened
from tests.support.stores import queue
from workflow_engine.web import live

pytestmark = pytest.mark.long

#: seconds, on a machine that does something else as well
PATIENCE = 60


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pages]:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    with opened(tmp_path) as made:
        yield made


@pytest.fixture
def page(pages: Pages, chromium: str) -> Iterator[Page]:
    with serving(pages.app) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        made = browser.new_context(base_url=f"http://{address}").new_page()
        made.set_default_timeout(PATIENCE * 1000)
        yield made
        browser.close()
        pages.site.close()


def test_a_hidden_page_leaves_its_connection_to_others(page: Page, pages: Pages):
    page.goto("/executions")
    wait_for_streams(pages, 1)
    show(page, hidden=True)
    wait_for_streams(pages, 0)
    run_id = queue(pages.engine.store)
    show(page, hidden=False)
    row = page.locator(f'a[href="/executions/{run_id}"]').first
    expect(row).to_be_visible(timeout=PATIENCE * 1000)


def test_a_page_that_is_refused_asks_again(
    page: Page, pages: Pages, monkeypatch: pytest.MonkeyPatch
):
    page.clock.install()
    monkeypatch.setattr(live, "MOST_STREAMS", 0)
    with page.expect_response(lambda answer: "/live?" in answer.url) as refused:
        page.goto("/executions")
    assert refused.value.status == 503
    monkeypatch.setattr(live, "MOST_STREAMS", 200)
    deadline = time.monotonic() + PATIENCE
    while not streams(pages) and time.monotonic() < deadline:
        page.clock.run_for(5000)
    wait_for_streams(pages, 1)


def show(page: Page, *, hidden: bool) -> None:
    """Let the page take itself as hidden, as one in a tab behind another one is."""
    page.evaluate(
        "(hidden) => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: "
        "true}); document.dispatchEvent(new Event('visibilitychange', {bubbles: true})); }",
        hidden,
    )


def streams(pages: Pages) -> int:
    found: Any = pages.site
    return len(found._live._streams)


def wait_for_streams(pages: Pages, count: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while streams(pages) != count and time.monotonic() < deadline:
        time.sleep(0.05)
    assert streams(pages) == count
