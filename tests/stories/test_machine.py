"""The state machine, for some seconds. ``python -m tests.stories machine --stories 2000`` runs it for long."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stories.machine import Bridge, prepare

STORIES = 20


@pytest.mark.timeout(600)
def test_no_order_of_events_pays_twice_or_loses_what_was_paid(folder: Path) -> None:
    prepare(folder)
    run_state_machine_as_test(
        Bridge,
        settings=settings(
            max_examples=STORIES,
            stateful_step_count=25,
            derandomize=True,  # the same stories each time: others, and the shortest of them, are for the long run
            phases=[Phase.generate],
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
