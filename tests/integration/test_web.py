"""The pages of `serve`: who sees them, what they refuse, what they show of hostile names."""

import asyncio
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from openapi_spec_validator import validate

from tests.support.site import HOST, OWN, SECRET, WITH_KEYS, Pages, opened
from tests.support.stores import execution, queue, success
from workflow_engine.api.actions import ACTIONS
from workflow_engine.api.incoming import MOST_BODY
from workflow_engine.catalog.media import media_id
from workflow_engine.errors import Code, MediaflowError
from workflow_engine.records import ActivityState, ExecutionState, ObjectRef, utc_now
from workflow_engine.records.catalog import DEFAULT_PIPELINE_ID, PipelineState
from workflow_engine.web import api_pages

PATHS = ("/executions", "/workflows", "/triggers", "/pipelines", "/media", "/api")
#: a name that would be a tag, an attribute and an entity, and turns its direction
HOSTILE = "x\"><img src=y onerror='owned()'>&lt;\u202egpj.mp4"
TOPOLOGY = """{
  "Activities": {
    "start": {"Type": "Start", "Parameters": {"InputFile": {"Bucket": "in", "ObjectPrefix": "a/"}}},
    "report": {"Type": "Report", "Parameters": {}}
  },
  "Dependencies": {"start": ["report"], "report": []}
}"""


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pages]:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    with opened(tmp_path) as made:
        yield made


@pytest.fixture
def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pages]:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    with opened(tmp_path, WITH_KEYS) as made:
        yield made


class TestFrontDoor:
    def test_a_browser_is_led_to_the_executions(self, pages: Pages):
        answer = pages.get("/")
        assert (answer.status_code, answer.headers["location"]) == (303, "/executions")

    @pytest.mark.parametrize(
        ("path", "headers"),
        [
            ("/", {"accept": "*/*"}),
            ("/", {"accept": "application/json"}),
            ("/?Action=SearchPipeline&Version=2014-06-18", {}),
            ("/", {"x-acs-action": "SearchPipeline", "x-acs-version": "2014-06-18"}),
        ],
    )
    def test_clients_of_the_api_get_answers_of_the_api(
        self, pages: Pages, path: str, headers: dict[str, str]
    ):
        answer = pages.get(path, headers=headers)
        assert answer.status_code in (200, 400)
        assert "RequestId" in answer.text

    def test_what_is_not_served_is_a_page_for_browsers_only(self, pages: Pages):
        page = pages.get("/nowhere")
        assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert page.headers["x-request-id"] in page.text
        answer = pages.get("/nowhere", headers={"accept": "application/json"})
        assert answer.json()["Code"] == "InvalidParameter.ResourceNotFound"

    def test_a_call_is_never_answered_with_a_page(self, pages: Pages):
        """Client libraries of some languages accept HTML as well."""
        answer = pages.browser.post("/", {}, {"a": "x" * MOST_BODY})
        assert (answer.status_code, answer.json()["Code"]) == (413, "InvalidParameter.OutOfRange")

    def test_a_page_of_failure_has_the_headers_of_the_failure(self, pages: Pages):
        answer = pages.get(f"/executions/{'0' * 32}/cancel")
        assert answer.status_code == 405
        assert answer.headers["allow"] == "POST"
        assert answer.headers["x-acs-request-id"] in answer.text

    def test_numbers_and_parameters_without_end(self, guarded: Pages):
        answer = guarded.get("/sign-in?" + "a=1&" * 200 + "a=1")
        assert answer.status_code == 400
        assert "201 parameters" in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        guarded.sign_in()
        assert guarded.get("/workflows?page=" + "9" * 5000).status_code == 200

    def test_paths_of_the_server_are_not_shown(self, pages: Pages, monkeypatch: pytest.MonkeyPatch):
        home = str(pages.home)
        pages.engine.workflows.load_file(f"{home}/in/bad.json", "bad", "{", None)
        text = pages.get("/workflows").text
        assert "bad.json" in text
        assert home not in text
        failed = success("a", state=ActivityState.FAIL, message=f'"{home}/in/a.mp4" is bad.')
        run_id = queue(pages.engine.store, activities=(failed,))
        text = pages.get(f"/executions/{run_id}").text
        assert "in/a.mp4&#34; is bad." in text
        assert home not in text
        pages.engine.workflows.load_file(f"{home}/wf.json", "wf", TOPOLOGY, None)
        text = pages.get(f"/workflows/{pages.engine.workflows.find('wf').id}").text
        assert "wf.json" in text
        assert home not in text

        def broken(*_: object, **__: object) -> None:
            raise MediaflowError(
                Code.INVALID, f'"{home}/in/a.mp4" is bad.', remedy=f"Look at {home}/in."
            )

        monkeypatch.setattr(pages.engine.store.landings, "newest", broken)
        text = pages.get("/triggers").text
        assert "in/a.mp4&#34; is bad." in text
        assert home not in text

    def test_the_proxy_knows_paths_that_are_served(self, pages: Pages):
        text = (Path(__file__).parents[2] / "deploy" / "nginx.conf").read_text()
        paths = {getattr(route, "path", "") for route in pages.app.routes}
        assert set(re.findall(r"location (?:[=~] )?(\S+) {", text)) <= paths

    @pytest.mark.parametrize("path", PATHS)
    def test_pages_load_nothing_from_elsewhere_and_run_no_text(self, pages: Pages, path: str):
        pages.ended("a.mp4")
        pages.engine.workflows.add("wf", TOPOLOGY)
        answer = pages.get(path)
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert " style=" not in answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"

    def test_an_error_is_a_page_that_names_the_request_but_not_the_cause(
        self, pages: Pages, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ):
        def broken(*_: object) -> None:
            raise RuntimeError("the secret cause")

        monkeypatch.setattr(pages.engine.store.landings, "newest", broken)
        answer = pages.get("/triggers")
        number = answer.headers["x-request-id"]
        assert answer.status_code == 500
        assert number in answer.text
        assert number in caplog.text
        assert "secret cause" not in answer.text


