"""Each of the 37 faults (docs/proof.md) has a test that is marked with its number."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
FAULTS = set(range(1, 38))


def test_every_fault_has_a_test() -> None:
    marks = [
        mark
        for path in TESTS.rglob("test_*.py")
        for mark in re.findall(r"^ *@pytest\.mark\.fault\(([\d, ]+)\)", path.read_text(encoding="utf-8"), re.M)
    ]
    assert {int(number) for mark in marks for number in mark.split(",")} == FAULTS
