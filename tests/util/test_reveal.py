"""A take is shown in the file manager: the right command for each system, and no claim where there is none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bridge_daemon.util.reveal import commands, reveal

posix = pytest.mark.posix("the stand-ins are shell scripts")


def program(folder: Path, name: str, *, code: int = 0) -> Path:
    """Make a stand-in that writes down how it was called."""
    file = folder / name
    file.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{file}.called"\nexit {code}\n', encoding="utf-8")
    file.chmod(0o755)
    return Path(f"{file}.called")


@posix
def test_each_system_has_its_command(tmp_path: Path) -> None:
    file = tmp_path / "a take, 1.wav"
    assert commands(file, "darwin") == [["open", "-R", str(file)]]
    assert commands(file, "win32") == [f'explorer.exe /select,"{file}"']
    first = commands(file, "linux")[0]
    assert f"array:string:{tmp_path.as_uri()}/a%20take%2C%201.wav" in first, "a comma would end the item"


@pytest.mark.skipif(sys.platform != "linux", reason="runs the commands of Linux")
def test_the_folder_is_opened_where_no_file_manager_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs, file = tmp_path / "bin", tmp_path / "take.wav"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    asked = program(programs, "dbus-send", code=1)
    program(programs, "xdg-open")
    opened = program(programs, "setsid")
    assert reveal(file)
    assert asked.read_text(encoding="utf-8").splitlines()[-1] == "string:"
    assert opened.read_text(encoding="utf-8").splitlines() == ["--fork", "xdg-open", str(tmp_path)]
    asked, _ = program(programs, "dbus-send"), opened.unlink()
    assert reveal(file)
    assert not opened.exists(), "it was shown already"


@posix
def test_nothing_is_claimed_where_there_is_no_file_manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not reveal(tmp_path / "take.wav")