class TestWithoutKeys:
    @pytest.mark.parametrize("path", [*PATHS, "/executions/" + "0" * 32, "/live?run=1"])
    def test_other_machines_and_foreign_names_see_nothing(self, pages: Pages, path: str):
        elsewhere = pages.visitor("203.0.113.5").get(path)
        rebound = pages.visitor(host="http://evil.example:8080").get(path)
        proxied = pages.get(path, headers={"x-forwarded-for": "127.0.0.1"})
        assert {answer.status_code for answer in (elsewhere, rebound, proxied)} == {403}
        assert "access_keys" in elsewhere.text

    def test_a_link_on_another_site_leads_here_but_no_site_loads_a_page(self, pages: Pages):
        link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
        assert pages.get("/executions", headers={**link, "sec-fetch-dest": "document"}).is_success
        frame = pages.get("/executions", headers={**link, "sec-fetch-dest": "iframe"})
        assert frame.status_code == 403

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"origin": "http://evil.example"},
            {"origin": "null"},
            {"origin": HOST.replace("8080", "9999")},
            {"origin": HOST, "sec-fetch-site": "cross-site"},
            {"origin": HOST, "sec-fetch-site": "same-site"},
            {"sec-fetch-site": "none"},
        ],
    )
    def test_changes_from_other_sites_are_refused(self, pages: Pages, headers: dict[str, str]):
        answer = pages.post(f"/pipelines/{DEFAULT_PIPELINE_ID}", headers=headers, state="Paused")
        assert answer.status_code == 403
        assert pages.engine.pipelines.get(DEFAULT_PIPELINE_ID).state is PipelineState.ACTIVE

    @pytest.mark.parametrize("token", ["", "x", "ä"])
    def test_changes_without_the_token_of_a_page_are_refused(self, pages: Pages, token: str):
        answer = pages.post(f"/pipelines/{DEFAULT_PIPELINE_ID}", token=token, state="Paused")
        assert answer.status_code == 403
        assert pages.engine.pipelines.get(DEFAULT_PIPELINE_ID).state is PipelineState.ACTIVE

    def test_a_pipeline_is_paused_and_activated(self, pages: Pages):
        for state in (PipelineState.PAUSED, PipelineState.ACTIVE):
            answer = pages.post(f"/pipelines/{DEFAULT_PIPELINE_ID}", state=str(state))
            assert answer.headers["location"] == "/pipelines"
            assert pages.engine.pipelines.get(DEFAULT_PIPELINE_ID).state is state

    def test_nothing_is_changed_by_a_link(self, pages: Pages):
        run_id = queue(pages.engine.store)
        assert pages.get(f"/executions/{run_id}/cancel").status_code == 405
        assert pages.engine.history.get(run_id).state is ExecutionState.QUEUED


