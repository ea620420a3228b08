"""The rooms of the package: what each lets others use, and that imports only go down."""

from __future__ import annotations

import ast
import graphlib
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "bridge_daemon"
ROOMS = sorted(path.parent for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE)
ROOMS = [room for room in ROOMS if "migrations" not in room.parts]


def name_of(path: Path) -> str:
    """Return the dotted name of a module or package."""
    return ".".join(("bridge_daemon", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


def room_of(module: str) -> str:
    """Return the innermost package that a module lies in, itself if it is one."""
    path = PACKAGE.parent.joinpath(*module.split("."))
    return module if path.is_dir() else module.rpartition(".")[0]


def imports() -> Iterator[tuple[str, str]]:
    """Return (module, imported name), dotted, for each import from our own package."""
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bridge_daemon"):
                yield from ((name_of(file), f"{node.module}.{alias.name}") for alias in node.names)


def test_imports_only_go_down() -> None:
    # in a process of its own: it switches off every logger that is there
    command = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", command], cwd=PACKAGE.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_two_modules_need_each_other() -> None:
    """Also not by an import that is made late, or for types alone."""
    needs: dict[str, set[str]] = {}
    for module, imported in imports():
        name = imported.rpartition(".")[0]
        path = PACKAGE.parent.joinpath(*imported.split("."))
        named = imported if path.is_dir() or path.with_suffix(".py").exists() else name
        if named != module and not (PACKAGE.parent.joinpath(*named.split("."))).is_dir():
            needs.setdefault(module, set()).add(named)
    graphlib.TopologicalSorter(needs).prepare()  # raises CycleError, which names the modules


def test_rooms_are_entered_by_what_they_show() -> None:
    """``__all__`` names what others may use of a room: its modules, or what it exports itself."""
    wrong = []
    for module, imported in imports():
        parts = imported.split(".")[1:]
        for depth in range(1, len(parts)):
            room = ".".join(("bridge_daemon", *parts[:depth]))
            inside = module == room or module.startswith(room + ".")
            if not inside and room_of(room) == room and parts[depth] not in importlib.import_module(room).__all__:
                wrong.append(f"{module} uses {imported}, which {room} does not show")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("room", ROOMS, ids=name_of)
def test_a_room_says_what_it_is_and_shows_what_is_there(room: Path) -> None:
    module = importlib.import_module(name_of(room))
    assert module.__doc__
    assert sorted(module.__all__) == module.__all__
    for name in module.__all__:
        if not hasattr(module, name):
            importlib.import_module(f"{name_of(room)}.{name}")
