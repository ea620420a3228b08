"""``daw-bridge folders``: against a real daemon that watches a real folder; each send is a request over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.support import tone

SETTINGS = """
[presets.strings]
action = "transform"
prompt = "string quartet"

[[folders]]
name = "renders"
path = {path}
preset = "strings"
"""


@pytest.fixture
def watcher(cli: Cli, tmp_path: Path) -> Iterator[tuple[Cli, Path]]:
    """A running bridge that watches a folder with two renders in it."""
    folder = tmp_path / "Ma musique é" / "Renders"
    folder.mkdir(parents=True)
    tone(folder / "drums.wav", seconds=1)
    tone(folder / "bass line.wav", seconds=2)
    cli.home.mkdir(mode=0o700)
    (cli.home / "config.toml").write_text(SETTINGS.format(path=json.dumps(str(folder))), encoding="utf-8")
    with cli.running():
        yield cli, folder


def test_a_render_is_listed_sent_once_and_sent_again(
    watcher: tuple[Cli, Path], await_: Callable[[Callable[[], bool]], None]
) -> None:
    cli, folder = watcher

    def renders() -> dict[str, Any]:
        return {one["name"]: one for one in cli.json("folders", "list")["renders"]}

    await_(lambda: set(renders()) == {"drums.wav", "bass line.wav"})
    listed = cli("folders").stdout
    assert "renders" in listed
    assert "2 waiting" in listed
    assert "drums.wav" in listed
    assert "2 waiting" in cli("status").stdout
    number = str(renders()["drums.wav"]["entry"])
    answer = cli.json("folders", "send", number)
    assert answer["jobs"]
    assert cli("folders", "send", number, code=1).stderr.startswith("E-STATE")
    assert cli("folders", "send", "bass line.wav").stdout.count("accepted") == 1
    again = cli.json("folders", "send", str(folder / "drums.wav"), "--again")
    assert again["jobs"] != answer["jobs"]
    await_(lambda: len(list((folder.parent / "Renders takes").glob("*.wav"))) == 3)
    assert {one["state"] for one in renders().values()} == {"sent"}
    assert "not there" not in cli("folders", "list", "--state", "sent").stdout


def test_all_that_wait(watcher: tuple[Cli, Path], await_: Callable[[Callable[[], bool]], None]) -> None:
    cli, folder = watcher
    await_(lambda: len(cli.json("folders", "list")["renders"]) == 2)
    assert "--yes" in cli("folders", "send", "--all", code=2).stderr, "nobody is there to be asked"
    tone(folder / "too short.wav", seconds=0.01)
    await_(lambda: len(cli.json("folders", "list")["renders"]) == 3)
    done = cli("folders", "send", "--all", "--yes", code=1)
    assert "2 of 3" in done.stdout
    assert "E-SOURCE" in done.stderr
    assert "1 are off the list" in cli("folders", "forget", "--all").stdout
    assert len(cli.json("folders", "list", "--state", "waiting")["renders"]) == 0
    assert "Nothing waits" in cli("folders", "send", "--all").stderr


def test_wrong_use(cli: Cli) -> None:
    for wrong in (["send"], ["send", "1", "--all"], ["send", "--all", "--again"], ["forget"], ["forget", "1", "--all"]):
        assert cli("folders", *wrong, code=2).stderr
    assert cli("folders", code=3).stderr.startswith("E-NOT-RUNNING")


def test_there_is_none(bridge: Cli) -> None:
    assert "No folder is watched" in bridge("folders").stderr
    assert bridge("folders", "send", "12", code=1).stderr.startswith("E-NOT-FOUND")
