"""What a job says of itself: how its take is to fit, as far as nobody asked for anything."""

from __future__ import annotations

from typing import Any

import pytest

from bridge_daemon.domain.job import Job, Parameters
from bridge_daemon.domain.request import Place
from tests.journal.conftest import new_job


def a_job(place: dict[str, Any], *, client: str | None = "live", fit: str | None = None) -> Job:
    parameters = Parameters(prompt="x", duration=8, seed=1, fit=fit)
    return new_job(client=client, parameters=parameters, place=Place(**place))


@pytest.mark.parametrize(
    ("place", "fit"),
    [
        ({"bars": 4, "target": "session", "tempo": 120.0}, "loop"),
        ({"bars": 4, "target": "arrangement", "tempo": 120.0}, "grid"),
        ({"bars": 4}, "grid"),
        ({"length": 8.0, "tempo": 120.0}, "grid"),  # four bars
        ({"length": 8.0, "tempo": 120.0, "target": "session"}, "loop"),
        ({"length": 8.0, "tempo": 120.0, "time_signature": "3/4"}, "off"),
        ({"length": 7.9, "tempo": 120.0}, "off"),
        ({"length": 8.0}, "off"),
        ({"length": 8.0, "tempo": 1000.0}, "off"),
        ({"position": 3.0, "tempo": 120.0}, "off"),
        ({"length": 3.5, "tempo": 120.0, "time_signature": "7/8"}, "grid"),  # two bars, of whole beats together
        ({"length": 1.75, "tempo": 120.0, "time_signature": "7/8"}, "off"),
        ({"length": 8.0, "tempo": 120.0, "time_signature": "0/4"}, "off"),
    ],
)
def test_left_out_it_follows_the_length_of_the_place(place: dict[str, Any], fit: str) -> None:
    assert a_job(place).fit == fit
    assert a_job(place, client=None).fit == "off", "nobody could undo it"
    assert a_job(place, fit="start").fit == "start"
