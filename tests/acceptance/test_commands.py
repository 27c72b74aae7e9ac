"""The other commands, and that the light ones stay light."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import pytest
import typer
from typer.testing import CliRunner

from tests.support.command_line import CommandLine, Ended
from tests.support.places import EXAMPLES
from workflow_engine.cli import app

HEAVY = ("prefect", "boto3", "sqlalchemy", "fastapi", "watchdog")


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        (["--help"], HEAVY),
        (["validate", "ladder.json"], HEAVY),
        (["graph", "ladder.json"], HEAVY),
        (["schema"], HEAVY),
        (["plan", "ladder.json", "clip"], ("prefect", "boto3", "fastapi", "watchdog")),
    ],
)
def test_light_commands_import_nothing_heavy(
    arguments: list[str], heavy: tuple[str, ...], clip: Path, tmp_path: Path
):
    given = [str(EXAMPLES / a) if a.endswith(".json") else a for a in arguments]
    given = [str(clip) if a == "clip" else a for a in given]
    script = (
        "import sys\n"
        f"sys.argv = ['mediaflow', *{given!r}]\n"
        "from workflow_engine.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"loaded = [m for m in {heavy!r} if m in sys.modules]\n"
        "sys.exit(str(loaded) if loaded else 0)\n"
    )
    environment = {**os.environ, "MEDIAFLOW_DATA": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    assert ended.returncode == 0, ended.stderr


def test_help_teaches_every_command(mediaflow: CommandLine):
    ended = mediaflow("--help")
    assert ended.code == 0
    for command in ("run", "plan", "validate", "graph", "schema", "doctor", "execution", "prefect"):
        assert f" {command} " in ended.out
    assert "Exit codes: 0 well" in ended.out
    assert "--output-dir" in mediaflow("run", "--help").out


def test_usage_errors_exit_with_2(mediaflow: CommandLine):
    assert mediaflow("run").code == 2
    assert mediaflow("nonsense").code == 2
    assert mediaflow("graph", EXAMPLES / "minimal.json", "--format", "svg").code == 2
    ended = mediaflow("run", EXAMPLES / "minimal.json", "clip.mp4", "--executor", "x", "--json")
    assert ended.code == 2 and ended.json["Error"]["Code"] == "InvalidParameter"
    assert "--executor" in ended.err and "'--executor'" in ended.json["Error"]["Message"]
    ended = mediaflow("execution", "list", "--limt", "3", "--json")
    assert ended.json["Error"]["Message"].startswith("Invalid command line: No such option: --limt")
    assert ended.json["Error"]["Remedy"] == "See mediaflow execution list --help."
    assert "before the command" in mediaflow("run", "a", "b", "--config", "x").err


def test_help_is_whole_and_without_types(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "80")
    waiting = [(("mediaflow",), typer.main.get_command(app))]
    while waiting:
        words, command = waiting.pop()
        members = getattr(command, "commands", {})
        waiting += [((*words, name), member) for name, member in members.items()]
        texts = [
            CliRunner().invoke(app, [*words[1:], option], terminal_width=80).output
            for option in ("-h", "--help")
        ]
        assert texts[0] == texts[1]
        assert not re.search(r"<(path|str|int|float|list)|\{|range>", texts[0]), words
        assert max(map(len, texts[0].splitlines())) <= 80, words
        for member in members.values():
            about = " ".join(member.get_short_help_str().split())
            assert about and about in " ".join(texts[0].split()), words


def test_quiet_and_verbose(mediaflow: CommandLine, clip: Path):
    run = ("run", EXAMPLES / "remux-hls.json", clip, "--executor", "inline")
    assert mediaflow(*run, "-q").err == ""
    assert f"Opening the input {clip}" in mediaflow(*run, "-v").err
    assert f"Opening the input {clip}" in mediaflow("--verbose", *run).err


def test_problems_for_machines(mediaflow: CommandLine, tmp_path: Path):
    text = (EXAMPLES / "minimal.json").read_text()
    bad = tmp_path / "a,b.json"
    bad.write_text(text.replace('"sd": {', '"sd": {"Typ": "100%",').replace('"Transcode"', '"X"'))
    ended = mediaflow("validate", bad, EXAMPLES / "minimal.json", "--format", "github")
    assert ended.code == 2
    escaped = str(bad).replace(",", "%2C")
    error, warning = sorted(line for line in ended.out.splitlines() if line.startswith("::"))
    assert error.startswith(f"::error file={escaped},line=15,col=15,title=InvalidParameter::")
    assert 'The type "X" is not known. (/Activities/sd/Type) Use one of' in error
    assert warning.startswith(f"::warning file={escaped},line=14,col=") and "100%25" in warning
    ended = mediaflow("validate", bad, EXAMPLES / "minimal.json", "--format", "json")
    assert ended.code == 2
    broken, good = ended.json
    assert (good["Valid"], good["Problems"]) == (True, [])
    assert not broken["Valid"] and broken["File"] == str(bad)
    assert {one["Line"] for one in broken["Problems"]} == {14, 15}


def test_run_again_on_changes(alone: CommandLine, clip: Path):
    topology = alone.cwd / "again.json"
    text = (EXAMPLES / "remux-hls.json").read_text()
    topology.write_text(text)
    process = alone.start("run", topology, clip, "--executor", "inline", "--watch")
    assert process.stdout and process.stderr

    def until(stream: IO[str], beginning: str) -> str:
        return next(line for line in stream if line.startswith(beginning))

    until(process.stdout, "Report")
    topology.write_text(text.replace('"TemplateId": "', '"TemplateId": "X'))
    assert "TemplateNotFound" in until(process.stderr, str(topology))
    topology.write_text(text + "\n")  # only its bytes are others: nothing is done again
    lines = [until(process.stdout, mark) for mark in ("ok   start", "ok   hls")]
    assert all("reused" in line for line in lines)
    until(process.stdout, "Report")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130


def test_a_shell_completes_commands_and_run_ids(mediaflow: CommandLine, clip: Path):
    run = mediaflow.run("remux-hls", clip, "--executor", "inline", "--json").json

    def offered(words: str) -> str:
        count = len(words.split())
        return mediaflow(
            env={
                "_MEDIAFLOW_COMPLETE": "complete_bash",
                "COMP_WORDS": words,
                "COMP_CWORD": str(count - 1),
            }
        ).out

    assert "watch" in offered("mediaflow execution wat").split()
    assert run["RunId"] in offered(f"mediaflow execution show {run['RunId'][:6]}")


def test_validate_a_folder(mediaflow: CommandLine):
    ended = mediaflow("validate", EXAMPLES)
    assert ended.code == 0
    assert len(ended.out.splitlines()) == len(list(EXAMPLES.glob("*.json")))


def test_validate_and_templates_of_ones_own(mediaflow: CommandLine, tmp_path: Path):
    small = {"Video": {"Codec": "H.264", "Width": "160"}}
    topology = tmp_path / "w.json"
    topology.write_text(
        (EXAMPLES / "minimal.json").read_text().replace("S00000001-200020", "small")
    )
    alone = CommandLine(tmp_path / "data", tmp_path)

    def validate(*options: str) -> Ended:
        return alone("validate", tmp_path, *options)

    # no store, as in CI: nobody can know
    unknown = validate()
    assert (unknown.code, unknown.out.count("warning: InvalidParameter.TemplateNotFound")) == (0, 1)
    assert "--strict" in unknown.out and "w.json: valid" in unknown.out
    assert validate("--strict").code == 2
    assert not (tmp_path / "data").exists()

    # a preset is known everywhere
    topology.write_text(topology.read_text().replace("small", "S00000001-999999"))
    assert validate().code == 2
    topology.write_text(topology.read_text().replace("S00000001-999999", "small"))

    # beside the topology; its own file is checked, too
    beside = tmp_path / "templates/small.json"
    beside.parent.mkdir()
    beside.write_text(json.dumps(small))
    assert "small.json: valid template" in (found := validate("--strict")).out and found.code == 0
    beside.write_text(json.dumps({"Video": {"Width": "wide"}}))
    assert "small.json:1:21: InvalidParameter.NumberFormatInvalid" in (broken := validate()).out
    assert broken.code == 2
    beside.unlink()

    # in the store
    (tmp_path / "small.txt").write_text(json.dumps(small))
    added = alone("template", "add", "small", tmp_path / "small.txt", "--json").json
    topology.write_text(topology.read_text().replace('"small"', f'"{added["Id"]}"'))
    assert validate("--strict").code == 0
    topology.write_text(topology.read_text().replace(added["Id"], "0" * 32))
    assert validate().code == 2, "the store does not know it"


def test_validate_prints_places_as_compilers_do(mediaflow: CommandLine, tmp_path: Path):
    value = json.loads((EXAMPLES / "minimal.json").read_text())
    value["Dependencies"]["sd"] = ["repotr"]
    path = tmp_path / "x.json"
    path.write_text(json.dumps(value, indent=1))
    ended = mediaflow("validate", path)
    assert ended.code == 2
    assert ended.out.splitlines()[0].startswith(f"{path}:")
    assert '"repotr" does not exist. (/Dependencies/sd/0) Did you mean "report"?' in ended.out


def test_graph_formats(mediaflow: CommandLine):
    text = mediaflow("graph", EXAMPLES / "ladder.json").out
    assert text.splitlines()[0] == "start [Start] -> analysis, cover"
    mermaid = mediaflow("graph", EXAMPLES / "ladder.json", "--format", "mermaid").out
    assert mermaid.startswith("flowchart LR") and mermaid.count("-->") == 11
    dot = mediaflow("graph", EXAMPLES / "ladder.json", "--format", "dot").out
    assert dot.startswith("digraph") and '"analysis" -> "hd";' in dot


def test_the_schema_accepts_the_examples_and_refuses_faults(mediaflow: CommandLine):
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(mediaflow("schema").json)
    Draft202012Validator.check_schema(validator.schema)
    for path in EXAMPLES.glob("*.json"):
        validator.validate(json.loads(path.read_text()))
    value = json.loads((EXAMPLES / "h265.json").read_text())
    value["Activities"]["h265"]["Parameters"]["Outputs"][0]["Video"]["Crf"] = 99
    assert not validator.is_valid(value)


def test_plan_shows_commands_skips_and_groups_and_runs_nothing(alone: CommandLine, bunny: Path):
    ended = alone("plan", EXAMPLES / "ladder.json", bunny, "--json")
    assert ended.code == 0
    plan = ended.json
    actions = {a["Name"]: a["Action"] for a in plan["Activities"]}
    assert actions["fhd"] == "skip" and actions["ld"] == "run"
    ld = next(a for a in plan["Activities"] if a["Name"] == "ld")
    assert ld["Outputs"][0]["Object"] == "bigbuckbunny/ld.mp4"
    assert "libx264" in ld["Commands"][0]
    (analysis,) = (a for a in plan["Activities"] if a["Type"] == "Analysis")
    assert analysis["Forecast"]["Forecast"] is True
    assert analysis["Forecast"]["Rungs"][0]["State"] == "Dropped"
    assert not (alone.cwd / "mediaflow-out").exists()
    assert not (alone.data / "mediaflow.db").exists()
    text = alone("plan", EXAMPLES / "audio.json", bunny).out
    assert "runs in one process with" in text and "$ " in text


def test_plan_shows_what_would_be_reused(mediaflow: CommandLine, clip: Path):
    mediaflow.run("remux-hls", clip, "--executor", "inline")
    plan = mediaflow("plan", EXAMPLES / "remux-hls.json", clip, "--json").json
    assert [a["Action"] for a in plan["Activities"]] == ["reuse", "reuse", "run"]
    again = mediaflow("plan", EXAMPLES / "remux-hls.json", clip, "--json", "--fresh").json
    assert [a["Action"] for a in again["Activities"]] == ["run", "run", "run"]


def test_executions_are_listed_and_shown(mediaflow: CommandLine, clip: Path):
    run = mediaflow.run("remux-hls", clip, "--executor", "inline", "--json").json
    listed = mediaflow("execution", "list", "--limit", "1", "--json").json
    assert [e["RunId"] for e in listed] == [run["RunId"]]
    assert mediaflow("execution", "show", run["RunId"], "--json").json == run
    assert run["RunId"] in mediaflow("execution", "list").out
    shown = mediaflow("execution", "show", run["RunId"]).out
    assert "stream.m3u8" in shown and "Completed" in shown
    assert mediaflow("execution", "show", "0" * 32).code == 2


def test_doctor_is_content_with_a_fresh_install(mediaflow: CommandLine):
    ended = mediaflow("doctor", "--json")
    assert ended.code == 0, ended.out
    checks = {c["Name"]: c for c in ended.json["Checks"]}
    assert {"ffmpeg", "ffprobe", "store", "Prefect"} <= checks.keys()
    assert any("libx264" in c["Name"] + c["Detail"] for c in checks.values())


def test_doctor_names_what_is_broken(mediaflow: CommandLine):
    ended = mediaflow("doctor", env={"MEDIAFLOW_FFMPEG": "/nowhere/ffmpeg"})
    assert ended.code == 1 and "FAIL" in ended.out and "MEDIAFLOW_FFMPEG" in ended.out


def test_doctor_looks_at_the_buckets(mediaflow: CommandLine, tmp_path: Path):
    (tmp_path / "there").mkdir()
    config = tmp_path / "m.toml"
    config.write_text('[buckets.good]\npath = "there"\n[buckets.bad]\npath = "nowhere"\n')
    ended = mediaflow("--config", config, "doctor", "--json")
    works = {c["Name"]: c["Works"] for c in ended.json["Checks"]}
    assert ended.code == 1 and works["bucket good"] and not works["bucket bad"]


def test_a_folder_without_topologies_is_no_success(mediaflow: CommandLine, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    assert mediaflow("validate", tmp_path / "empty").code == 2


def test_warnings_go_to_stderr(mediaflow: CommandLine, clip: Path, tmp_path: Path):
    value = json.loads((EXAMPLES / "remux-hls.json").read_text())
    value["Activities"]["hls"]["Parameters"]["OutputBukcet"] = "x"
    path = tmp_path / "warn.json"
    path.write_text(json.dumps(value))
    ended = mediaflow.run(path, clip, "--executor", "inline", "--json")
    assert ended.code == 0 and ended.json["State"] == "Completed"
    assert 'Did you mean "OutputBucket"?' in ended.err.splitlines()[0]


def test_a_reader_that_goes_away_changes_no_exit_code(mediaflow: CommandLine, clip: Path):
    process = mediaflow.start(
        "run", EXAMPLES / "remux-hls.json", clip, "--executor", "inline", "--json"
    )
    assert process.stdout and process.stderr
    process.stdout.close()
    assert process.wait(60) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


def test_debugging_changes_no_exit_code(mediaflow: CommandLine):
    with mediaflow.start("execution", "show", "nope", env={"MEDIAFLOW_DEBUG": "1"}) as process:
        _, err = process.communicate(timeout=30)
    assert process.returncode == 2 and "Traceback" in err


def test_an_object_of_a_configured_bucket(mediaflow: CommandLine, clip: Path, tmp_path: Path):
    folder = tmp_path / "vod" / "incoming"
    folder.mkdir(parents=True)
    (folder / "my clip.mp4").write_bytes(clip.read_bytes())
    config = tmp_path / "m.toml"
    config.write_text('[buckets.vod]\npath = "vod"\n')
    for url in (
        "oss://vod/incoming/my clip.mp4",
        "http://vod.oss-cn-x.aliyuncs.com/incoming/my%20clip.mp4",
    ):
        ended = mediaflow(
            *("--config", config, "run", EXAMPLES / "remux-hls.json", url),
            *("--executor", "inline", "--json"),
        )
        assert ended.code == 0, ended.err
        wanted = {"Bucket": "vod", "Location": "local", "Object": "incoming/my clip.mp4"}
        assert ended.json["Input"]["InputFile"] == wanted
    ended = mediaflow("--config", config, "plan", EXAMPLES / "minimal.json", "oss://vodd/x.mp4")
    assert ended.code == 2 and 'Did you mean "vod"?' in ended.err


def test_strict_pipelines(mediaflow: CommandLine, clip: Path):
    strict = {"MEDIAFLOW_PIPELINES__STRICT": "true"}
    ended = mediaflow.run("minimal", clip, "--executor", "inline", env=strict)
    assert ended.code == 2 and "/Activities/start/Parameters/PipelineId" in ended.err


def test_an_argument_that_is_no_text(mediaflow: CommandLine):
    ended = mediaflow("execution", "show", b"\xff".decode(errors="surrogateescape"), "--json")
    assert ended.code == 2 and ended.json["Error"]["Code"] == "InvalidParameter.Format"


def test_override_of_an_unknown_activity(mediaflow: CommandLine, clip: Path, tmp_path: Path):
    overrides = tmp_path / "o.json"
    overrides.write_text('{"nobody": {"InputConfig": {}}}')
    ended = mediaflow.run("minimal", clip, "--override", overrides, "--executor", "inline")
    assert ended.code == 2 and "nobody" in ended.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_exits_with_130(alone: CommandLine, bunny: Path, number: signal.Signals):
    process = alone.start(
        "run", EXAMPLES / "h265.json", bunny, "--json", "--executor", "inline", "--fresh"
    )
    deadline = time.monotonic() + 30
    while not list(alone.data.rglob("attempt-*/[!s]*.mp4")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    out, told = process.communicate(timeout=20)
    assert process.returncode == 130
    record = json.loads(out)
    assert f"mediaflow execution resume {record['RunId']}\n" in told
    assert (record["State"], record["Code"]) == ("Fail", "Interrupted")
    assert not list(alone.cwd.glob("mediaflow-out/renditions/**/*.mp4"))
    assert list((alone.data / "work").iterdir()) == []
    assert alone("execution", "show", record["RunId"], "--json").json["Code"] == "Interrupted"
