"""A bridge with the free sketch engine, and an Ardour with the scripts of ``daw-bridge install ardour``."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge_daemon.home.paths import Home
from bridge_daemon.install.ardour import FOLDER
from bridge_daemon.install.ardour import Ardour as Target
from bridge_daemon.install.machine import Machine
from bridge_daemon.install.target import install
from tests.ardour.daw import RATE, Ardour, Display, lua_text
from tests.e2e.processes import Bridge, bridge

GENERATE, TRANSFORM, PLACE = 1, 2, 3
#: What every test with Ardour needs: program and package.
NEEDS = [
    pytest.mark.needs(program, package)
    for program, package in (
        ("ardour", "ardour"), ("Xvfb", "xvfb"), ("xdotool", "xdotool"), ("dbus-run-session", "dbus"),
        ("sox", "sox"), ("ffprobe", "ffmpeg"),
    )
]  # fmt: skip


@pytest.fixture
def display() -> Iterator[Display]:
    made = Display()
    yield made
    made.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "bridge"


@pytest.fixture
def daemon(home: Path) -> Iterator[Bridge]:
    """A daemon with the sketch engine, which costs nothing; not started yet."""
    with bridge(home, "https://not.used", DAW_BRIDGE_ENGINE__NAME="sketch") as made:
        yield made


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """Two seconds that are found again by their waveform."""
    path = tmp_path / "drums.wav"
    command = ["sox", "-n", "-r", str(RATE), "-b", "24", "-c", "2", str(path), "synth", "2", "pinknoise", "gain", "-6"]
    subprocess.run(command, check=True)
    return path


def with_scripts(ardour: Ardour, home: Path) -> Ardour:
    """Install the scripts into a made-up person's Ardour, and register them as its script manager does."""
    ardour.configure()
    machine = Machine("linux", {}, ardour.folder / "home", ardour.folder / "home")
    install(Target(), machine, Home(home, named=True), path=ardour.config, dry_run=False)
    scripts = ardour.config / "scripts"
    text = {
        name: (scripts / f"daw_bridge_{name}.lua").read_text("utf-8") for name in ("generate", "transform", "place")
    }
    ardour.actions = {
        GENERATE: ("DAW Bridge: Generate", text["generate"]),
        TRANSFORM: ("DAW Bridge: Transform", text["transform"]),
        PLACE: ("DAW Bridge: Place takes", text["place"]),
    }
    assert (ardour.config / FOLDER / "daw_bridge.json").is_file()
    return ardour


def with_hook(ardour: Ardour) -> Ardour:
    """Register the hook, too."""
    text = (ardour.config / "scripts" / "daw_bridge_watch.lua").read_text("utf-8")
    ardour.hooks = [("DAW Bridge: Watch", text)]
    return ardour


@pytest.fixture
def ardour(tmp_path: Path, display: Display, home: Path) -> Iterator[Ardour]:
    """An Ardour with our scripts, and a session; not started yet."""
    made = with_scripts(Ardour(tmp_path / "ann", display), home)
    made.make_session()
    yield made
    if made.process is not None:
        made.kill()


def put_sound(ardour: Ardour, sound: Path, sample: int | None) -> None:
    """Import a file onto a track of its own, as a person does; None: at the time stamp that stands in it."""
    at = f"timepos_t({sample})" if sample is not None else "timepos_t.max(Temporal.TimeDomain.AudioTime)"
    ardour.lua(
        f"local list = C.StringVector() list:push_back({lua_text(sound)})\n"
        "Editor:do_import(list, Editing.ImportDistinctFiles, Editing.ImportAsTrack, ARDOUR.SrcQuality.SrcBest,\n"
        "ARDOUR.MidiTrackNameSource.SMFTrackName, ARDOUR.MidiTempoMapDisposition.SMFTempoIgnore,\n"
        f"Temporal.{at}, ARDOUR.PluginInfo(), ARDOUR.Track(), false)"
    )