class TestSignIn:
    def test_nothing_is_seen_without_an_access_key(self, guarded: Pages):
        for path in PATHS:
            answer = guarded.get(path)
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/sign-in?next=%2F")
        assert guarded.get("/live?run=1").status_code == 403

    def test_an_access_key_opens_the_door_and_signing_out_closes_it(self, guarded: Pages):
        answer = guarded.sign_in(next="/media")
        assert answer.headers["location"] == "/media"
        cookie = answer.headers["set-cookie"].lower()
        assert {"httponly", "samesite=lax", "path=/"} <= {p.strip() for p in cookie.split(";")}
        page = guarded.get("/media")
        assert page.is_success
        assert "Sign out" in page.text
        copy = guarded.visitor()
        copy.cookies = httpx.Cookies(guarded.browser.cookies)
        assert guarded.post("/sign-out").headers["location"] == "/sign-in"
        assert copy.get("/media").status_code == 303

    def test_cookies_of_others_on_this_host_do_not_matter(self, guarded: Pages):
        guarded.sign_in()
        ours = "; ".join(f"{name}={value}" for name, value in guarded.browser.cookies.items())
        for other in ('theme={"a":1}', 'a"b', "[x]=1"):
            headers = {"cookie": f"{other}; {ours}"}
            assert guarded.visitor().get("/media", headers).is_success, other

    def test_a_session_is_good_on_other_machines_too(self, guarded: Pages):
        guarded.sign_in()
        there = guarded.visitor("203.0.113.5", "http://media.example")
        for name, value in guarded.browser.cookies.items():
            there.cookies.set(name, value)
        assert there.get("/executions").is_success

    @pytest.mark.parametrize(
        ("key", "secret"), [("me", "wrong"), ("you", SECRET), ("", ""), ("me", "")]
    )
    def test_a_wrong_key_says_neither_what_is_wrong(self, guarded: Pages, key: str, secret: str):
        answer = guarded.sign_in(secret, key)
        assert answer.status_code == 403
        assert "The access key id or the secret is wrong." in answer.text
        assert "set-cookie" not in answer.headers

    def test_guesses_are_slowed_down(self, guarded: Pages):
        answers = [guarded.sign_in("wrong") for _ in range(6)]
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert guarded.sign_in().status_code == 429, "also the right one has to wait"

    @pytest.mark.parametrize(
        "target", ["//evil.example/", "https://evil.example/", "/\\evil.example", "evil", ""]
    )
    def test_signing_in_leads_to_our_own_pages_only(self, guarded: Pages, target: str):
        assert guarded.sign_in(next=target).headers["location"] == "/executions"

    def test_another_site_signs_nobody_in(self, guarded: Pages):
        form = {"token": guarded.token("/sign-in"), "key_id": "me", "secret": SECRET}
        answer = guarded.browser.post(
            "/sign-in", data=form, headers={"origin": "http://evil.example"}
        )
        assert answer.status_code == 403

    def test_the_token_is_that_of_the_session(self, guarded: Pages):
        before = guarded.token("/sign-in")
        guarded.sign_in()
        form = {"token": before, "state": "Paused"}
        path = f"/pipelines/{DEFAULT_PIPELINE_ID}"
        assert guarded.browser.post(path, data=form, headers=OWN).status_code == 403


