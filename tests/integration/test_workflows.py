"""Registered workflows and their executions: life cycle, and the actions of the API."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alibabacloud_mts20140618 import models
from alibabacloud_mts20140618.client import Client

from tests.support.api_clients import serving, tea
from tests.support.places import EXAMPLES
from tests.support.topologies import minimal, text
from workflow_engine.api.action import actions_of
from workflow_engine.api.actions import executions, workflows
from workflow_engine.api.app import create_app
from workflow_engine.catalog.workflows import Workflows
from workflow_engine.engine import Engine
from workflow_engine.errors import Code, InvalidInputError, TopologyError
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    ExecutionKind,
    ExecutionRecord,
    ExecutionState,
    ObjectRef,
    new_id,
    utc_now,
)
from workflow_engine.records.catalog import TriggerMode, WorkflowState
from workflow_engine.settings import load_settings
from workflow_engine.store import Store

GOOD = text(minimal())
ACTIONS = {a.name: a for module in (workflows, executions) for a in actions_of(module)}


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    engine = Engine(load_settings(None))
    yield engine
    engine.close()


@pytest.fixture
def catalog(engine: Engine) -> Workflows:
    return engine.workflows


def call(engine: Engine, name: str, **parameters: Any) -> Any:
    """Call an action as the server does."""
    action = ACTIONS[name]
    return action.call(engine, action.request.model_validate(parameters))


def refuses(code: Code) -> Any:
    return pytest.raises(InvalidInputError, check=lambda error: error.code == code)


class TestLifeCycle:
    def test_a_new_workflow(self, catalog: Workflows):
        topology = (EXAMPLES / "console-export.json").read_text()
        record = catalog.add("视频", topology)
        assert record.state is WorkflowState.ACTIVE
        assert record.trigger_mode is TriggerMode.OSS_AUTO_TRIGGER
        assert record.topology == topology
        assert (record.bucket, record.file) == ("uploads", "")
        assert catalog.get(record.id) == record
        assert catalog.find("视频") == catalog.find(record.id) == record

    @pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.stem)
    def test_the_examples(self, catalog: Workflows, path: Path):
        assert catalog.add(path.stem, path.read_text()).topology == path.read_text()

    def test_names_are_unique_among_those_not_deleted(self, catalog: Workflows):
        first = catalog.add("a", GOOD)
        catalog.deactivate(first.id)
        with refuses(Code.INVALID_STATE):
            catalog.add("a", GOOD)
        catalog.delete(first.id)
        second = catalog.add("a", GOOD)
        assert catalog.find("a").id == second.id
        assert catalog.get(first.id).state is WorkflowState.DELETED

    def test_a_topology_with_problems(self, catalog: Workflows):
        value = minimal()
        value["Dependencies"]["sd"] = ["repotr"]
        value["Activities"]["sd"]["Parameters"]["Outputs"][0]["TemplateId"] = "nonsense"
        record = catalog.add("a", GOOD)
        catalog.deactivate(record.id)
        for act in (
            lambda: catalog.add("b", text(value)),
            lambda: catalog.update(record.id, text(value)),
        ):
            with pytest.raises(TopologyError) as caught:
                act()
            pointers = {problem.pointer for problem in caught.value.problems}
            assert "/Dependencies/sd/0" in pointers
            assert "/Activities/sd/Parameters/Outputs/0/TemplateId" in pointers
        assert catalog.get(record.id).topology == GOOD
        with refuses(Code.RESOURCE_NOT_FOUND):
            catalog.find("b")

    def test_an_active_workflow_cannot_be_changed(self, catalog: Workflows):
        record = catalog.add("a", GOOD)
        with refuses(Code.INVALID_STATE):
            catalog.update(record.id, GOOD)
        with refuses(Code.INVALID_STATE):
            catalog.set_trigger_mode(record.id, TriggerMode.NOT_IN_AUTO)
        assert catalog.get(record.id) == record

    def test_an_inactive_one_can(self, catalog: Workflows):
        record = catalog.add("a", GOOD)
        assert catalog.deactivate(record.id).state is WorkflowState.INACTIVE
        value = minimal()
        value["Activities"]["start"]["Parameters"]["InputFile"] = {"Bucket": "other"}
        changed = catalog.update(record.id, text(value))
        assert (changed.bucket, changed.prefix, changed.topology) == ("other", "", text(value))
        assert catalog.set_trigger_mode(record.id, TriggerMode.NOT_IN_AUTO).topology == text(value)
        active = catalog.activate(record.id)
        assert (active.state, active.trigger_mode) == ("Active", "NotInAuto")
        assert catalog.get(record.id) == active

    def test_twice_is_once(self, catalog: Workflows):
        record = catalog.add("a", GOOD)
        assert catalog.activate(record.id) == record
        inactive = catalog.deactivate(record.id)
        assert catalog.deactivate(record.id) == inactive
        deleted = catalog.delete(record.id)
        assert catalog.delete(record.id) == deleted

    def test_a_deleted_one_is_gone_for_good(self, catalog: Workflows):
        record = catalog.add("a", GOOD)
        assert catalog.delete(record.id).state is WorkflowState.DELETED
        for act in (catalog.activate, catalog.deactivate):
            with refuses(Code.RESOURCE_DELETED):
                act(record.id)
        with refuses(Code.INVALID_STATE):
            catalog.update(record.id, GOOD)
        with refuses(Code.INVALID_STATE):
            catalog.set_trigger_mode(record.id, TriggerMode.NOT_IN_AUTO)
        with refuses(Code.RESOURCE_NOT_FOUND):
            catalog.find("a")

    def test_unknown_ones(self, catalog: Workflows):
        for act in (
            catalog.get,
            catalog.find,
            catalog.activate,
            catalog.deactivate,
            catalog.delete,
            lambda one: catalog.update(one, GOOD),
            lambda one: catalog.set_trigger_mode(one, TriggerMode.NOT_IN_AUTO),
        ):
            with refuses(Code.RESOURCE_NOT_FOUND):
                act("0" * 32)

    def test_search(self, catalog: Workflows):
        made = [catalog.add(f"w{number}", GOOD) for number in range(5)]
        catalog.deactivate(made[0].id)
        catalog.delete(made[1].id)
        records, total = catalog.search(WorkflowState, page_number=1, page_size=2)
        assert ([r.name for r in records], total) == (["w4", "w3"], 5)
        records, total = catalog.search(WorkflowState, page_number=3, page_size=2)
        assert ([r.name for r in records], total) == (["w0"], 5)
        inactive = [WorkflowState.INACTIVE, WorkflowState.DELETED]
        records, total = catalog.search(inactive, page_number=1, page_size=10)
        assert ([r.name for r in records], total) == (["w1", "w0"], 2)
        assert catalog.by_ids([made[2].id, "0" * 32, made[4].id]) == [made[2], made[4]]

    def test_an_update_loses_against_an_activation_in_between(self, engine: Engine):
        other = Workflows(engine.store, engine.parse)

        def slow(text: str) -> Any:
            other.activate(record.id)
            return engine.parse(text)

        record = engine.workflows.add("a", GOOD)
        engine.workflows.deactivate(record.id)
        with refuses(Code.INVALID_STATE):
            Workflows(engine.store, slow).update(record.id, text(minimal() | {"x": 1}))
        assert engine.workflows.get(record.id).topology == GOOD

    def test_many_at_once(self, engine: Engine):
        """Whoever changes the topology saw the workflow Inactive; nothing else gets through."""
        record = engine.workflows.add("a", GOOD)
        stores = [Store.open(engine.settings.store.url) for _ in range(3)]
        changed: list[str] = []
        refused: list[str] = []

        def toggle(catalog: Workflows) -> None:
            for _ in range(20):
                catalog.deactivate(record.id)
                catalog.activate(record.id)

        def update(catalog: Workflows) -> None:
            for number in range(20):
                try:
                    changed.append(catalog.update(record.id, GOOD + " " * number).state)
                except InvalidInputError as error:
                    refused.append(error.code)

        catalogs = [Workflows(store, engine.parse) for store in stores]
        threads = [
            threading.Thread(target=work, args=(catalog,))
            for work, catalog in zip((toggle, update, update), catalogs, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(changed) <= {"Inactive"} and set(refused) <= {Code.INVALID_STATE}
        assert len(changed) + len(refused) == 40
        assert engine.workflows.get(record.id).state is WorkflowState.ACTIVE
        for store in stores:
            store.close()


class TestWorkflowActions:
    def test_from_adding_to_deleting(self, engine: Engine):
        added = call(engine, "AddMediaWorkflow", Name="a", Topology=GOOD)["MediaWorkflow"]
        workflow_id = added["MediaWorkflowId"]
        assert added["State"] == "Active" and added["Topology"] == GOOD

        def change(name: str, **parameters: str) -> Any:
            return call(engine, name, MediaWorkflowId=workflow_id, **parameters)["MediaWorkflow"]

        with refuses(Code.INVALID_STATE):
            change("UpdateMediaWorkflow", Topology=GOOD)
        assert change("DeactivateMediaWorkflow")["State"] == "Inactive"
        mode = change("UpdateMediaWorkflowTriggerMode", TriggerMode="NotInAuto")
        assert mode["TriggerMode"] == "NotInAuto"
        assert change("UpdateMediaWorkflow", Topology=GOOD + " ")["Topology"] == GOOD + " "
        active = change("ActivateMediaWorkflow")
        assert active == {
            "MediaWorkflowId": workflow_id,
            "Name": "a",
            "State": "Active",
            "Topology": GOOD + " ",
            "CreationTime": added["CreationTime"],
        }
        assert change("DeleteMediaWorkflow")["State"] == "Deleted"
        with refuses(Code.RESOURCE_DELETED):
            change("ActivateMediaWorkflow")

    def test_query(self, engine: Engine):
        ids = [
            call(engine, "AddMediaWorkflow", Name=name, Topology=GOOD)["MediaWorkflow"][
                "MediaWorkflowId"
            ]
            for name in ("a", "b")
        ]
        answer = call(engine, "QueryMediaWorkflowList", MediaWorkflowIds=",".join(ids))
        assert [w["Name"] for w in answer["MediaWorkflowList"]["MediaWorkflow"]] == ["a", "b"]
        assert "NonExistMediaWorkflowIds" not in answer
        answer = call(
            engine, "QueryMediaWorkflowList", MediaWorkflowIds=f"{'0' * 32},{ids[1]},{'1' * 32}"
        )
        assert [w["Name"] for w in answer["MediaWorkflowList"]["MediaWorkflow"]] == ["b"]
        missing = answer["NonExistMediaWorkflowIds"]["MediaWorkflowId"]
        assert missing == ["0" * 32, "1" * 32]

    def test_search(self, engine: Engine):
        for number in range(3):
            call(engine, "AddMediaWorkflow", Name=f"w{number}", Topology=GOOD)
        engine.workflows.deactivate(engine.workflows.find("w1").id)
        engine.workflows.delete(engine.workflows.find("w2").id)
        answer = call(engine, "SearchMediaWorkflow", PageSize="2")
        names = [w["Name"] for w in answer["MediaWorkflowList"]["MediaWorkflow"]]
        assert names == ["w2", "w1"]
        assert (answer["TotalCount"], answer["PageNumber"], answer["PageSize"]) == (3, 1, 2)
        answer = call(engine, "SearchMediaWorkflow", StateList="Inactive,Active")
        names = [w["Name"] for w in answer["MediaWorkflowList"]["MediaWorkflow"]]
        assert (names, answer["TotalCount"]) == (["w1", "w0"], 2)


def executed(engine: Engine, number: int, **changes: Any) -> ExecutionRecord:
    """Put an execution into the store, `number` minutes after the first."""
    record = ExecutionRecord(
        run_id=new_id(),
        workflow_id="1" * 32,
        workflow="ladder",
        topology=GOOD,
        input=ObjectRef(bucket="uploads", object="a b.mp4"),
        media_id="5" * 32,
        state=ExecutionState.QUEUED,
        created=utc_now() - timedelta(days=1) + timedelta(minutes=number),
        activities=(ActivityRecord(name="start", type="Start"),),
    )
    record = replace(record, **changes)
    engine.store.queue.add(record)
    return record


class TestExecutionActions:
    def test_query(self, engine: Engine):
        ran = ActivityRecord(name="start", type="Start", state=ActivityState.SUCCESS)
        first = executed(engine, 0, state=ExecutionState.COMPLETED, activities=(ran,))
        second = executed(engine, 1)
        job = executed(engine, 2, kind=ExecutionKind.TRANSCODE)
        ids = [first.run_id, "0" * 32, job.run_id, second.run_id]
        answer = call(engine, "QueryMediaWorkflowExecutionList", RunIds=",".join(ids))
        listed = answer["MediaWorkflowExecutionList"]["MediaWorkflowExecution"]
        assert [e["RunId"] for e in listed] == [second.run_id, first.run_id]
        assert [e["State"] for e in listed] == ["Running", "Completed"]
        activities = [e["ActivityList"]["Activity"] for e in listed]
        assert activities == [[], [{"Name": "start", "Type": "Start", "State": "Success"}]]
        assert answer["NonExistRunIds"] == {"RunId": ["0" * 32, job.run_id]}

    def test_list_by_pages(self, engine: Engine):
        made = [executed(engine, number).run_id for number in range(25)]
        executed(engine, 30, kind=ExecutionKind.SNAPSHOT)
        executed(engine, 0, created=utc_now() - timedelta(days=91))
        found: list[str] = []
        token = ""
        for expected in (10, 10, 5):
            answer = call(engine, "ListMediaWorkflowExecutions", NextPageToken=token)
            page = answer["MediaWorkflowExecutionList"]["MediaWorkflowExecution"]
            assert len(page) == expected
            found += [e["RunId"] for e in page]
            token = answer.get("NextPageToken", "")
        assert token == "" and found == made[::-1]
        with refuses(Code.INVALID):
            call(engine, "ListMediaWorkflowExecutions", NextPageToken="0" * 32)

    def test_filters_combine(self, engine: Engine):
        wanted = executed(engine, 0)
        executed(engine, 1, workflow="other")
        executed(engine, 2, workflow_id="2" * 32)
        executed(engine, 3, input=ObjectRef(bucket="uploads", object="b.mp4"))
        executed(engine, 4, input=ObjectRef(bucket="other", object="a b.mp4"))
        everything = {
            "MediaWorkflowId": "1" * 32,
            "MediaWorkflowName": "ladder",
            "InputFileURL": "http://uploads.oss-cn-hangzhou.aliyuncs.com/a%20b.mp4",
        }

        def count(**parameters: str) -> int:
            answer = call(engine, "ListMediaWorkflowExecutions", **parameters)
            return len(answer["MediaWorkflowExecutionList"]["MediaWorkflowExecution"])

        answer = call(engine, "ListMediaWorkflowExecutions", **everything)
        (only,) = answer["MediaWorkflowExecutionList"]["MediaWorkflowExecution"]
        assert only["RunId"] == wanted.run_id
        assert [count(**{name: value}) for name, value in everything.items()] == [4, 4, 3]
        assert count(InputFileURL="oss://uploads/b.mp4") == 1
        assert count(MediaWorkflowName="Ladder") == 0

    @pytest.mark.parametrize(
        ("url", "code"),
        [
            ("a/b.mp4", Code.INVALID),
            ("http://example.com/a.mp4", Code.RESOURCE_NOT_SUPPORTED),
            ("http://in.oss-cn-hangzhou.aliyuncs.com/", Code.OBJECT_KEY),
        ],
    )
    def test_urls_that_name_no_object(self, engine: Engine, url: str, code: Code):
        with refuses(code) as caught:
            call(engine, "ListMediaWorkflowExecutions", InputFileURL=url)
        assert caught.value.pointer == "/InputFileURL"


class TestTheOfficialClient:
    """What the current client library of the vendor makes of the answers."""

    @pytest.fixture
    def client(self, engine: Engine) -> Iterator[Client]:
        with serving(create_app(engine, status=lambda: (True, {}), gauges=tuple)) as address:
            yield tea(address)

    def test_workflows(self, client: Client):
        request = models.AddMediaWorkflowRequest(name="视频", topology=GOOD)
        added = client.add_media_workflow(request).body.media_workflow
        assert (added.name, added.topology, added.state) == ("视频", GOOD, "Active")
        assert added.trigger_mode == "OssAutoTrigger" and added.creation_time
        workflow_id = added.media_workflow_id

        deactivation = models.DeactivateMediaWorkflowRequest(media_workflow_id=workflow_id)
        changed = client.deactivate_media_workflow(deactivation).body.media_workflow
        assert changed.state == "Inactive"
        mode = models.UpdateMediaWorkflowTriggerModeRequest(
            media_workflow_id=workflow_id, trigger_mode="NotInAuto"
        )
        changed = client.update_media_workflow_trigger_mode(mode).body.media_workflow
        assert changed.trigger_mode == "NotInAuto"
        update = models.UpdateMediaWorkflowRequest(
            media_workflow_id=workflow_id, topology=GOOD + " "
        )
        changed = client.update_media_workflow(update).body.media_workflow
        assert (changed.topology, changed.state) == (GOOD + " ", "Inactive")
        activation = models.ActivateMediaWorkflowRequest(media_workflow_id=workflow_id)
        assert client.activate_media_workflow(activation).body.media_workflow.state == "Active"

        ids = f"{workflow_id},{'0' * 32}"
        query = models.QueryMediaWorkflowListRequest(media_workflow_ids=ids)
        found = client.query_media_workflow_list(query).body
        assert [w.name for w in found.media_workflow_list.media_workflow] == ["视频"]
        assert found.non_exist_media_workflow_ids.media_workflow_id == ["0" * 32]

        deletion = models.DeleteMediaWorkflowRequest(media_workflow_id=workflow_id)
        assert client.delete_media_workflow(deletion).body.media_workflow.state == "Deleted"
        search = models.SearchMediaWorkflowRequest(state_list="Deleted", page_number=1)
        page = client.search_media_workflow(search).body
        assert (page.total_count, page.page_number, page.page_size) == (1, 1, 10)
        assert page.media_workflow_list.media_workflow[0].media_workflow_id == workflow_id

    def test_executions(self, client: Client, engine: Engine):
        ran = ActivityRecord(name="start", type="Start", state=ActivityState.SUCCESS)
        first = executed(engine, 0, state=ExecutionState.COMPLETED, activities=(ran,))
        second = executed(engine, 1)
        request = models.ListMediaWorkflowExecutionsRequest(
            input_file_url="http://uploads.oss-cn-hangzhou.aliyuncs.com/a%20b.mp4",
            media_workflow_name="ladder",
            maximum_page_size=1,
        )
        page = client.list_media_workflow_executions(request).body
        (found,) = page.media_workflow_execution_list.media_workflow_execution
        assert (found.run_id, found.state) == (second.run_id, "Running")
        request.next_page_token = page.next_page_token
        page = client.list_media_workflow_executions(request).body
        (found,) = page.media_workflow_execution_list.media_workflow_execution
        assert (found.run_id, found.state, found.name) == (first.run_id, "Completed", "ladder")
        assert found.input.input_file.object == "a b.mp4"
        assert [a.name for a in found.activity_list.activity] == ["start"]
        assert page.next_page_token is None

        ids = f"{first.run_id},{'0' * 32}"
        query = models.QueryMediaWorkflowExecutionListRequest(run_ids=ids)
        answer = client.query_media_workflow_execution_list(query).body
        (found,) = answer.media_workflow_execution_list.media_workflow_execution
        assert found.activity_list.activity[0].state == "Success"
        assert answer.non_exist_run_ids.run_id == ["0" * 32]
