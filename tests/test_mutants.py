"""The mutants are made of the code as it is now: a text that is gone would prove nothing."""

from __future__ import annotations

import ast
from collections import Counter

from tools.mutants.chosen import EQUIVALENT, MODULES, NAMED, STORIES, chosen
from tools.mutants.rules import by_rule


def test_each_can_be_made_and_is_another_program() -> None:
    mutants = list(chosen())
    names = Counter(one.name for one in mutants)
    assert len(mutants) > 300
    assert max(names.values()) == 1, names.most_common(1)
    assert {one.name for one in NAMED} <= set(names)
    assert not set(EQUIVALENT) & set(names)
    assert all(any(name.startswith(f"stories: {start}") for name in names) for start in STORIES)
    for one in mutants:
        if one.path.endswith(".py"):
            ast.parse(one.source)


def test_what_nobody_could_see_is_made_by_a_rule() -> None:
    """Else the reason speaks of code that is gone."""
    made = {one.name for it in MODULES for one in by_rule(f"bridge_daemon/{it.path}", it.tests, it.only)}
    assert set(EQUIVALENT) <= made
