"""The files of deploy/: right by their linters, and the image's steps give a service that answers.

A Docker engine is not at hand everywhere: the steps of the Dockerfile are done in a change-root
over the system's own files, which needs root and overlay mounts.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.command_line import CommandLine
from tests.support.places import ROOT
from workflow_engine.settings import load_settings

DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent
#: seconds for the start of a service on a machine that does something else as well
PATIENCE = 60


def instructions() -> Iterator[tuple[str, str]]:
    """The instructions of the Dockerfile, with what follows them on one line."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.M)
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word, " ".join(rest.split())


def test_the_linters_have_nothing_to_say():
    hadolint = subprocess.run(
        [BIN / "hadolint", DEPLOY / "Dockerfile"], capture_output=True, text=True
    )
    assert (hadolint.returncode, hadolint.stdout) == (0, "")
    schema = ["--builtin-schema", "vendor.compose-spec"]
    compose = subprocess.run(
        [BIN / "check-jsonschema", *schema, DEPLOY / "compose.yaml"], capture_output=True, text=True
    )
    assert compose.returncode == 0, compose.stdout


def test_the_compose_file_asks_for_what_the_example_gives():
    text = (DEPLOY / "compose.yaml").read_text()
    given = dict(
        line.split("=", 1)
        for line in (DEPLOY / "env.example").read_text().splitlines()
        if line and not line.startswith("#")
    )
    assert set(re.findall(r"\$\{(\w+)", text)) == set(given)
    services = yaml.safe_load(text)["services"]
    mounted = [one.split(":")[0] for one in services["mediaflow"]["volumes"]]
    assert all((DEPLOY / path).exists() for path in mounted if path.startswith("."))


def test_its_configuration_and_workflow_are_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    environment = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["mediaflow"]
    for name, value in environment["environment"].items():
        monkeypatch.setenv(name, re.sub(r"\$\{(\w+)[^}]*\}", r"\1", value))
    settings = load_settings(DEPLOY / "mediaflow.toml")
    assert set(settings.service.access_keys) == {"API_KEY_ID"}
    assert settings.store.url.startswith("postgresql+psycopg://")
    assert set(settings.buckets) == {"uploads", "renditions"}
    assert CommandLine(tmp_path, tmp_path)("validate", str(DEPLOY / "workflows")).code == 0


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_takes_the_unit(tmp_path: Path):
    unit = (DEPLOY / "mediaflow.service").read_text()
    installed = unit.replace("/opt/mediaflow/.venv/bin/mediaflow", str(BIN / "mediaflow"))
    assert installed != unit
    (tmp_path / "mediaflow.service").write_text(installed)
    done = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / "mediaflow.service"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A change-root: the system's own files, and what is written there only there."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount")
    merged, upper, work = (tmp_path / name for name in ("root", "upper", "work"))
    # an overlay cannot lie on what may be an overlay itself
    tmpfs = tmp_path / "layers"
    for folder in (merged, tmpfs):
        folder.mkdir()
    mounts: list[Path] = []
    try:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", tmpfs], check=True, capture_output=True)
        mounts.append(tmpfs)
        upper, work = tmpfs / "upper", tmpfs / "work"
        upper.mkdir()
        work.mkdir()
        options = f"lowerdir=/,upperdir={upper},workdir={work}"
        overlay = ["mount", "-t", "overlay", "overlay", "-o", options, merged]
        made = subprocess.run(overlay, capture_output=True, text=True)
        if made.returncode:
            pytest.skip(f"overlays cannot be mounted here: {made.stderr.strip()}")
        mounts.append(merged)
        for name in ("dev", "proc"):
            subprocess.run(["mount", "--rbind", f"/{name}", merged / name], check=True)
            subprocess.run(["mount", "--make-rslave", merged / name], check=True)
            mounts.append(merged / name)
        yield merged
    finally:
        for mount in reversed(mounts):
            subprocess.run(["umount", "-R", "-l", mount], check=False)


@pytest.mark.long
def test_the_steps_of_the_image_give_a_service(root: Path):
    environment = {"HOME": "/root", "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    environment |= {n: v for n, v in os.environ.items() if n.startswith("PIP_")}
    # the images call it python, and everybody may use it
    for folder in Path(sys.base_prefix).parents[:-1]:
        (root / folder.relative_to("/")).chmod(0o755)
    called = root / "usr/local/bin/python"
    called.unlink(missing_ok=True)
    called.write_text(f'#!/bin/sh\nexec {Path(sys.base_prefix, "bin", "python3")} "$@"\n')
    called.chmod(0o755)
    environment["PATH"] = f"/usr/local/bin:{environment['PATH']}"
    where, user, ran = "/", "0", 0
    for word, rest in instructions():
        if word == "WORKDIR":
            where = rest
            (root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif word == "COPY" and not rest.startswith("--from"):
            files = subprocess.run(
                ["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True, check=True
            ).stdout.split("\0")
            for name in filter(_sent, files):
                target = root / where.lstrip("/") / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, target)
        elif word == "ENV":
            for pair in re.findall(r"(\w+)=(\S+)", rest):
                environment[pair[0]] = pair[1].replace("$PATH", environment["PATH"])
        elif word == "USER":
            user = rest
        elif word == "RUN":
            ran += 1
            step = ["chroot", root, "sh", "-euc", f"cd {where}; {rest}"]
            done = subprocess.run(step, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
    assert ran == 2
    command = ["chroot", f"--userspec={user}", root, "sh", "-euc"]
    words = {
        word: json.loads(rest) for word, rest in instructions() if word in ("ENTRYPOINT", "CMD")
    }
    shell = f"cd {where}; exec {' '.join([*words['ENTRYPOINT'], *words['CMD']])} --port 0"
    keys = {"MEDIAFLOW_SERVICE__ACCESS_KEYS": '{"me": "secret"}', "MEDIAFLOW_PREFECT__PORT": "0"}
    service = subprocess.Popen(
        [*command, shell],
        env=environment | keys,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert service.stdout is not None
        said = ""
        deadline = time.monotonic() + PATIENCE
        while not (ready := re.search(r"API http://[\d.]+:(\d+)", said)):
            assert time.monotonic() < deadline, said
            line = service.stdout.readline()
            assert line, said
            said += line
        with urllib.request.urlopen(f"http://127.0.0.1:{ready[1]}/readyz", timeout=30) as answer:
            assert json.load(answer)["Ready"] is True
        checked = subprocess.run(
            [*command, f"cd {where}; mediaflow doctor"],
            env=environment | keys,
            capture_output=True,
            text=True,
        )
        assert "libx264" in checked.stdout, checked.stdout + checked.stderr
    finally:
        service.terminate()
        service.communicate(timeout=PATIENCE)


def _sent(name: str) -> bool:
    """Whether .dockerignore lets a file through."""
    allowed = [
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    return any(name == one or name.startswith(f"{one}/") for one in allowed)


def test_the_image_gets_what_the_package_is_made_of():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["setuptools"]["packages"]["find"]["include"]
    assert all(_sent(f"{name.rstrip('*')}/__init__.py") for name in packages)
    assert all(map(_sent, ("pyproject.toml", "README.md", "requirements.lock")))
