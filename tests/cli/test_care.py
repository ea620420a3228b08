"""``doctor``, ``support-bundle`` and ``completion`` as a person types them."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from bridge_daemon.care.doctor import CHECKS
from tests.cli.conftest import Cli

SECRET = "sk-planted-0123456789abcdef"


def test_doctor_without_a_daemon(cli: Cli) -> None:
    done = cli.process("doctor")
    for key, _ in CHECKS:
        assert f" {key}: " in done.stdout
    assert "Next:  daw-bridge start" in done.stdout
    assert not cli.home.exists()  # looking makes nothing


def test_doctor_with_one(bridge: Cli) -> None:
    told = bridge.json("doctor")
    found = {one["key"]: one for one in told["checks"]}
    assert list(found) == [key for key, _ in CHECKS]
    assert found["daemon"]["state"] == found["journal"]["state"] == "ok"
    assert set(found["home"]) == {"key", "state", "text", "fix"}
    assert all(one["fix"] for one in found.values() if one["state"] != "ok")


def test_doctor_fails_with_what_mends_it(cli: Cli) -> None:
    cli.process("key", "set", stdin=f"{SECRET}\n")
    (cli.home / "config.toml").write_text("[spend]\nper_day = 3\n")
    done = cli.process("doctor", code=1)
    assert "fail  settings: " in done.stdout
    assert "daw-bridge config check" in done.stdout
    assert cli.json("doctor", code=1)["state"] == "fail"
    assert SECRET not in done.stdout + done.stderr


def test_the_bundle_is_listed_written_and_never_over_another(cli: Cli, tmp_path: Path) -> None:
    cli.process("key", "set", stdin=f"{SECRET}\n")
    target = tmp_path / "bündle.zip"
    done = cli.process("support-bundle", "--yes", "--output", str(target))
    assert done.stdout.strip() == str(target)
    with zipfile.ZipFile(target) as written:
        names = written.namelist()
        assert all(SECRET.encode() not in written.read(name) for name in names)
    assert all(name in done.stderr for name in names)
    assert "Nothing was sent" in done.stderr
    before = target.read_bytes()
    assert "E-DISK" in cli.process("support-bundle", "--yes", "--output", str(target), code=1).stderr
    assert target.read_bytes() == before
    told = json.loads(cli.process("support-bundle", "--json", "-o", str(tmp_path / "2.zip")).stdout)
    assert told == {"file": str(tmp_path / "2.zip"), "content": names}


@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("", 0)])
def test_the_bundle_asks_a_person(cli: Cli, tmp_path: Path, answer: str, code: int) -> None:
    target = tmp_path / "bundle.zip"
    found, _, shown = cli.at_terminal("support-bundle", "-o", str(target), answer=answer, when="[Y/n]")
    assert (found, target.exists()) == (code, code == 0), shown


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell", "pwsh"])
def test_completion_is_what_the_shell_takes(cli: Cli, shell: str) -> None:
    text = cli.process("completion", shell).stdout
    assert "_DAW_BRIDGE_COMPLETE" in text
    program = shutil.which(shell)
    if program and shell in ("bash", "zsh", "fish"):
        assert subprocess.run([program, "-n"], input=text, text=True, capture_output=True).stderr == ""


def test_completion_completes_our_commands(cli: Cli) -> None:
    asked = cli.with_(_DAW_BRIDGE_COMPLETE="complete_bash", COMP_WORDS="daw-bridge se", COMP_CWORD="1")
    assert asked.process(code=None).stdout.split() == ["setup", "service"]
    assert cli("completion", "tcsh", code=2).stderr
