"""The import rules of the design, read off the source."""

import ast
import re
import tomllib
from collections.abc import Collection, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE = ("topology", "planning", "errors")
IO_MODULES = {"os", "pathlib", "subprocess", "socket", "shutil", "tempfile", "logging"}
#: the rooms of the engine, and single modules, with the floor that each stands on: it may import
#: itself and what stands on lower floors, so nothing ever climbs back up, by whatever way
LAYERS = {
    "errors": 0,
    "records": 0,
    "telemetry": 1,
    "topology": 1,
    "activity": 2,
    "planning": 3,
    "settings": 3,
    "buckets": 4,
    "pages": 4,
    "store": 4,
    "catalog": 5,
    "messages": 5,
    "notify": 5,
    "run": 6,
    "executor": 7,
    "ingest": 7,
    "jobs": 7,
    "engine": 8,
    "api": 9,
    "testing": 9,
    "web": 10,
    "listening": 11,
    "service": 11,
    "cli": 12,
}
#: rooms of Transcode and what each may import; the way of an output runs through them upwards
TRANSCODE = {
    "model": set[str](),
    "command": {"model"},
    "source": {"command", "model"},
    "features": {"source", "command", "model"},
    "rules": {"features", "model"},
    "resolve": {"features", "source", "command", "model"},
    "result": {"command", "model"},
}
#: modules of libraries that nobody promises to keep, and the room that imports each: the library
#: has an upper bound in pyproject.toml
INTERNAL = {
    "prefect.context": "workflow_engine/executor",
    "prefect.events.worker": "workflow_engine/executor",
    "prefect.flow_engine": "workflow_engine/executor",
    "sqlalchemy.engine.interfaces": "workflow_engine/store",
    "sqlalchemy.sql.compiler": "workflow_engine/store",
    "uvicorn.protocols.http.h11_impl": "workflow_engine/api",
    "watchdog.observers.inotify_c": "triggers",
}
#: the same by their beginnings, permitted or not
BEGINNINGS = (
    "botocore.vendored",
    "prefect.server",
    "prefect.utilities",
    "uvicorn.protocols",
    "watchdog.observers.inotify",
    *INTERNAL,
)
FOR_ACTIVITIES = {"activity", "buckets", "errors", "records", "telemetry", "topology"}


def sources(*parts: str) -> list[Path]:
    path = ROOT.joinpath(*parts)
    return sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


def imports(path: Path, *, at_import: bool = False) -> Iterator[str]:
    """Modules that a file imports; `at_import`: only those loaded when it is imported."""
    tree = ast.parse(path.read_text())
    nodes = _outermost(tree) if at_import else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _outermost(tree: ast.Module) -> Iterator[ast.stmt]:
    for node in tree.body:
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield node


def top(module: str) -> str:
    return module.partition(".")[0]


def test_the_engine_knows_no_activities_and_no_triggers():
    for path in sources("workflow_engine"):
        assert not {"activities", "triggers", "ffmpeg"} & set(map(top, imports(path))), path


def test_activities_see_only_their_contract():
    for path in sources("activities"):
        for module in imports(path):
            if top(module) == "workflow_engine":
                assert module.split(".")[1] in FOR_ACTIVITIES, f"{path}: {module}"
            assert top(module) not in ("triggers", "prefect", "sqlalchemy"), f"{path}: {module}"


def test_triggers_see_only_the_public_api():
    for path in sources("triggers"):
        for module in imports(path):
            assert top(module) != "activities", path
            face = module.startswith("workflow_engine.listening.")
            assert face or top(module) != "workflow_engine", f"{path}: {module}"


def test_only_the_executor_imports_prefect_and_never_when_it_is_imported():
    for path in sources("workflow_engine"):
        if "prefect" in set(map(top, imports(path))):
            assert path.parent.name == "executor", path
        assert "prefect" not in set(map(top, imports(path, at_import=True))), path


def layer(module: str) -> str:
    """The longest name in `LAYERS` that a module, named within the engine, belongs to."""
    names = [name for name in LAYERS if f"{module}.".startswith(f"{name}.")]
    assert names, f"{module} stands on no floor of LAYERS"
    return max(names, key=len)


def within_the_engine(path: Path) -> str:
    """The dotted name of a file of the engine, without that of the engine."""
    parts = path.relative_to(ROOT / "workflow_engine").with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def test_the_rooms_of_the_engine_import_downwards_only():
    for path in sources("workflow_engine"):
        if path == ROOT / "workflow_engine" / "__init__.py":
            continue  # the public face names what it hands out
        here = layer(within_the_engine(path))
        for module in imports(path):
            if module.startswith("workflow_engine."):
                there = layer(module.partition(".")[2])
                assert here == there or LAYERS[there] < LAYERS[here], f"{path}: {module}"


