"""The soak for a minute: ``python -m tests.stories soak`` is the one of an hour."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stories.soak import Soak


@pytest.mark.thorough
@pytest.mark.timeout(600)
@pytest.mark.posix("a start takes seconds there: a minute has too few lives")
def test_every_charge_is_a_take_an_unknown_or_a_failure(tmp_path: Path) -> None:
    told = Soak(tmp_path, seconds=60, seed=1).run()
    assert told["charges"] > 20, told
    assert told["lives"] > 2, told
