"""The pages of a real service in a real browser: signing in, live runs, what is read out.

The check of accessibility comes from npm: `make players`.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.browser import PLAYERS
from tests.support.service import KEY, SECRET, Service
from tests.support.service_home import REPORT, START, enlarged, topology
from workflow_engine.records.catalog import DEFAULT_PIPELINE_ID, PipelineState

pytestmark = pytest.mark.long

#: milliseconds, on a machine that does something else as well
PATIENCE = 120_000
HOSTILE = "x\"><img src=y onerror='owned()'>\u202egpj.mp4"
WATCHED = """
[buckets.watched]
path = "buckets/watched"
events = "watch"
settle_seconds = 0.2
"""
AXE = PLAYERS / "node_modules" / "axe-core" / "axe.min.js"


def workflow(bucket: str, *, slow: bool) -> str:
    start: dict[str, Any] = json.loads(json.dumps(START))
    start["Parameters"]["InputFile"] = {"Bucket": bucket}
    activities = {"encode": enlarged("S00000001-200040")} if slow else {}
    return topology(start=start, **activities, report=REPORT)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("pages")
    made = Service(home, WATCHED)
    made.bucket("watched").mkdir(exist_ok=True)
    shutil.copy(clip, made.bucket("uploads") / "clip.mp4")
    (home / "workflows" / "quick.json").write_text(workflow("watched", slow=False))
    (home / "workflows" / "slow.json").write_text(workflow("watched", slow=True))
    try:
        yield made.start()
    finally:
        made.close()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def page(browser: Browser, service: Service) -> Iterator[Page]:
    """A page of somebody who has signed in; nothing that it runs may fail."""
    context = browser.new_context(base_url=service.api)
    made = context.new_page()
    made.set_default_timeout(PATIENCE)
    faults: list[str] = []
    made.on("pageerror", lambda error: faults.append(str(error)))
    made.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    sign_in(made)
    yield made
    context.close()
    assert not faults


def sign_in(page: Page, secret: str = SECRET) -> None:
    page.goto("/sign-in")
    page.get_by_label("Access key id").fill(KEY)
    page.get_by_label("Secret").fill(secret)
    page.get_by_role("button", name="Sign in").click()


def land(service: Service, clip: Path, name: str) -> None:
    """Put a clip into the bucket: nothing that was made of another one is used again."""
    part = service.home / "part.mp4"
    note = f"____free{name}".encode()
    part.write_bytes(clip.read_bytes() + len(note).to_bytes(4, "big") + note[4:])
    part.rename(service.bucket("watched") / name)


def test_signing_in_and_out(browser: Browser, service: Service):
    context = browser.new_context(base_url=service.api)
    page = context.new_page()
    page.goto("/")
    assert page.url == f"{service.api}/sign-in?next=%2Fexecutions"
    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_contain_text("is wrong")
    sign_in(page)
    expect(page.get_by_role("heading", name="Executions")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.goto("/media")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    context.close()


def test_a_run_from_the_list_to_its_end_without_a_reload(page: Page, service: Service, clip: Path):
    page.goto("/executions")
    page.evaluate("window.mark = 1")
    land(service, clip, "live.mp4")
    row = page.locator("tr", has_text="live.mp4").filter(has_text="slow")
    expect(row).to_be_visible(timeout=PATIENCE)
    assert page.evaluate("window.mark") == 1
    row.get_by_role("link").click()
    page.evaluate("window.mark = 2")
    state = page.locator(".verdict .state")
    expect(page.locator("progress")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("[data-told]")).to_contain_text(" x", timeout=PATIENCE)
    expect(state).to_have_text("Completed", timeout=PATIENCE)
    expect(page.get_by_text("Run again", exact=True).first).to_be_visible()
    assert page.evaluate("window.mark") == 2
    assert page.locator("[data-live]").count() == 0


def test_cancel_resume_and_again(page: Page, service: Service, clip: Path):
    land(service, clip, "cancelled.mp4")
    page.goto("/executions?workflow=slow&object=watched/cancelled.mp4")
    page.locator("tr", has_text="cancelled.mp4").get_by_role("link").click(timeout=PATIENCE)
    path = page.url
    page.locator("summary", has_text="Cancel").click()
    page.get_by_role("button", name="Cancel this execution").click()
    state = page.locator(".verdict .state")
    expect(state).to_contain_text("Fail", timeout=PATIENCE)
    expect(page.get_by_text("Cancelled").first).to_be_visible()
    page.locator("summary", has_text="Resume").click()
    page.get_by_role("button", name="Resume this execution").click()
    expect(state).to_have_text("Completed", timeout=PATIENCE)
    page.locator("summary", has_text="Run again").click()
    page.get_by_role("button", name="Run again").click()
    expect(state).to_have_text("Completed", timeout=PATIENCE)
    assert page.url != path


def test_a_form_of_another_site_changes_nothing(page: Page, service: Service):
    url = f"{service.api}/pipelines/{DEFAULT_PIPELINE_ID}"
    form = f"<form method=post action='{url}'><input name=state value=Paused><button>Win</button>"
    page.goto(f"data:text/html,{form}")
    page.get_by_role("button", name="Win").click()
    page.wait_for_url(f"{service.api}/**")
    with service.store() as store:
        found = store.pipelines.get(DEFAULT_PIPELINE_ID)
    assert found is not None
    assert found.state is PipelineState.ACTIVE


def test_hostile_names_run_nothing(page: Page, service: Service, clip: Path):
    land(service, clip, HOSTILE)
    page.goto("/executions?workflow=quick")
    link = page.locator("tr", has_text="owned()").get_by_role("link")
    expect(link).to_be_visible(timeout=PATIENCE)
    shown, _, _ = HOSTILE.partition("\u202e")
    assert link.inner_text().startswith(shown)
    link.click()
    expect(page.locator("h1")).to_contain_text(shown)
    assert page.locator("img[src='y']").count() == 0


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: make players")
    return AXE.read_text()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pages_are_accessible_and_fit_a_phone(
    browser: Browser, service: Service, clip: Path, axe: str, dark: bool
):
    context = browser.new_context(
        base_url=service.api,
        color_scheme="dark" if dark else "light",
        viewport={"width": 390, "height": 844},
    )
    page = context.new_page()
    page.goto("/sign-in")
    check(page, axe)
    sign_in(page)
    land(service, clip, "any.mp4")
    page.goto("/executions")
    expect(page.locator("tr", has_text="any.mp4").first).to_be_visible(timeout=PATIENCE)
    run = page.locator("td.main a").first.get_attribute("href")
    page.goto("/workflows")
    defined = page.locator("td.main a").first.get_attribute("href")
    page.goto("/media")
    media = page.locator(".cards a").first.get_attribute("href")
    for path in (
        *("/executions", "/executions?object=x", "/workflows", "/triggers", "/pipelines"),
        *("/triggers?object=watched/any.mp4", "/media", "/api", "/nowhere"),
        *filter(None, (run, defined, media)),
    ):
        page.goto(path)
        check(page, axe)
    context.close()


def check(page: Page, axe: str) -> None:
    """Nothing hinders those who read with other means, and nothing is wider than the screen."""
    page.evaluate(axe)
    found = page.evaluate("axe.run()")
    told = [
        (one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found["violations"]
    ]
    assert not told, page.url
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth"), page.url