def test_nobody_below_the_engine_names_it():
    for path in sources("workflow_engine"):
        name = within_the_engine(path)
        if name and LAYERS[layer(name)] < LAYERS["engine"]:
            named = [node.id for node in ast.walk(annotated(path)) if isinstance(node, ast.Name)]
            assert "Engine" not in named, path


def annotated(path: Path) -> ast.Module:
    """The syntax of a file, annotations in strings included."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        for field in ("annotation", "returns"):
            value = getattr(node, field, None)
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                setattr(node, field, ast.parse(value.value, mode="eval").body)
    return tree


def test_no_modules_import_each_other_in_a_circle():
    files = [*sources("workflow_engine"), *sources("activities"), *sources("triggers")]
    modules = {module_name(path): path for path in files}
    graph = {
        name: {
            module for found in imports(path) if (module := known_module(found, modules)) != name
        }
        for name, path in modules.items()
    }
    TopologicalSorter({n: {m for m in found if m} for n, found in graph.items()}).prepare()


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def known_module(imported: str, modules: Collection[str]) -> str:
    """The module that an imported name is, or is in; "" for one that is not ours."""
    while imported and imported not in modules:
        imported = imported.rpartition(".")[0]
    return imported


def test_boto3_is_never_imported_at_the_start():
    for path in sources("workflow_engine"):
        assert not {"boto3", "botocore"} & set(map(top, imports(path, at_import=True))), path


def test_only_the_store_imports_sqlalchemy():
    for path in sources("workflow_engine"):
        if "sqlalchemy" in set(map(top, imports(path))):
            assert "store" in path.parts, path


def test_alembic_is_imported_for_an_upgrade_only():
    for path in sources("workflow_engine"):
        if "alembic" in set(map(top, imports(path))):
            assert "migrations" in path.parts, path
    (door,) = sources("workflow_engine", "store", "migrations", "__init__")
    assert "alembic" not in set(map(top, imports(door, at_import=True)))


def test_only_the_metrics_import_the_client_of_prometheus():
    users = [
        path
        for path in sources("workflow_engine")
        if "prometheus_client" in set(map(top, imports(path)))
    ]
    assert users == [ROOT / "workflow_engine" / "api" / "metrics.py"]


def test_only_pages_import_the_template_engine():
    for path in sources("workflow_engine"):
        if {"jinja2", "markupsafe"} & set(map(top, imports(path))):
            assert path.parent.name == "pages", path
    for path in [*sources("activities"), *sources("triggers")]:
        assert not {"jinja2", "markupsafe"} & set(map(top, imports(path))), path


def test_only_one_module_imports_ffmpeg_python():
    users = [path for path in sources("activities") if "ffmpeg" in set(map(top, imports(path)))]
    assert users == [ROOT / "activities" / "ffmpeg" / "graph.py"]


def test_the_rooms_of_transcode_import_downwards_only():
    rooms = [path for path in (ROOT / "activities" / "transcode").iterdir() if path.is_dir()]
    assert {path.name for path in rooms if any(path.glob("*.py"))} == set(TRANSCODE)
    for room, below in TRANSCODE.items():
        for path in sources("activities", "transcode", room):
            for module in imports(path):
                if module.startswith("activities.transcode."):
                    assert module.split(".")[2] in {room, *below}, f"{path}: {module}"


def test_only_the_ffmpeg_package_starts_media_processes():
    for path in sources("activities"):
        if "subprocess" in set(map(top, imports(path))):
            assert path.parent.name == "ffmpeg", path


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_do_no_io(name: str):
    for path in sources("workflow_engine", name):
        assert not IO_MODULES & set(map(top, imports(path))), path
        calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
        assert not any(
            isinstance(c.func, ast.Name) and c.func.id in ("open", "print") for c in calls
        )


def test_nothing_is_printed_outside_the_command_line():
    for path in [*sources("workflow_engine"), *sources("activities"), *sources("triggers")]:
        if path.parent.name == "cli":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            printed = isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
            assert not printed, path


def test_private_parts_of_libraries_are_known_and_bounded():
    bounded: set[str] = set()
    found: set[tuple[str, str]] = set()
    for path in [*sources("workflow_engine"), *sources("activities"), *sources("triggers")]:
        for module in imports(path):
            if _is_private(module):
                name = next((name for name in INTERNAL if module.startswith(name)), module)
                found.add((name, path.parent.relative_to(ROOT).as_posix()))
                bounded.add(top(module))
    assert found == set(INTERNAL.items())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for library in bounded:
        (requirement,) = [one for one in project["dependencies"] if re.match(rf"{library}\b", one)]
        assert "<" in requirement, requirement


def _is_private(module: str) -> bool:
    if top(module) in ("workflow_engine", "activities", "triggers"):
        return False
    return module.startswith(BEGINNINGS) or any(
        part.startswith("_") and not part.startswith("__") for part in module.split(".")
    )
