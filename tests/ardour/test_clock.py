"""hardour (Ardour without a window) rolls: its MIDI clock on JACK moves the bridge, and gives a pad its place."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.frontends.midi.controller import controller, jack_server, note, off
from tests.frontends.midi.pads import PRESETS, all_jobs, counts, intake, midi, pad, plugged
from tests.recorded.record_hardour import CONFIG, LIB, environment, make_session
from tests.support import running
from tests.waiting import eventually

pytestmark = [
    pytest.mark.needs("ardour7-lua", "ardour"),
    pytest.mark.needs("jackd", "jackd2"),
    pytest.mark.timeout(240),
]

TEMPO = 87.5
PER_QUARTER = 24
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
            daw.terminate()
            try:
                daw.wait(15)
            except subprocess.TimeoutExpired:
                daw.kill()
                daw.wait()


async def test_the_clock_of_hardour_gives_a_pad_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine JACK without hardware stalls, and the clock goes on meanwhile: the beats that passed are held
    against the ticks that came, give or take one.
    """
    bindings = midi(pad("here", 36, preset="riser", bars=2, when="press"), arm_at_start=True, clock_port=PORT)
    work = tmp_path / "work"
    with jack_server(tmp_path / "jack.log", "ardour") as server:
        for name, value in server.env.items():
            monkeypatch.setenv(name, value)
        env = song(work, server.env)
        async with running(tmp_path / "home", None, midi=bindings, presets=PRESETS) as daemon, controller() as keys:

            def ticks() -> int:
                return int(intake(daemon).about()["messages"].get(PORT, 0))

            def beats() -> float:
                transport = daemon.clock.best(None)
                assert transport is not None
                assert transport.playing
                found = transport.beats_now(time.monotonic())
                assert found is not None
                return found

            await plugged(daemon, keys)
            with rolling(work, env):  # the bridge is there first, so that it hears the start
                await eventually(lambda: ticks() > 3 * PER_QUARTER, seconds=60)
                first, begun = ticks(), beats()
                await eventually(lambda: ticks() > first + 4 * PER_QUARTER, seconds=60)
                passed, before = (ticks() - first) / PER_QUARTER, beats()
                await keys.play(note(36), off(36))
                await eventually(lambda: counts(daemon, "here")["taken"] == 1, seconds=60)
                (job,) = await all_jobs(daemon)
                after = beats()
        place = job.place
        assert before - begun == pytest.approx(passed, abs=1)
        assert place.beats is not None
        assert place.tempo is not None
        assert before <= place.beats <= after
        assert place.tempo == pytest.approx(TEMPO, rel=0.3)
        assert place.position == pytest.approx(place.beats * 60 / place.tempo)
        assert place.length == pytest.approx(8 * 60 / place.tempo)  # two bars of 4/4
