from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge_daemon.audio.peaks import peaks
from bridge_daemon.domain.sound_files import MOST_BUCKETS
from bridge_daemon.errors import SourceRefused
from bridge_daemon.frontends.http import route_table
from tests.audio.sounds import LOSSLESS, LOSSY, noise, write


def test_known_outline(folder):
    sound = np.zeros((8000, 2))
    sound[:, 0] = np.repeat([0.0, 0.25, 0.5, -0.75], 2000)
    sound[100, 1] = -0.125
    found = peaks(write(folder / "ä b.wav", sound, 8000), 4)
    assert (found.rate, found.frames, found.channels) == (8000, 8000, 2)
    assert found.minimum == [-0.125, 0, 0, -0.75]
    assert found.maximum == [0, 0.25, 0.5, 0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(frames=st.integers(1, 70_000), buckets=st.integers(1, MOST_BUCKETS), channels=st.integers(1, 3))
def test_no_frame_is_missed(folder, frames, buckets, channels):
    sound = noise(frames, channels)
    found = peaks(write(folder / "x.wav", sound, 48_000, "WAVEX", "FLOAT"), buckets)
    count = min(frames, buckets)
    assert len(found.minimum) == len(found.maximum) == count
    edges = [k * frames // count for k in range(count + 1)]
    for k in range(0, count, max(1, count // 50)):
        part = sound[edges[k] : edges[k + 1]]
        assert found.minimum[k] == pytest.approx(part.min(), abs=6e-5)
        assert found.maximum[k] == pytest.approx(part.max(), abs=6e-5)
    assert max(found.maximum) == pytest.approx(sound.max(), abs=6e-5)


@pytest.mark.parametrize(("form", "subtype", "ending"), [*LOSSLESS, *LOSSY])
def test_every_format(folder, form, subtype, ending):
    found = peaks(write(folder / f"x.{ending}", noise(48_000), 48_000, form, subtype))
    assert len(found.minimum) == 800
    assert json.loads(json.dumps(found.as_dict()))["frames"] == 48_000


def test_short_and_plain_numbers(folder):
    found = peaks(write(folder / "x.wav", noise(48_000), 48_000))
    text = json.dumps(found.as_dict())
    assert len(text) < 800 * 2 * 10
    assert "-0.0," not in text


@pytest.mark.parametrize("buckets", [0, -1, MOST_BUCKETS + 1, 10**9])
def test_absurd_numbers_of_buckets(folder, buckets):
    with pytest.raises(ValueError, match="1 to "):
        peaks(folder / "x.wav", buckets)


def test_not_audio(folder):
    (folder / "x.wav").write_text("hello")
    with pytest.raises(SourceRefused):
        peaks(folder / "x.wav")


@pytest.mark.parametrize("buckets", [4001, MOST_BUCKETS])
def test_every_number_that_the_api_takes_is_drawn(folder, buckets):
    assert route_table.MOST_BUCKETS is MOST_BUCKETS
    assert len(peaks(write(folder / "x.wav", noise(12_000, 1), 48_000), buckets).minimum) == buckets
