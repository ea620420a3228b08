"""The README tells what is there: its commands, its figures, and five steps for each way in."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from bridge_daemon.cli.app import build
from bridge_daemon.domain.models import models
from bridge_daemon.settings.load import Settings

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text("utf-8")


def commands() -> list[str]:
    """Return each command line of ours in code: in lines by themselves and inside of sentences."""
    blocks = [line.partition("  #")[0].strip() for line in re.findall(r"^    (.+)$", TEXT, re.MULTILINE)]
    inline = re.findall(r"`([^`\n]+)`", TEXT)
    found = [re.sub(r"^uv run ", "", one) for one in [*blocks, *inline]]
    return sorted({one for one in found if one.startswith("daw-bridge ")})


def resolve(words: list[str]) -> Any:
    """Return the command that the words name, and prove that each option is one of it."""
    command: Any = get_command(build())
    rest = list(words)
    while rest and getattr(command, "commands", None):
        if rest[0].startswith("-"):
            break
        assert rest[0] in command.commands, f"there is no {' '.join(words)}"
        command = command.commands[rest.pop(0)]
    options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    for word in rest:
        assert not word.startswith("-") or word in options, f"{word} of {' '.join(words)}"
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    assert arguments or all(word.startswith("-") or rest[i - 1].startswith("-") for i, word in enumerate(rest))
    return command


def test_it_names_enough() -> None:
    assert len(commands()) > 15
    assert {"daw-bridge demo", "daw-bridge setup"} <= set(commands())


@pytest.mark.parametrize("line", commands())
def test_each_command_exists(line: str) -> None:
    resolve(shlex.split(line)[1:])


def test_a_command_that_does_not_exist_is_noticed() -> None:
    with pytest.raises(AssertionError):
        resolve(["setup", "--nonsense"])
    with pytest.raises(AssertionError):
        resolve(["nonsense"])


@pytest.mark.parametrize("section", ["REAPER", "Ableton Live", "Pads and keys (MIDI)", "Folders"])
def test_each_way_in_has_five_steps(section: str) -> None:
    text = TEXT.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    assert re.findall(r"^(\d+)\. ", text, re.MULTILINE) == ["1", "2", "3", "4", "5"]


def test_its_figures_are_those_of_the_code() -> None:
    settings, model = Settings(), models()[Settings().engine.model]
    assert f"${model.price(None) / 1_000_000:.2f}" in TEXT
    assert f"up to {model.duration[1]:g} s" in TEXT
    spend = settings.spend
    assert f"${spend.per_day_usd:g} a day, ${spend.per_month_usd:g} a month" in TEXT
    assert f"above ${spend.confirm_above_usd:g} asks first" in TEXT
    assert settings.midi.arm_minutes == 60
    assert f"for an hour and ${settings.midi.arm_budget_usd:g} at most" in TEXT


def test_its_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"(?:`|^    )make ([a-z-]+)", TEXT, re.MULTILINE):
        assert re.search(rf"^{target}:|^\.PHONY:.*\b{target}\b", makefile, re.MULTILINE), target
