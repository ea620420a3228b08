"""The mutants are made of the code as it is now: a text that is gone would prove nothing."""

from __future__ import annotations

import ast
from collections import Counter

from tools.mutants.chosen import EQUIVALENT, NAMED, chosen


def test_each_can_be_made_and_is_another_program() -> None:
    mutants = list(chosen())
    names = Counter(one.name for one in mutants)
    assert len(mutants) > 300
    assert max(names.values()) == 1, names.most_common(1)
    assert {one.name for one in NAMED} <= set(names)
    assert not set(EQUIVALENT) & set(names)
    for one in mutants:
        if one.path.endswith(".py"):
            ast.parse(one.source)
