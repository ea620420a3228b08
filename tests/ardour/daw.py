"""A real Ardour 7 in a made-up home on a display of its own, driven by OSC and by Lua.

Scripts are registered as Ardour's own dialog does it: the text of the script and the bytecode of its factory function
in ``ui_scripts``. Only Ardour itself tells a test what is so: through its session file, its exports, and Lua run in it.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lupa.lua53 import LuaRuntime
from pythonosc.udp_client import SimpleUDPClient

from tests.waiting import at_last

CONFIG: Final = ".config/ardour7"
RATE: Final = 48000
TICKS: Final = 282_240_000  # of Ardour's superclock in a second
PROBE: Final = 16  # the action that runs any Lua file
#: ``LuaSignal.LuaTimerS`` of Ardour 7.3; a test asks Ardour itself.
TIMER: Final = 46

_CONFIG_XML: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<Ardour><Config><Option name="hide-dummy-backend" value="0"/><Option name="osc-port" value="{port}"/>'
    '<Option name="try-autostart-engine" value="1"/><Option name="send-midi-clock" value="{clock}"/></Config>'
    '<ControlProtocols><Protocol name="Open Sound Control (OSC)" active="1" debugmode="0" address-only="1"'
    ' remote-port="{reply}" banksize="0" striptypes="159" feedback="0" gainmode="0" send-page-size="0"'
    ' plug-page-size="0"/></ControlProtocols><Extra><AudioMIDISetup><EngineStates><State backend="None (Dummy)"'
    ' driver="Normal Speed" device="Silence" input-device="" output-device="" sample-rate="48000" buffer-size="1024"'
    ' n-periods="0" input-latency="0" output-latency="0" lm-input="None" lm-output="None" active="1"'
    ' use-buffered-io="0" midi-option="1 in, 1 out, Silence" lru="1700000000"><MIDIDevices/></State></EngineStates>'
    "</AudioMIDISetup></Extra></Ardour>"
)


#: Writes a table as Ardour's own script manager does, with the bytecode of the factory of each script.
_SERIALIZE: Final = r"""function(name, source)
  local function quoted(s)
    return '"' .. s:gsub('[%c"\\\128-\255]', function(c) return string.format('\\%03d', c:byte()) end) .. '"'
  end
  local env = setmetatable({ ardour = function() end }, { __index = _G })
  assert(load(source, "=script", "t", env))()
  local code = string.dump(env.factory, true)
  return quoted(source), quoted(name), quoted(code)
end"""

_RUN_FILE: Final = """ardour { ["type"] = "EditorAction", name = "Run a file" }
function factory () return function ()
  local chunk, problem = load (ARDOUR.LuaAPI.file_get_contents (%s))
  local fine, value = false, problem
  if chunk then fine, value = pcall (chunk) end
  local out = io.open (%s .. ".part", "wb")
  out:write (fine and "fine\\n" or "wrong\\n", tostring (value))
  out:close ()
  os.rename (%s .. ".part", %s)
end end
"""


def free_port() -> int:
    """Return a UDP port that is free now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def lua_text(text: object) -> str:
    """Return a text as Lua writes it."""
    return json.dumps(str(text), ensure_ascii=False).replace("\\/", "/")


def ui_scripts(actions: Mapping[int, tuple[str, str]], hooks: Sequence[tuple[str, str]]) -> str:
    """Return Ardour's file of registered scripts: actions by their number, and hooks of a timer; (name, text) each."""
    serialize: Any = LuaRuntime(encoding="latin-1").eval(_SERIALIZE)

    def pieces(name: str, text: str) -> tuple[str, str, str]:
        source, title, code = serialize(name, text.encode().decode("latin-1"))
        return source, title, code

    parts = ["scripts = {} "]
    for number, (name, text) in actions.items():
        source, title, code = pieces(name, text)
        at = f"scripts[{number}]"
        parts.append(f'{at} = {{}} {at}["s"] = {source} {at}["n"] = {title} {at}["a"] = {{}} {at}["f"] = {code} ')
    told = [f'<ActionScript lua="Lua 5.3">{_packed("".join(parts))}</ActionScript>']
    for number, (name, text) in enumerate(hooks):
        source, title, code = pieces(name, text)
        packed = _packed(f's = {{}} s["s"] = {source} s["n"] = {title} s["a"] = {{}} s["f"] = {code} ')
        signals = "1" + "0" * TIMER
        head = f'lua="Lua 5.3" id="{900 + number}" name="{name}" signals="{signals}"'
        told.append(f"<LuaCallback {head}>{packed}</LuaCallback>")
    hooked = "".join(told[1:])
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<UIScripts>{told[0]}<ActionHooks>{hooked}</ActionHooks></UIScripts>\n'
    )


