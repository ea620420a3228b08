"""A test that is run again meets nothing of its first run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHARED = """
import pytest

made = []

@pytest.fixture(scope="session")
def bridge():
    made.append("made")
    presses = []
    yield presses
    made.append(f"ended with {len(presses)}")

@pytest.fixture(scope="module")
def service(bridge):
    yield bridge
    made.append("service ended")

def test_before(service):
    service.append("a press")

def test_that_fails_once(service):
    service.append("a press")
    assert len(service) == 1, "a double press"

def test_after(service):
    assert len(service) == 1
    assert made == ["made", "service ended", "ended with 2", "made"]
"""


def test_the_shared_bridge_is_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "test_shared.py").write_text(SHARED, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "tests.again", "-p", "no:cacheprovider", "--reruns", "1", "-q"]
    done = subprocess.run([*command, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "3 passed, 1 rerun" in done.stdout, done.stdout + done.stderr
