"""The state machine, for some seconds. ``python -m tests.stories machine --stories 2000`` runs it for long."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stories.machine import Bridge, prepare

STORIES = 30


def test_no_order_of_events_pays_twice_or_loses_what_was_paid(folder: Path) -> None:
    prepare(folder)
    run_state_machine_as_test(
        Bridge,
        settings=settings(
            max_examples=STORIES,
            stateful_step_count=25,
            derandomize=True,  # the same stories each time: others are for the long run
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
