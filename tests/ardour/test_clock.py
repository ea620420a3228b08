"""hardour (Ardour without a window) rolls: its MIDI clock on JACK moves the bridge, and gives a pad its place."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridge_daemon.domain.job import State
from tests.frontends.midi.controller import controller, jack_server, note, off
from tests.frontends.midi.pads import PRESETS, eventually, in_state, midi, pad, plugged
from tests.recorded.record_hardour import CONFIG, LIB, environment, make_session
from tests.support import running

pytestmark = [
    pytest.mark.needs("ardour7-lua", "ardour"),
    pytest.mark.needs("jackd", "jackd2"),
    pytest.mark.timeout(240),
]

TEMPO = 87.5
PORT = "ardour:MIDI Clock out"


def song(work: Path, jack: dict[str, str]) -> dict[str, str]:
    """Make a session at a tempo of its own; return the environment in which hardour opens it."""
    config = work / ".config" / "ardour7"
    config.mkdir(parents=True)
    (config / ".a7").touch()
    (config / "config").write_text(CONFIG, encoding="utf-8")
    env = environment(work) | jack
    make_session(work, env, TEMPO)
    return env


@contextmanager
def rolling(work: Path, env: dict[str, str]) -> Iterator[None]:
    """Let hardour roll."""
    command = [str(next(LIB.glob("hardour-*"))), str(work / "song"), "song"]
    with (work / "hardour.log").open("wb") as log:
        daw = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        try:
            yield
        finally:
            daw.kill()
            daw.wait()


async def test_the_clock_of_hardour_gives_a_pad_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bindings = midi(pad("here", 36, preset="riser", bars=2, when="press"), arm_at_start=True, clock_port=PORT)
    work = tmp_path / "work"
    with jack_server(tmp_path / "jack.log", "ardour") as server:
        env = song(work, server.env)
        for name, value in server.env.items():
            monkeypatch.setenv(name, value)
        async with running(tmp_path / "home", None, midi=bindings, presets=PRESETS) as daemon, controller() as keys:
            await plugged(daemon, keys)
            with rolling(work, env):
                await eventually(lambda: (best := daemon.clock.best(None)) is not None and best.playing, seconds=60)

                def beats() -> tuple[float, float]:
                    now, best = time.monotonic(), daemon.clock.best(None)
                    assert best is not None
                    found = best.beats_now(now)
                    assert found is not None
                    return now, found

                await asyncio.sleep(3)  # until the tempo has settled
                first = beats()
                await asyncio.sleep(2)
                before = beats()
                assert (before[1] - first[1]) / (before[0] - first[0]) * 60 == pytest.approx(TEMPO, rel=0.02)
                await keys.play(note(36), off(36))
                (job,) = await in_state(daemon, State.PLACED)
                after = beats()
        assert job.place.beats is not None
        assert before[1] <= job.place.beats <= after[1]
        assert job.place.tempo == pytest.approx(TEMPO, abs=0.5)
        assert job.place.position == pytest.approx(job.place.beats * 60 / TEMPO, rel=0.01)
        assert job.place.length == pytest.approx(8 * 60 / TEMPO, rel=0.01)  # two bars of 4/4
