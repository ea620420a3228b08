"""``daw-bridge midi``: with the daemon and without it, over real ports."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge_daemon.home.paths import Home
from bridge_daemon.settings.file import create_default
from tests.frontends.midi.controller import control, controller, note, off, program
from tests.frontends.midi.pads import ARM, PRESETS, attached, counts, intake, midi, missed, pad, plugged, taken
from tests.support import PATIENCE, running

pytestmark = [pytest.mark.needs("jackd", "jackd2"), pytest.mark.usefixtures("jack")]


class Command:
    """A command that runs while the test plays."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said: list[str] = []
        self._more = asyncio.Event()
        self._tasks = [asyncio.create_task(self._read(stream)) for stream in (process.stdout, process.stderr)]

    async def _read(self, stream: asyncio.StreamReader | None) -> None:
        assert stream is not None
        while line := await stream.readline():
            self.said.append(line.decode().rstrip())
            self._more.set()

    async def until(self, words: str, *, seconds: float = PATIENCE) -> None:
        async with asyncio.timeout(seconds):
            while not any(words in line for line in self.said):
                self._more.clear()
                await self._more.wait()

    async def ended(self) -> int:
        async with asyncio.timeout(30):
            code = await self.process.wait()
            await asyncio.gather(*self._tasks)
            return code


@asynccontextmanager
async def command(home: Path, *args: str) -> AsyncIterator[Command]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("DAW_BRIDGE_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge_daemon", "midi", *args),
        env=env | {"DAW_BRIDGE_HOME": str(home)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    made = Command(process)
    try:
        yield made
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)  # as a person does; what dies without closing stalls JACK
        await made.ended()


def bindings_of(home: Path) -> list[dict[str, object]]:
    text = (home / "config.toml").read_text(encoding="utf-8")
    assert text.startswith("# Settings of daw-bridge."), "the comments are gone"
    found: list[dict[str, object]] = tomllib.loads(text)["midi"]["bindings"]
    return found


async def test_a_pad_is_learned_while_the_daemon_has_its_port_and_does_nothing_else_meanwhile(tmp_path: Path) -> None:
    home = tmp_path / "home"
    bindings = midi(ARM, pad("riser", 36, preset="riser"))
    async with controller() as keys, running(home, None, midi=bindings, presets=PRESETS) as daemon:
        create_default(Home(home))
        await plugged(daemon, keys)
        await intake(daemon).arm()
        async with command(home, "learn", "stop", "--action", "panic", "--port", "pad*", "--yes") as learn:
            await learn.until("Press the pad")
            await keys.play(note(36, 90, channel=2), off(36, channel=2))
            await missed(daemon, "riser", "midi learn listens")
            await learn.until("Written to")
            assert await learn.ended() == 0
        assert bindings_of(home) == [
            {"name": "stop", "port": "pad:out", "message": "note_on", "channel": 2, "number": 36, "action": "panic"}
        ]
        assert [slot["name"] for slot in intake(daemon).about()["bindings"]] == ["stop"]
        await attached(daemon, "pad:out")
        assert intake(daemon).listening.patterns == frozenset()
        await keys.play(note(36, channel=2), off(36, channel=2))
        await taken(daemon, "stop")
        assert counts(daemon, "stop")["taken"] == 1
        assert daemon.parts.pause.panic


async def test_an_encoder_is_learned_without_the_daemon(tmp_path: Path) -> None:
    home, options = tmp_path / "home", ("--action", "set", "--parameter", "cfg_scale", "--relative", "--yes")
    async with controller() as keys, command(home, "learn", "knob", *options) as learn:
        await learn.until("to the right")
        await keys.play(control(9, 65), control(9, 66))
        await learn.until("to the left")
        await keys.play(control(9, 63), control(9, 62))
        assert await learn.ended() == 0
    (found,) = bindings_of(home)
    assert found["encoding"] == "binary_offset"
    assert (found["mode"], found["number"], found["parameter"]) == ("relative", 9, "cfg_scale")


async def test_a_fader_of_14_bits_is_noticed_and_nothing_is_written_without_a_yes(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with controller() as keys, command(home, "learn", "f", "--action", "set", "--parameter", "strength") as learn:
        await learn.until("turn the knob")
        await keys.play(control(7, 64), control(39, 5), control(7, 65), control(39, 0))
        assert await learn.ended() == 1
    assert "bits = 14" in learn.said
    assert any("Nothing was written" in line for line in learn.said)
    assert not (home / "config.toml").exists()


async def test_a_binding_that_would_be_wrong_is_not_written(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with controller() as keys, command(home, "learn", "p", "--preset", "nothing", "--yes") as learn:
        await learn.until("Press the pad")
        await keys.play(program(5))
        assert await learn.ended() == 2
    assert any("there is no [presets.nothing]" in line for line in learn.said)
    assert not (home / "config.toml").exists()


@pytest.mark.parametrize("with_daemon", [False, True])
async def test_monitor_shows_what_comes(tmp_path: Path, with_daemon: bool) -> None:
    home = tmp_path / "home"
    async with controller() as keys:
        if with_daemon:
            async with running(home, None) as daemon, command(home, "monitor", "--port", "pad*") as shown:
                await shown.until("Listening")
                await keys.play(note(36, 90, channel=2))
                await shown.until("pad:out  note_on  channel 2, number 36, value 90  [91 24 5a]")
                assert daemon.home.path == home
        else:
            async with command(home, "monitor", "--json") as shown:
                await shown.until("Listening")
                await keys.play(control(7, 1))
                await shown.until('"message": "control_change"')


async def test_ports_are_listed_and_pads_armed_and_disarmed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with controller():
        async with command(home, "ports", "--json") as listed:
            assert await listed.ended() == 0
        told = json.loads("\n".join(listed.said))
        assert (told["inputs"], told["outputs"], told["open"]) == (["pad:out"], ["pad-lights:in"], [])
        async with command(home, "arm") as armed:
            assert await armed.ended() == 3
        async with running(home, None, midi=midi(ARM)) as daemon:
            await attached(daemon, "pad:out")
            async with command(home, "ports") as listed:
                assert await listed.ended() == 0
            assert "  pad:out   (open in the bridge)" in listed.said
            async with command(home, "arm") as armed:
                assert await armed.ended() == 0
            assert armed.said == ["Pads are armed for 60 min and $5.00."]
            assert intake(daemon).stage.armed
            async with command(home, "disarm") as disarmed:
                assert await disarmed.ended() == 0
            assert not intake(daemon).stage.armed


async def test_no_midi_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDO_BACKEND", "mido.backends.rtmidi/NO_SUCH")
    async with command(tmp_path / "home", "ports") as listed:
        assert await listed.ended() == 0
    assert "no MIDI here" in listed.said[0]