class TestExecutions:
    def test_names_are_shown_as_text(self, pages: Pages):
        ref = ObjectRef(bucket="in", object=f"a/{HOSTILE}")
        record = pages.ended("x.mp4", input=ref, workflow=HOSTILE, media_id=media_id(ref))
        pages.engine.media.add(ref, title=HOSTILE)
        for path in (
            "/executions",
            f"/executions/{record.run_id}",
            f"/executions?object={quote(HOSTILE)}",
            "/media",
            f"/media/{media_id(ref)}",
            f"/triggers?object={quote(HOSTILE)}",
        ):
            text = pages.get(path).text
            assert "<img src=y" not in text, path
            assert "&lt;img src=y onerror=&#39;owned()&#39;&gt;&amp;lt;" in text, path

    def test_a_list_is_walked_there_and_back(self, pages: Pages):
        moments = [utc_now() - timedelta(minutes=n) for n in range(120)]
        ids = [queue(pages.engine.store, created=moment) for moment in moments]
        first, path = pages.get("/executions").text, "/executions"
        seen: list[str] = []
        while path:
            text = pages.get(path).text
            seen += [run_id for run_id in ids if f"/executions/{run_id}" in text]
            path = _button(text, "Older")
        assert seen == ids
        last = pages.get("/executions?last=1").text
        assert f"/executions/{ids[-1]}" in last
        path = _button(last, "Newer")
        while path and (text := pages.get(path).text) is not None:
            path = _button(text, "Newer")
        assert f"/executions/{ids[0]}" in text
        assert _button(first, "Newer") == ""

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("object=in/a/b.mp4", {"one"}),
            ("object=in/a/*", {"one", "two"}),
            ("object=oss://in/a/c*", {"two"}),
            ("object=other/*", {"three"}),
            ("object=in/b*", set[str]()),
            ("workflow=two", {"two"}),
            ("state=queued", {"one", "two"}),
            ("state=cancelled", {"three"}),
            ("state=failed", set[str]()),
            ("since=2024-02-02", {"two"}),
            ("until=2024-02-01", {"one", "three"}),
            ("workflow=one&object=in/a/*&state=queued&since=2024-01-01", {"one"}),
        ],
    )
    def test_filters(self, pages: Pages, query: str, found: set[str]):
        store, day = pages.engine.store, utc_now().replace(year=2024, month=2, day=1)
        queue(store, workflow="one", input=ObjectRef(bucket="in", object="a/b.mp4"), created=day)
        later = day + timedelta(days=1)
        queue(store, workflow="two", input=ObjectRef(bucket="in", object="a/cä.mp4"), created=later)
        other = ObjectRef(bucket="other", object="a/b.mp4")
        store.queue.request_cancel(queue(store, workflow="three", input=other, created=day))
        table = pages.get(f"/executions?{query}").text.partition("<tbody>")[2]
        assert {name for name in ("one", "two", "three") if f"<bdi>{name}</bdi>" in table} == found

    @pytest.mark.parametrize(
        "query", ["state=x", "since=yesterday", "object=/x", "before=" + "0" * 32]
    )
    def test_what_cannot_be_asked_for_is_said_on_the_page(self, pages: Pages, query: str):
        answer = pages.get(f"/executions?{query}")
        assert answer.status_code == 400
        assert 'role="alert"' in answer.text

    def test_cancel_resume_and_again(self, pages: Pages):
        (pages.home / "in" / "a").mkdir(parents=True)
        (pages.home / "in" / "a" / "b.mp4").write_bytes(b"x")
        workflow = pages.engine.workflows.add("wf", TOPOLOGY)
        ref = ObjectRef(bucket="in", object="a/b.mp4", location="local")
        run_id = pages.engine.submit(workflow, ref, user_data="mine").run_id
        path = f"/executions/{run_id}"
        assert "Cancel this execution" in pages.get(path).text
        assert pages.post(f"{path}/cancel").headers["location"] == path
        assert pages.engine.history.get(run_id).code == "Cancelled"
        assert pages.post(f"{path}/cancel").status_code == 400, "it has ended"
        assert "Resume this execution" in pages.get(path).text
        assert pages.post(f"{path}/resume").headers["location"] == path
        assert pages.engine.history.get(run_id).state is ExecutionState.QUEUED
        other = pages.post(f"{path}/again", fresh="1").headers["location"].rpartition("/")[2]
        made = pages.engine.history.get(other)
        assert other != run_id
        assert (made.input, made.user_data, made.fresh) == (ref, "mine", True)
        assert made.topology == TOPOLOGY

    def test_no_such_execution(self, pages: Pages):
        assert pages.get("/executions/" + "0" * 32).status_code == 404


