"""Imports point down the floor plan: a file imports only from lines above its own."""

import ast
from functools import cache
from pathlib import Path

import scheduler_bridge

PACKAGE = Path(scheduler_bridge.__file__).parent
PLAN = (
    "exceptions",
    "plain",
    "object_text",
    "outage",
    "storable",
    "accepted",
    "conf",
    "engine",
    "schedules",
    "until",
    "isolation",
    "parsing",
    "definition",
    "discovery",
    "router",
    "connection",
    "models",
    "sql",
    "triggers",
    "plan",
    "ledger",
    "registry",
    "deployment",
    "holds",
    "expiry",
    "changes",
    "identity",
    "pidfd",
    "badge",
    "lease",
    "standby",
    "execution",
    "fence",
    "renewal",
    "history",
    "live",
    "notifications",
    "reporter",
    "chain",
    "gate",
    "books",
    "run",
    "setbacks",
    "heartbeat",
    "errand",
    "tasks",
    "asking",
    "worker",
    "messages",
    "handing",
    "scheduler",
    "systemd",
    "candidacy",
    "left_over",
    "served",
    "pace",
    "away",
    "orders",
    "control",
    "current",
    "runner",
    "past",
    "queues",
    "waiting",
    "stuck",
    "difference",
    "forecast",
    "coming",
    "timeline",
    "diagnosis",
    "overview",
    "api",
    "checks",
    "templatetags",
    "admin",
    "receivers",
    "apps",
    "management",
    "migrations",
)
# Rooms with several files: what lies inside one may import its neighbours.
FOLDERS = {
    "models",
    "triggers",
    "registry",
    "execution",
    "history",
    "forecast",
    "overview",
    "timeline",
    "admin",
    "management",
    "migrations",
}


def files() -> list[Path]:
    return [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path, tree: ast.AST) -> set[str]:
    """Give the rooms that a file imports from, inside functions too."""
    rooms = set()
    folder = path.relative_to(PACKAGE.parent).parts[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = folder[: len(folder) + 1 - node.level] if node.level else ()
            start = [*base, *(node.module.split(".") if node.module else [])]
            names = [[*start, alias.name] for alias in node.names]
        else:
            continue
        rooms |= {name[1] for name in names if name[0] == PACKAGE.name and len(name) > 1}
    return rooms


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def inside_functions(tree: ast.AST) -> list[int]:
    """Return the lines of the imports inside functions; those of an app may wait until it is ready."""
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name != "ready")
    inner = (node for function in functions for node in ast.walk(function))
    return [node.lineno for node in inner if isinstance(node, ast.Import | ast.ImportFrom)]


def upward(path: Path, tree: ast.AST) -> list[str]:
    own = room(path)
    allowed = {*PLAN[: PLAN.index(own)], *({own} & FOLDERS)}
    return [f"{path.name} imports {name}" for name in sorted(imported(path, tree) - allowed)]


def test_a_file_imports_only_from_above():
    assert {room(path) for path in files()} <= set(PLAN)
    assert [line for path in files() for line in upward(path, parsed(path))] == []


def test_an_upward_import_is_seen_even_inside_a_function():
    tree = ast.parse("def step():\n    from .runner import RunnerProcess")
    assert upward(PACKAGE / "plan.py", tree) == ["plan.py imports runner"]


def test_imports_stand_at_the_top():
    assert [f"{path.name}:{line}" for path in files() for line in inside_functions(parsed(path))] == []


def test_an_import_inside_a_function_is_seen_but_that_of_an_app_that_is_ready():
    tree = ast.parse("def step():\n    import os\ndef ready():\n    import os")
    assert inside_functions(tree) == [2]
