"""What a user writes into `mediaflow.toml` and the environment, and what comes of it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from workflow_engine.errors import SettingsError
from workflow_engine.settings import Settings, load_settings

Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("MEDIAFLOW_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_config(text: str) -> Path:
        file = tmp_path / "conf" / "media.toml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    return write_config


def problem(config: Path | None) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(config)
    return str(caught.value)


class TestDefaults:
    def test_without_a_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "cpu_count", lambda: 16)
        settings = load_settings(None)
        assert (settings.service.host, settings.service.port) == ("127.0.0.1", 8080)
        assert settings.service.access_keys == {}
        assert settings.store.url == f"sqlite:///{tmp_path}/data/mediaflow.db"
        assert (settings.prefect.api_url, settings.prefect.port) == (None, 4200)
        runner = settings.runner
        assert (runner.mode, runner.concurrency, runner.processes) == ("local", 2, 4)
        assert runner.fuse
        assert settings.workflows.dir == tmp_path / "here" / "workflows"
        assert not settings.pipelines.strict
        assert settings.buckets == settings.queues == settings.topics == {}
        assert settings.data_dir == tmp_path / "data"

    @pytest.mark.parametrize(("cores", "processes"), [(None, 1), (1, 1), (7, 1), (8, 2), (64, 16)])
    def test_few_cores_run_one_ffmpeg(
        self, cores: int | None, processes: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "cpu_count", lambda: cores)
        assert load_settings(None).runner.processes == processes

    def test_data_dir_of_the_user_when_none_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("MEDIAFLOW_DATA")
        monkeypatch.setenv("XDG_DATA_HOME", "/xdg")
        settings = load_settings(None)
        assert settings.data_dir.name == "mediaflow"
        assert settings.store.url == f"sqlite:///{settings.data_dir}/mediaflow.db"

    def test_relative_data_dir_is_made_absolute(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MEDIAFLOW_DATA", "d")
        assert load_settings(None).data_dir == tmp_path / "here" / "d"


class TestWhichFile:
    def test_argument_then_variable_then_current_folder(
        self, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        argument = write("service.port = 1")
        variable = tmp_path / "other.toml"
        variable.write_text("service.port = 2")
        Path("mediaflow.toml").write_text("service.port = 3")
        assert load_settings(None).service.port == 3
        monkeypatch.setenv("MEDIAFLOW_CONFIG", str(variable))
        assert load_settings(None).service.port == 2
        assert load_settings(argument).service.port == 1

    def test_a_named_file_must_exist(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        missing = tmp_path / "none.toml"
        assert str(missing) in problem(missing)
        monkeypatch.setenv("MEDIAFLOW_CONFIG", str(missing))
        assert str(missing) in problem(None)

    def test_unreadable_files(self, tmp_path: Path) -> None:
        assert "directory" in problem(tmp_path)
        binary = tmp_path / "binary.toml"
        binary.write_bytes(b"\xff\xfe")
        assert "UTF-8" in problem(binary)

    def test_broken_toml_names_the_line(self, write: Write) -> None:
        assert "line 3" in problem(write("[service]\nport = 1\nhost = = 2\n"))


class TestPrecedence:
    def test_environment_over_file_over_default(
        self, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config = write("[service]\nport = 1\nhost = 'file'\n[runner]\nconcurrency = 7")
        monkeypatch.setenv("MEDIAFLOW_SERVICE__PORT", "9")
        monkeypatch.setenv("MEDIAFLOW_RUNNER__FUSE", "false")
        settings = load_settings(config)
        assert (settings.service.port, settings.service.host) == (9, "file")
        assert (settings.runner.concurrency, settings.runner.fuse) == (7, False)
        assert settings.prefect.port == 4200

    def test_environment_adds_named_tables(
        self, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config = write("[buckets.vod]\npath = '/vod'\n[service.access_keys]\nFirst = 'one'")
        monkeypatch.setenv("MEDIAFLOW_BUCKETS__VOD__EVENTS", "watch")
        monkeypatch.setenv("MEDIAFLOW_BUCKETS__IN-2__PATH", "in2")
        monkeypatch.setenv("MEDIAFLOW_BUCKETS__far", '{"url": "s3://far", "events": {"sqs": "q"}}')
        monkeypatch.setenv("MEDIAFLOW_QUEUES__Jobs__FILE", "jobs.jsonl")
        monkeypatch.setenv("MEDIAFLOW_SERVICE__ACCESS_KEYS__SecOnd", "two")
        settings = load_settings(config)
        assert settings.buckets["vod"].path == Path("/vod")
        assert settings.buckets["vod"].events == "watch"
        assert settings.buckets["in-2"].path == tmp_path / "here" / "in2"
        assert settings.buckets["far"].url == "s3://far"
        assert settings.queues["Jobs"].file == tmp_path / "here" / "jobs.jsonl"
        keys = settings.service.access_keys
        assert {name: secret.get_secret_value() for name, secret in keys.items()} == {
            "First": "one",
            "SecOnd": "two",
        }

    def test_other_variables_are_left_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("DEBUG", "FFMPEG", "FFPROBE", "SERVICE", "ANYTHING"):
            monkeypatch.setenv(f"MEDIAFLOW_{name}", "1")
        monkeypatch.setenv("SERVICE", "1")
        monkeypatch.setenv("SERVICE__PORT", "1")
        assert load_settings(None).service.port == 8080


class TestPaths:
    def test_relative_paths_start_at_the_file(self, write: Write, tmp_path: Path) -> None:
        config = write(
            "[store]\nurl = 'sqlite:///m.db'\n"
            "[buckets.a]\npath = 'b/a'\n[buckets.b]\npath = '/abs'\n"
            "[queues.q]\nfile = 'q.jsonl'\n[topics.t]\nfile = 't.jsonl'\n"
        )
        settings = load_settings(config)
        folder = tmp_path / "conf"
        assert settings.workflows.dir == folder / "workflows"
        assert settings.store.url == f"sqlite:///{folder}/m.db"
        assert settings.buckets["a"].path == folder / "b" / "a"
        assert settings.buckets["b"].path == Path("/abs")
        assert settings.queues["q"].file == folder / "q.jsonl"
        assert settings.topics["t"].file == folder / "t.jsonl"

    def test_a_file_named_relatively(self, write: Write, tmp_path: Path) -> None:
        write("workflows.dir = 'w'")
        assert load_settings(Path("../conf/media.toml")).workflows.dir.resolve() == (
            tmp_path / "conf" / "w"
        )

    def test_absolute_and_other_store_urls_are_kept(self, write: Write) -> None:
        for url in ("sqlite:////abs/m.db", "postgresql+psycopg://u@h/d"):
            assert load_settings(write(f"store.url = '{url}'")).store.url == url

    def test_home(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/home/u")
        assert load_settings(write("workflows.dir = '~/w'")).workflows.dir == Path("/home/u/w")


class TestProblems:
    @pytest.mark.parametrize(
        ("text", "line", "meant"),
        [
            ("[service]\n\nprot = 1", 3, "service.port"),
            ("[servce]\nport = 1", 1, "service"),
            ("[runner]\nFuse = true", 2, "runner.fuse"),
            ("\n[buckets.in]\npath = 'p'\npoll_second = 3", 4, "buckets.in.poll_seconds"),
            ("[buckets]\n'a.b'.path = 'p'\n'a.b'.ur = ''", 3, "buckets.a.b.url"),
            ("[queues.path]\nfiel = 'p'", 2, "queues.path.file"),
        ],
    )
    def test_unknown_keys_name_the_nearest(
        self, write: Write, text: str, line: int, meant: str
    ) -> None:
        config = write(text)
        shown = problem(config)
        assert f"{config}:{line}" in shown
        assert f'"{meant}"' in shown

    @pytest.mark.parametrize("key", ["data_dir", "_data_dir", "model_config"])
    def test_what_is_no_section_is_unknown(self, write: Write, key: str) -> None:
        assert "unknown" in problem(write(f"{key} = 1"))

    @pytest.mark.parametrize(
        ("variable", "meant"),
        [("SERVICE__PROT", "service.port"), ("SERVISE__PORT", '"service"'), ("__X", "unknown")],
    )
    def test_unknown_variables(
        self, variable: str, meant: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(f"MEDIAFLOW_{variable}", "1")
        shown = problem(None)
        assert f"MEDIAFLOW_{variable}" in shown
        assert meant in shown

    @pytest.mark.parametrize(
        ("text", "key"),
        [
            ("service.port = 'x'", "service.port"),
            ("service.port = 65536", "service.port"),
            ("service.port = -1", "service.port"),
            ("service = 1", "service"),
            ("buckets = []", "buckets"),
            ("runner.processes = 0", "runner.processes"),
            ("runner.concurrency = 1.5", "runner.concurrency"),
            ("runner.mode = 'dask'", "runner.mode"),
            ("[buckets.a]", "buckets.a"),
            ("[buckets.a]\npath = 'p'\nurl = 's3://b'", "buckets.a"),
            ("[buckets.a]\nurl = 'http://b'", "buckets.a.url"),
            ("[buckets.a]\nurl = 's3://b/prefix'", "buckets.a.url"),
            ("[buckets.a]\nurl = 'oss://b'", "buckets.a"),
            ("[buckets.a]\npath = 'p'\nendpoint_url = 'http://h'", "buckets.a"),
            ("[buckets.a]\npath = 'p'\nacl = true", "buckets.a"),
            ("[buckets.a]\nurl = 's3://b'\nendpoint_url = 'h:9000'", "buckets.a.endpoint_url"),
            ("[buckets.a]\nurl = 's3://b'\naddressing_style = 'x'", "buckets.a.addressing_style"),
            ("[buckets.a]\nurl = 's3://b'\nsignature_version = '4'", "buckets.a.signature_version"),
            ("[buckets.a]\nurl = 's3://b'\naccess_key_id_env = 'A'", "buckets.a"),
            ("[buckets.a]\npath = 'p'\nevents = 'wacth'", "buckets.a.events"),
            ("[buckets.a]\npath = 'p'\nevents = {sq = 'u'}", "buckets.a.events"),
            ("[buckets.a]\npath = 'p'\nsettle_seconds = -1", "buckets.a.settle_seconds"),
            ("[buckets.a]\npath = 'p'\npoll_seconds = 0", "buckets.a.poll_seconds"),
            ("[buckets.a]\npath = 'p'\nexisting = 'all'", "buckets.a.existing"),
            ("[queues.q]", "queues.q"),
            ("[topics.t]\nwebhook = 'http://h'\nfile = 'f'", "topics.t"),
            ("[topics.t]\nwebhook = 'ftp://h'", "topics.t.webhook"),
            ("[topics.t]\nwebhook = 'https://'", "topics.t.webhook"),
            ("[topics.t]\nwebhook = 'http://h:99999'", "topics.t.webhook"),
            ("[queues.q]\nsqs = 'my-queue'", "queues.q.sqs"),
            ("[queues.q]\nfile = 'f'\nsecret = 's'", "queues.q"),
            ("[queues.q]\nwebhook = 'http://h'\nsecret = ''", "queues.q"),
        ],
    )
    def test_wrong_values_name_the_key(self, write: Write, text: str, key: str) -> None:
        config = write(text)
        shown = problem(config)
        assert f'"{key}"' in shown
        assert f"{config}:" in shown

    def test_wrong_values_of_variables(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MEDIAFLOW_RUNNER__PROCESSES", "many")
        shown = problem(None)
        assert "MEDIAFLOW_RUNNER__PROCESSES" in shown
        assert '"many"' in shown

    def test_variables_that_contradict_each_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MEDIAFLOW_SERVICE__PORT", "1")
        monkeypatch.setenv("MEDIAFLOW_SERVICE__PORT__X", "1")
        assert "MEDIAFLOW_SERVICE__PORT__X" in problem(None)

    def test_table_variable_that_is_no_json(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MEDIAFLOW_QUEUES__Q", "{webhook=1}")
        assert "MEDIAFLOW_QUEUES__Q" in problem(None)

    def test_secrets_are_not_shown(self, write: Write) -> None:
        assert "hunter2" not in repr(load_settings(write("service.access_keys.A = 'hunter2'")))
        assert "4711" not in problem(write("service.access_keys.A = 4711"))

    @pytest.mark.parametrize(
        "keys", ["secret = 'whsec_hunter2!'", "webhook = 'http://user:hunter2@h'"]
    )
    def test_wrong_secrets_are_not_shown(self, write: Write, keys: str) -> None:
        keys = keys if keys.startswith("webhook") else f"webhook = 'http://h'\n{keys}"
        shown = problem(write(f"[queues.q]\n{keys}"))
        assert "hunter2" not in shown
        assert '"queues.q"' in shown

    def test_settings_are_frozen(self) -> None:
        settings = Settings()
        with pytest.raises(ValidationError):
            settings.service.port = 1  # type: ignore[misc]
        with pytest.raises(ValidationError):
            settings.service = settings.service  # type: ignore[misc]


@pytest.mark.parametrize("value", ['"watch"', '"poll"', '"webhook"', '{sqs = "https://q"}'])
def test_event_sources(write: Write, value: str) -> None:
    bucket = load_settings(write(f"[buckets.a]\nurl = 's3://a'\nevents = {value}")).buckets["a"]
    if value.startswith("{"):
        assert not isinstance(bucket.events, str | None)
        assert bucket.events.sqs == "https://q"
    else:
        assert bucket.events == value.strip('"')


@pytest.mark.parametrize(
    ("secret", "key"),
    [
        ("", None),
        ("secret = 'plain text'", b"plain text"),
        (
            "secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'",
            bytes.fromhex("31f290f6bf06298aab4f08d43c3f082cf648a362da2da4b0"),
        ),
    ],
)
def test_signing_keys(write: Write, secret: str, key: bytes | None) -> None:
    settings = load_settings(write(f"[queues.q]\nwebhook = 'https://h/p'\n{secret}"))
    assert settings.queues["q"].signing_key == key
    assert "plain text" not in repr(settings)
    assert "MfKQ9r8" not in repr(settings)
