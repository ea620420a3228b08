"""What the sketch engine reads in prompts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge_daemon.engine.sketch import words
from bridge_daemon.engine.sketch.words import PARTS, read


@pytest.mark.parametrize(
    ("prompt", "tempo"),
    [
        ("techno 120 bpm", 120),
        ("128BPM house", 128),
        ("a beat at 92.5 bpm", 92.5),
        ("174-bpm jungle", 174),
        ("bpm: 97, piano", 97),
        ("tempo of 101", 101),
        ("120 beats per minute", 120),
        ("slow 140 bpm", 140),  # a number beats a word
        ("20 bpm techno", 130),  # out of range: the genre's
        ("999 bpm techno", 130),
        ("808 bass, 90 bpm", 90),
        ("slow techno", 70),  # a word beats the genre
        ("very slow piano", 52),
        ("fast piano", 144),
        ("drum and bass", 174),
        ("Drum & Bass", 174),
        ("lo-fi hip-hop", 78),
        ("deep house", 122),
    ],
)
def test_tempo(prompt: str, tempo: float) -> None:
    assert read(prompt).tempo == tempo


@pytest.mark.parametrize(
    ("prompt", "root", "minor"),
    [
        ("techno in A minor", 9, True),
        ("a minor piano", 9, True),
        ("in a minor key, C major later", 0, False),  # "a" was an article
        ("F# major pad", 6, False),
        ("f-sharp minor", 6, True),
        ("Bb major", 10, False),
        ("B♭ minor", 10, True),
        ("E flat major", 3, False),
        ("piano in Cm", 0, True),
        ("F#m arp", 6, True),
        ("in G", 7, False),
        ("key of D", 2, False),
        ("Key: Eb", 3, False),
        ("D dorian", 2, True),
        ("C#min pad", 1, True),
    ],
)
def test_key(prompt: str, root: int, minor: bool) -> None:
    score = read(prompt)
    assert (score.root, score.minor) == (root, minor)


@pytest.mark.parametrize(("prompt", "minor"), [("sad piano", True), ("happy piano", False), ("a minor key", True)])
def test_mode_without_a_root(prompt: str, minor: bool) -> None:
    assert read(prompt).minor is minor


@pytest.mark.parametrize(
    ("prompt", "parts"),
    [
        ("kick and snare loop", {"drums"}),
        ("a bass drum", {"drums"}),
        ("sub bass", {"bass"}),
        ("808", {"bass"}),
        ("strings and a choir", {"pad"}),
        ("synth pad", {"pad"}),
        ("a drone", {"pad"}),
        ("piano", {"pluck"}),
        ("synth lead", {"pluck"}),
        ("rain on a window", {"ambience"}),
        ("wind chimes", {"pluck"}),
        ("guitars, no drums", {"pluck"}),
        ("house without drums", {"bass", "pad", "pluck"}),
        ("no drums or bass, piano", {"pluck"}),
        ("no vocals, drums", {"drums"}),
        ("beatless techno", {"bass", "pluck"}),
        ("techno pad", {"drums", "pad"}),
        ("lofi hip hop piano", {"drums", "pluck"}),
        ("ambient", {"pad", "ambience"}),
        ("in the key of D, strings", {"pad"}),
        ("electric keys", {"pluck"}),
    ],
)
def test_instruments(prompt: str, parts: set[str]) -> None:
    assert set(read(prompt).parts) == parts


@pytest.mark.parametrize(
    ("prompt", "meter", "steps"),
    [
        ("a waltz", (3, 4), 12),
        ("6/8 folk", (6, 8), 12),
        ("7/8", (7, 8), 14),
        ("rock", (4, 4), 16),
        ("99/8", (4, 4), 16),
    ],
)
def test_meter(prompt: str, meter: tuple[int, int], steps: int) -> None:
    score = read(prompt)
    assert (score.beats, score.unit) == meter
    assert score.steps_per_bar == steps


def test_unknown_words_choose_by_the_prompt_alone() -> None:
    scores = [read(f"qwertz {n}") for n in range(60)]
    assert scores == [read(f"qwertz {n}") for n in range(60)]
    assert len({score.parts for score in scores}) > 3
    assert len({score.root for score in scores}) > 8
    assert len({score.tempo for score in scores}) > 6


@given(st.text(max_size=200))
def test_any_text_is_music(prompt: str) -> None:
    score = read(prompt)
    assert score.parts
    assert set(score.parts) | set(score.companions) <= set(PARTS)
    assert not set(score.parts) & set(score.companions)
    assert words.SLOWEST <= score.tempo <= words.FASTEST
    assert 6 <= score.steps_per_bar <= 32
