"""THREAT_MODEL.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "THREAT_MODEL.md").read_text(encoding="utf-8"))


def test_rules_name_tests() -> None:
    assert len(NAMED) > 40


@pytest.mark.parametrize(("file", "test"), dict.fromkeys(NAMED))
def test_a_named_test_exists(file: str, test: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"def {test}\(", text), f"{file} has no {test}"
