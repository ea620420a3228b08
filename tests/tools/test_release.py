"""The workflow of a release, as far as it can be checked without GitHub: what it names is there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from tools.installers import macos, pieces

FILE = pieces.ROOT / ".github" / "workflows" / "release.yml"
#: https://github.com/actions/runner-images/issues/13046: macos-13 was retired; macos-15-intel is the last for Intel.
RUNNERS = {"ubuntu-24.04", "macos-15", "macos-15-intel"}
ACTIONS = {"checkout", "setup-python", "upload-artifact", "download-artifact"}

pytestmark = pytest.mark.needs("ruby", "ruby")


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    """Read it, by Ruby, which has YAML."""
    program = "puts JSON.dump(YAML.load_file(ARGV[0]))"
    command = ["ruby", "-ryaml", "-rjson", "-e", program, str(FILE)]
    read: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return read


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def scripts(workflow: dict[str, Any]) -> list[str]:
    return [re.sub(r"\$\{\{[^}]*\}\}", "X", step["run"]) for step in steps(workflow) if "run" in step]


def test_its_machines_and_actions_are_there(workflow: dict[str, Any]) -> None:
    jobs = workflow["jobs"].values()
    machines = {one["runner"]: one["machine"] for one in workflow["jobs"]["macos"]["strategy"]["matrix"]["include"]}
    assert {job["runs-on"] for job in jobs} - {"${{ matrix.runner }}"} | set(machines) == RUNNERS
    assert set(machines.values()) == set(macos.MACHINES)
    used = {step["uses"] for step in steps(workflow) if "uses" in step}
    assert all(re.fullmatch(rf"actions/({'|'.join(ACTIONS)})@v\d+", one) for one in used), used
    assert {name for job in jobs for name in job.get("needs", [])} <= set(workflow["jobs"])


def test_its_secrets_are_told(workflow: dict[str, Any]) -> None:
    del workflow
    text = FILE.read_text(encoding="utf-8")
    told = set(re.findall(r"\b(?:WINDOWS|MACOS)_[A-Z0-9_]+", text.partition("name: release")[0]))
    assert set(re.findall(r"secrets\.(\w+)", text)) == told


def test_its_scripts_are_shell_and_call_what_there_is(workflow: dict[str, Any]) -> None:
    makefile = (pieces.ROOT / "Makefile").read_text(encoding="utf-8")
    helped = subprocess.run(
        [sys.executable, "-m", "tools.installers", "--help"],
        cwd=pieces.ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for script in scripts(workflow):
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
        for target in re.findall(r"\bmake ([\w./-]+)", script):
            rule = target.replace(".venv/", "$(VENV)/")
            assert f"\n{rule}:" in makefile, target
        for line in script.replace("\\\n", " ").splitlines():
            if "tools.installers" in line or "make installers" in line:
                for option in re.findall(r"(?<= )--[a-z-]+|(?<=\")--[a-z-]+", line):
                    assert option in helped, option


def test_what_it_signs_is_made(workflow: dict[str, Any]) -> None:
    named = {name for script in scripts(workflow) for name in re.findall(r"-in dist/([\w.-]+)", script)}
    assert named == {"daw-bridge-setup.exe"}
    source = (pieces.ROOT / "tools" / "installers" / "windows.py").read_text(encoding="utf-8")
    assert all(name in source for name in named)
