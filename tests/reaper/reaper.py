"""A fake REAPER in a test: scripts and fake run in a real Lua, in this process (lupa) or in Debian's interpreters."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FAKE = HERE / "fake"
SCRIPTS = ROOT / "reaper_scripts"
#: The Luas of REAPER 6 and REAPER 7, inside of Python and as Debian has them.
LUAS = ("lupa.lua54", "lupa.lua53", "lua5.4", "lua5.3")


class LuaError(Exception):
    """What a piece of Lua ended with."""


class DiedError(Exception):
    """REAPER has died, as a test has asked for."""


class _Host:
    """What plain Lua has no function for."""

    @staticmethod
    def list(path: str) -> str:
        folder = Path(path)
        return "\n".join(one.name for one in folder.iterdir() if one.is_file()) if folder.is_dir() else ""

    @staticmethod
    def make_folder(path: str) -> None:
        try:
            Path(path).mkdir(parents=True, exist_ok=True)
        except OSError:
            return  # REAPER says nothing either

    @staticmethod
    def is_folder(path: str) -> bool:
        return Path(path).is_dir()


def _lupa(name: str, imgui: Mapping[str, Callable[..., Any]] | None) -> Callable[[bytes], bytes]:
    runtime = importlib.import_module(name).LuaRuntime(encoding=None, unpack_returned_tuples=True)
    host = runtime.table_from(
        {
            b"list": lambda path: _Host.list(path.decode()).encode(),
            b"make_folder": lambda path: _Host.make_folder(path.decode()),
            b"is_folder": lambda path: _Host.is_folder(path.decode()),
        }
    )
    if imgui is not None:
        host[b"imgui"] = runtime.table_from({key.encode(): run for key, run in imgui.items()})
    load = runtime.eval(b"function(path, ...) return assert(loadfile(path))(...) end")
    return load(str(FAKE / "driver.lua").encode(), str(FAKE).encode(), host)


class Reaper:
    """A REAPER with one empty project."""

    def __init__(
        self, lua: str, resources: Path, *, dear_imgui: Mapping[str, Callable[..., Any]] | None = None, **options: Any
    ) -> None:
        """``dear_imgui``: the functions of a real Dear ImGui, for a Lua inside of Python."""
        self.resources = resources
        self.dead = False
        resources.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None
        if lua.startswith("lupa"):
            self._call = _lupa(lua, dear_imgui)
        else:
            program = shutil.which(lua)
            assert program, f"install the package {lua}"
            command = [program, str(FAKE / "driver.lua"), str(FAKE)]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self._call = self._ask
        given = {"resources": str(resources), **options}
        parts = ", ".join(f"{key} = {to_lua(value)}" for key, value in given.items())
        self.do(f"start({{{parts}}})")

    def _ask(self, piece: bytes) -> bytes:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"%d\n" % len(piece) + piece)
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            self.dead = True
            raise DiedError
        return answer

    def do(self, piece: str) -> Any:
        """Run a piece of Lua, and return what it returns. ``fake``, ``reaper`` and ``gfx`` are known there."""
        answer = json.loads(self._call(piece.encode()))
        if "error" in answer:
            raise LuaError(_text(answer["error"]))
        value = _text(answer["value"])
        return None if value == "\0nil" else value

    def get(self, expression: str) -> Any:
        return self.do(f"return {expression}")

    def press(self, script: str) -> None:
        """Run one of our actions."""
        self.do(f"fake.run({to_lua(str(self.scripts / f'DAW Bridge_{script}.lua'))})")

    @property
    def scripts(self) -> Path:
        return self.resources / "Scripts" / "DAW Bridge"

    def tick(self, times: int = 1) -> None:
        self.do(f"for _ = 1, {times} do fake.tick() end")

    def seconds(self, seconds: float) -> None:
        self.tick(round(seconds * 30))

    def check(self) -> None:
        """Nothing may have gone wrong unseen."""
        assert self.get("fake.errors") == []
        assert self.get("fake.accessors") == 0
        assert self.get("fake.loose_sources") == 0

    def kill(self) -> None:
        """As a crash of REAPER: no script is told."""
        self.dead = True
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        else:
            self._call = lambda piece: b'{"error": "REAPER is dead"}'


def to_lua(value: Any) -> str:
    """Write a value as Lua."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | Path):
        text = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{text}"'
    return repr(value)


def _text(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("latin-1").decode("utf-8", "replace")
    if isinstance(value, list):
        return [_text(one) for one in value]
    if isinstance(value, dict):
        return {_text(key): _text(one) for key, one in value.items()}
    return value