class TestObjects:
    def test_only_what_was_published_is_served(self, pages: Pages):
        record = pages.ended("b/c d.mp4")
        (pages.home / "out" / "secret.mp4").write_text("secret")
        at = f"/executions/{record.run_id}/objects"
        assert pages.get(f"{at}/out/b/c%20d.mp4").text == "b/c d.mp4"
        for path in ("out/secret.mp4", "out/../mediaflow.toml", "in/b/c d.mp4", "out/b"):
            assert pages.get(f"{at}/{path}").status_code == 404, path
        assert pages.get(f"/executions/{'0' * 32}/objects/out/b/c%20d.mp4").status_code == 404

    @pytest.mark.parametrize(
        ("asked", "status", "body", "told"),
        [
            ("bytes=0-3", 206, "0123", "bytes 0-3/10"),
            ("bytes=8-99", 206, "89", "bytes 8-9/10"),
            ("bytes=-4", 206, "6789", "bytes 6-9/10"),
            ("bytes=7-", 206, "789", "bytes 7-9/10"),
            ("bytes=10-", 416, "", "bytes */10"),
            ("bytes=-0", 416, "", "bytes */10"),
            ("bytes=0-" + "9" * 5000, 200, "0123456789", None),
            ("bytes=0-1,4-5", 200, "0123456789", None),
            ("lines=1-2", 200, "0123456789", None),
        ],
    )
    def test_ranges(self, pages: Pages, asked: str, status: int, body: str, told: str | None):
        record = pages.ended("0123456789")
        path = f"/executions/{record.run_id}/objects/out/0123456789"
        answer = pages.get(path, headers={"range": asked})
        assert (answer.status_code, answer.text) == (status, body)
        assert answer.headers.get("content-range") == told
        again = pages.get(path, headers={"if-none-match": answer.headers["etag"]})
        assert again.status_code == 304

    @pytest.mark.parametrize(
        ("key", "kind", "shown"),
        [
            ("a.jpg", "image/jpeg", True),
            ("a.mp4", "video/mp4", True),
            ("a.html", "application/octet-stream", False),
            ("a.svg", "application/octet-stream", False),
            ("a", "application/octet-stream", False),
        ],
    )
    def test_nothing_that_runs_is_shown(self, pages: Pages, key: str, kind: str, shown: bool):
        record = pages.ended(key)
        answer = pages.get(f"/executions/{record.run_id}/objects/out/{key}")
        assert answer.headers["content-type"].partition(";")[0] == kind
        assert answer.headers["content-disposition"].startswith("inline") is shown
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]

    def test_covers_are_pictures_that_were_published(self, pages: Pages):
        ref = ObjectRef(bucket="in", object="a.mp4")
        (pages.home / "in").mkdir()
        (pages.home / "in" / "a.mp4").write_text("film")
        media = pages.engine.media.add(ref)
        assert pages.get(f"/media/{media.id}/file").text == "film"
        assert pages.get(f"/media/{media.id}/cover").status_code == 404
        pages.ended("c.jpg")
        (pages.home / "out" / "private.jpg").write_text("private")
        for key, status in (("c.jpg", 200), ("private.jpg", 404)):
            pages.engine.media.set_cover(media.id, f"http://out.local.aliyuncs.com/{key}")
            assert pages.get(f"/media/{media.id}/cover").status_code == status
        pages.engine.media.delete([media.id])
        assert pages.get(f"/media/{media.id}/file").status_code == 404


