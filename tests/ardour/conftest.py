"""A bridge with the free sketch engine, and an Ardour with the scripts that ``daw-bridge install ardour`` puts there."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon.home.paths import Home
from bridge_daemon.install.ardour import FOLDER, Ardour as Target
from bridge_daemon.install.machine import Machine
from bridge_daemon.install.target import install
from tests.ardour.daw import RATE, Ardour, Display, lua_text, until
from tests.e2e.processes import Bridge, bridge

GENERATE, TRANSFORM, PLACE = 1, 2, 3
CLIENT = "ardour"


@pytest.fixture
def display() -> Iterator[Display]:
    made = Display()
    yield made
    made.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "bridge"


@pytest.fixture
def settings() -> dict[str, str]:
    """What a test sets of the bridge, beside the usual."""
    return {}


@pytest.fixture
def daemon(home: Path, settings: dict[str, str]) -> Iterator[Bridge]:
    """A daemon with the sketch engine, which costs nothing."""
    with bridge(home, "https://not.used", DAW_BRIDGE_ENGINE__NAME="sketch", **settings) as made:
        yield made


def with_scripts(ardour: Ardour, home: Path) -> Ardour:
    """Install the scripts into a made-up person's Ardour, and register them as its script manager does."""
    ardour.configure()
    machine = Machine("linux", {}, ardour.folder / "home", ardour.folder / "home")
    install(Target(), machine, Home(home, named=True), path=ardour.config, dry_run=False)
    scripts = ardour.config / "scripts"
    text = {name: (scripts / f"daw_bridge_{name}.lua").read_text("utf-8") for name in ("generate", "transform", "place")}
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


def put_sound(ardour: Ardour, sound: Path, sample: int) -> None:
    """Put a file on a track of its own, as a person imports it."""
    ardour.lua(
        f"local f = C.StringVector() f:push_back({lua_text(sound)})\n"
        f"Editor:do_import(f, Editing.ImportDistinctFiles, Editing.ImportAsTrack, ARDOUR.SrcQuality.SrcBest,\n"
        f"ARDOUR.MidiTrackNameSource.SMFTrackName, ARDOUR.MidiTempoMapDisposition.SMFTempoIgnore,\n"
        f"Temporal.timepos_t({sample}), ARDOUR.PluginInfo(), ARDOUR.Track(), false)"
    )