def _packed(text: str) -> str:
    return base64.b64encode(text.encode("latin-1")).decode("ascii")


class Display:
    """A screen in memory."""

    def __init__(self, size: str = "1280x800x24") -> None:
        """Start it on a number that is free."""
        self._server = subprocess.Popen(
            ["Xvfb", "-displayfd", "1", "-screen", "0", size, "-nolisten", "tcp"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._server.stdout is not None
        self.name = f":{int(self._server.stdout.readline())}"

    def do(self, *words: str) -> str:
        """Press keys or ask for windows (xdotool)."""
        done = subprocess.run(
            ["xdotool", *words], env={**os.environ, "DISPLAY": self.name}, capture_output=True, text=True, timeout=20
        )
        return done.stdout.strip()

    def window(self, title: str, seconds: float = 10.0) -> str:
        """Return the window of this title, once it is shown."""
        find = ("search", "--onlyvisible", "--name", title)
        return at_last(lambda: self.do(*find).splitlines()[-1:], f"a window {title}", seconds=seconds)[0]

    def answer(self, title: str, text: str, key: str) -> None:
        """Type into the first field of a dialog, press the key of one of its buttons, and wait until it has gone."""
        window = self.window(title)
        self.do("windowfocus", "--sync", window)
        if text:
            self.do("type", "--delay", "10", text)
        self.do("key", "--delay", "50", key)
        find = ("search", "--onlyvisible", "--name", title)
        at_last(lambda: window not in self.do(*find).split(), f"the end of {title}", seconds=10)

    def close(self) -> None:
        """End it."""
        self._server.terminate()
        self._server.wait(10)
        if self._server.stdout is not None:
            self._server.stdout.close()


@dataclass(frozen=True)
class Region:
    """One region in a playlist of the session file, in samples."""

    name: str
    position: int
    length: int
    start: int
    playlist: str
    sources: tuple[str, ...]


@dataclass
class Ardour:
    """One Ardour with one session."""

    folder: Path  #: of the made-up person
    display: Display
    actions: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    hooks: Sequence[tuple[str, str]] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        """Lay out a home in which Ardour asks nothing."""
        self.config = self.folder / "home" / CONFIG
        self.session = self.folder / "sess"
        self.file = self.session / "sess.ardour"
        self._lua = self.folder / "probe.lua"
        self._told = self.folder / "probe.told"
        self.config.mkdir(parents=True, exist_ok=True)
        (self.folder / "home/.local/share").mkdir(parents=True, exist_ok=True)
        (self.config / ".a7").touch()  # no first-run assistant

    def _environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("JACK", "XDG"))}
        own |= {"HOME": str(self.folder / "home"), "XDG_RUNTIME_DIR": str(self.folder), "DISPLAY": self.display.name}
        return own | dict(self.env)

    def make_session(self, more: str = "") -> None:
        """Make an empty session, without a screen. It remembers which control surfaces were on."""
        self.configure()
        script = self.folder / "new.lua"
        script.write_text(
            'AudioEngine:set_backend("None (Dummy)","","")\n'
            f'local s = assert(create_session({lua_text(self.session)}, "sess", {RATE}))\n'
            f'{more}\ns:save_state("")\nclose_session()\nquit()\n',
            encoding="utf-8",
        )
        done = subprocess.run(["ardour7-lua", str(script)], env=self._environment(), capture_output=True, timeout=60)
        assert self.file.is_file(), done.stdout + done.stderr

    def configure(self) -> None:
        """Write the settings with which Ardour asks nothing, is silent, and listens to OSC."""
        self.port = free_port()
        config = _CONFIG_XML.format(port=self.port, reply=free_port(), clock=0)
        (self.config / "config").write_text(config, encoding="utf-8")

    def start(self) -> None:
        """Start Ardour with its session, and wait until it answers."""
        self.configure()
        run = _RUN_FILE % tuple(lua_text(path) for path in (self._lua, self._told, self._told, self._told))
        scripts = ui_scripts({**self.actions, PROBE: ("Run a file", run)}, self.hooks)
        (self.config / "ui_scripts").write_text(scripts, encoding="utf-8")
        self.log = self.folder / "ardour.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["dbus-run-session", "--", "ardour", "-n", "--no-announcements", str(self.file)],
                env=self._environment(), stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        bound = f":{self.port:04X} "
        at_last(lambda: bound in Path("/proc/net/udp").read_text(encoding="ascii"), "Ardour's OSC", seconds=40)
        at_last(lambda: self._ask("return 1", 1.0), "Ardour's Lua", seconds=40)

    def press(self, number: int) -> None:
        """Press an action script, as its key or menu item does."""
        self.osc("/access_action", f"LuaAction/script-{number}")

    def osc(self, address: str, *values: object) -> None:
        """Send a message of Ardour's own OSC surface."""
        with SimpleUDPClient("127.0.0.1", self.port) as client:
            client.send_message(address, list(values))

    def _ask(self, lua: str, seconds: float) -> str | None:
        self._told.unlink(missing_ok=True)
        self._lua.write_text(lua, encoding="utf-8")
        self.press(PROBE)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._told.exists():
                return self._told.read_text(encoding="utf-8")
            time.sleep(0.02)
        return None

    def lua(self, lua: str, seconds: float = 20.0) -> str:
        """Run Lua in Ardour's script engine, and return what it returns as text."""
        told = self._ask(lua, seconds)
        assert told is not None, f"Ardour did not answer within {seconds:g} s"
        state, _, value = told.partition("\n")
        assert state == "fine", value
        return value

    def send(self, lua: str) -> None:
        """Run Lua in Ardour that does not come back."""
        assert self._ask(lua, 10.0) is None

    def answer(self, title: str, text: str, key: str) -> None:
        """Answer a dialog: see Display.answer."""
        self.display.answer(title, text, key)

    def save(self) -> None:
        """Save the session."""
        self.lua('Session:save_state("", false, false, false, false, false)')

    def export(self, file: Path) -> Path:
        """Save, and have the mix of the whole session exported as a Broadcast Wave, by Ardour without a window.

        Not by ``Session:simple_export`` in the Ardour that is open: in 7.3 that ends in "double free or corruption"
        every few times, also without any script of ours.
        """
        self.save()
        command = ["ardour7-export", "-B", "-b", "float", "-o", str(file), str(self.session), "sess"]
        done = subprocess.run(command, env=self._environment(), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return file

    def regions(self) -> list[Region]:
        """Return the regions that stand in playlists, as the session file on the disk has them."""
        root = ElementTree.parse(self.file).getroot()
        names = {one.get("id"): one.get("name", "") for one in root.iter("Source")}
        found = []
        for playlist in root.iter("Playlist"):
            for region in playlist.iter("Region"):
                length, position = region.get("length", "").split("@")
                keys = [f"source-{index}" for index in range(8) if region.get(f"source-{index}")]
                times = _samples(position), _samples(length), _samples(region.get("start", "a0"))
                sources = tuple(names[region.get(key)] for key in keys)
                found.append(Region(region.get("name", ""), *times, playlist.get("name", ""), sources))
        return found

    def quit(self) -> None:
        """End Ardour in good order."""
        assert self.process is not None
        self.save()
        self.osc("/access_action", "Common/Quit")
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """Kill Ardour as a crash does: nothing is saved or said."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
            self.process = None
        shutil.rmtree(self.session / "dead", ignore_errors=True)


def _samples(text: str) -> int:
    """Return a time of a session file in samples; ``a`` is audio time, in ticks of the superclock."""
    assert text.startswith("a"), text
    ticks = int(text[1:])
    assert ticks * RATE % TICKS == 0, f"{text} is no whole sample"
    return ticks * RATE // TICKS