class TestOthers:
    def test_a_workflow_with_its_graph_its_rule_and_its_problems(self, pages: Pages):
        pages.engine.workflows.add("wf", TOPOLOGY)
        workflow = pages.engine.workflows.find("wf")
        queue(pages.engine.store, workflow_id=workflow.id)
        text = pages.get(f"/workflows/{workflow.id}").text
        assert 'href="#line-3"' in text
        assert 'id="line-3"' in text
        assert "a/b/c.flv" in text
        assert "under a key that begins with" in text
        broken = TOPOLOGY.replace('"Report", "Parameters": {}', '"Report", "Parameters": 7')
        pages.engine.store.workflows.save(
            type(workflow)(**{**_fields(workflow), "topology": broken})
        )
        text = pages.get(f"/workflows/{workflow.id}").text
        assert '<a href="#line-4">Line 4</a>' in text

    def test_lines_of_a_topology_end_where_its_problems_say(self, pages: Pages):
        odd = TOPOLOGY.replace('"a/"', '"a\u2028b/"')
        pages.engine.workflows.add("wf", odd)
        text = pages.get(f"/workflows/{pages.engine.workflows.find('wf').id}").text
        assert text.count('id="line-') == odd.count("\n") + 1

    def test_files_that_are_no_workflows_are_told(self, pages: Pages):
        pages.engine.workflows.load_file("/w/bad.json", "bad", "{", None)
        assert "bad" in pages.get("/workflows").text

    def test_what_landed_and_why_not(self, pages: Pages):
        (pages.home / "in").mkdir()
        (pages.home / "in" / "clip.txt").write_text("x")
        text = pages.get("/triggers?object=in/clip.txt").text
        assert "no workflow is bound to the bucket" in text
        assert pages.get("/triggers?object=/etc/passwd").status_code in (200, 400)
        assert "root:" not in pages.get("/triggers?object=/etc/passwd").text

    def test_the_document_of_the_actions_does_not_hold_up_others(
        self, pages: Pages, monkeypatch: pytest.MonkeyPatch
    ):
        def made() -> dict[str, bool]:
            with pytest.raises(RuntimeError):
                asyncio.get_running_loop()
            return {"aside": True}

        monkeypatch.setattr(api_pages, "_document", made)
        assert pages.get("/openapi.json").json() == {"aside": True}

    def test_the_actions_as_openapi(self, pages: Pages):
        found = pages.get("/openapi.json").json()
        validate(found)
        assert {path.partition("=")[2] for path in found["paths"]} == set(ACTIONS)
        text = pages.get("/api").text
        assert all(f"<strong>{name}</strong>" in text for name in ACTIONS)


def _button(text: str, name: str) -> str:
    """Return where a button of a list leads, "" where there is none."""
    before, found, _ = text.partition(f'">{name}</a>')
    return before.rpartition('href="')[2].replace("&amp;", "&") if found else ""


def _fields(record: object) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__slots__}  # type: ignore[attr-defined]


def test_an_execution_of_a_job_cannot_be_repeated(pages: Pages):
    record = execution()
    pages.engine.store.queue.add(record)
    answer = pages.post(f"/executions/{record.run_id}/again")
    assert answer.status_code == 400
