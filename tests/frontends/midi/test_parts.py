"""The parts of the MIDI intake that need no port: messages to gestures, presses that count, stamps, names of ports."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge_daemon.errors import InvalidRequest
from bridge_daemon.frontends.midi import driver, press_handler
from bridge_daemon.frontends.midi.counts import Counts
from bridge_daemon.frontends.midi.driver import bare, matches
from bridge_daemon.frontends.midi.gestures import Decoder, Gesture, GestureKind, encoding_of, steps_of
from bridge_daemon.frontends.midi.monitor import Listening, Question
from bridge_daemon.frontends.midi.pad import Pad, Verdict
from bridge_daemon.frontends.midi.port_session import Stamp
from bridge_daemon.frontends.midi.press_handler import NotTaken, newest_render
from bridge_daemon.settings.sections import Binding

SEVEN = st.integers(0, 127)
CHANNEL = st.integers(0, 15)


def binding(**given: Any) -> Binding:
    return Binding.model_validate({"name": "pad", "port": "*", "number": 7} | given)


def knob(**given: Any) -> Binding:
    return binding(message="control_change", action="set", parameter="strength", **given)


def cc(value: int, number: int = 7, channel: int = 0) -> mido.Message:
    return mido.Message("control_change", channel=channel, control=number, value=value)


def kinds(decoder: Decoder, *messages: mido.Message) -> list[GestureKind | None]:
    return [found.kind if (found := decoder.take(message)) is not None else None for message in messages]


@given(channel=CHANNEL, number=SEVEN, velocity=SEVEN, low=st.none() | SEVEN, high=st.none() | SEVEN)
def test_a_note_is_a_press_only_with_a_velocity_that_counts(
    channel: int, number: int, velocity: int, low: int | None, high: int | None
) -> None:
    decoder = Decoder(binding(channel=3, low=low, high=high))
    found = decoder.take(mido.Message("note_on", channel=channel, note=number, velocity=velocity))
    if (channel, number) != (2, 7):
        assert found is None
    elif velocity == 0:
        assert found is not None
        assert found.kind is GestureKind.RELEASE
    else:
        inside = (1 if low is None else low) <= velocity <= (127 if high is None else high)
        assert found == Gesture(GestureKind.PRESS if inside else GestureKind.OUTSIDE, velocity, 127, 3, 7)


@given(st.lists(st.tuples(st.sampled_from(["note_on", "note_off", "control_change", "program_change"]), SEVEN, SEVEN)))
def test_no_stream_of_messages_makes_a_release_without_a_press_of_a_switch(stream: list[tuple[str, int, int]]) -> None:
    decoder, on = Decoder(binding(message="control_change", number=None)), set()
    for kind, number, value in stream:
        first = {"control_change": "control", "program_change": "program"}.get(kind, "note")
        second = {"control_change": {"value": value}, "program_change": {}}.get(kind, {"velocity": value})
        found = decoder.take(mido.Message(kind, **{first: number}, **second))
        if kind != "control_change":
            assert found is None
        elif found is not None and found.kind is GestureKind.PRESS:
            assert value >= 64
            on.add(number)
        elif found is not None:
            assert found.kind is GestureKind.RELEASE
            on.remove(number)


def test_a_switch_is_pressed_when_it_comes_into_its_range_and_not_while_it_moves_in_it() -> None:
    decoder = Decoder(binding(message="control_change"))
    pressure = [cc(value) for value in (1, 63, 64, 90, 127, 80, 10, 0, 127, 0)]
    wanted = [
        None,
        None,
        GestureKind.PRESS,
        None,
        None,
        None,
        GestureKind.RELEASE,
        None,
        GestureKind.PRESS,
        GestureKind.RELEASE,
    ]
    assert kinds(decoder, *pressure) == wanted


def test_a_button_that_never_says_that_it_was_let_go_can_be_pressed_again() -> None:
    assert kinds(Decoder(binding(message="control_change")), cc(127), cc(127), cc(127)) == [GestureKind.PRESS] * 3


def test_a_low_and_high_of_a_switch_may_stand_for_its_other_half() -> None:
    decoder = Decoder(binding(message="control_change", low=0, high=0))
    assert kinds(decoder, cc(127), cc(0), cc(127), cc(0)) == [
        None,
        GestureKind.PRESS,
        GestureKind.RELEASE,
        GestureKind.PRESS,
    ]


@given(st.integers(0, 16_383), st.integers(0, 16_383))
def test_14_bits_are_joined_as_the_specification_says(first: int, second: int) -> None:
    decoder = Decoder(knob(bits=14))
    last = None
    for value in (first, second):
        for message in (cc(value >> 7), cc(value & 127, number=39)):
            last = decoder.take(message)
        assert last == Gesture(GestureKind.VALUE, value, 16_383, 1, 7)
    assert last is not None
    assert last.fraction(None, None) == pytest.approx(second / 16_383)


def test_the_fine_half_alone_means_nothing_and_a_new_coarse_half_clears_it() -> None:
    decoder = Decoder(knob(bits=14))
    assert decoder.take(cc(5, number=39)) is None
    assert decoder.take(cc(1)) == Gesture(GestureKind.VALUE, 128, 16_383, 1, 7)
    assert decoder.take(cc(5, number=39)) == Gesture(GestureKind.VALUE, 133, 16_383, 1, 7)
    assert decoder.take(cc(1)) == Gesture(GestureKind.VALUE, 133, 16_383, 1, 7)
    assert decoder.take(cc(2)) == Gesture(GestureKind.VALUE, 256, 16_383, 1, 7)
    assert decoder.take(cc(2, channel=1)) == Gesture(GestureKind.VALUE, 256, 16_383, 2, 7)


@given(st.integers(-60, 60).filter(bool), st.sampled_from(["twos_complement", "binary_offset", "sign_bit"]))
def test_every_encoding_of_an_encoder_is_read_back(steps: int, encoding: str) -> None:
    written = {
        "twos_complement": steps % 128,
        "binary_offset": steps + 64,
        "sign_bit": steps if steps > 0 else 64 - steps,
    }[encoding]
    found = Decoder(knob(mode="relative", encoding=encoding)).take(cc(written))
    assert found == Gesture(GestureKind.STEP, steps, 127, 1, 7)


@pytest.mark.parametrize(
    ("right", "left", "encoding"),
    [
        ([1, 1, 2], [127, 126], "twos_complement"),
        ([65, 66], [63, 63, 60], "binary_offset"),
        ([1, 3], [65, 67], "sign_bit"),
        ([10, 40, 90], [80, 20], None),
    ],
)
def test_the_encoding_is_learned_from_a_turn_to_the_right_and_one_to_the_left(
    right: list[int], left: list[int], encoding: str | None
) -> None:
    assert encoding_of(right, left) == encoding


def test_no_step_is_no_gesture() -> None:
    assert steps_of(64, 7, "binary_offset") == 0
    assert Decoder(knob(mode="relative", encoding="binary_offset")).take(cc(64)) is None


@given(SEVEN, SEVEN)
def test_a_program_is_a_press(number: int, other: int) -> None:
    found = Decoder(binding(message="program_change", number=number)).take(
        mido.Message("program_change", program=other)
    )
    assert (found is not None and found.kind is GestureKind.PRESS) == (number == other)


@given(SEVEN, st.integers(0, 63), st.integers(64, 127))
def test_a_fraction_stays_in_its_range(value: int, low: int, high: int) -> None:
    fraction = Gesture(GestureKind.VALUE, value, 127, 1, 1).fraction(low, high)
    assert 0 <= fraction <= 1
    if low <= value <= high:
        assert fraction == pytest.approx((value - low) / (high - low))


# Presses that count


def test_any_press_starts_the_time_anew_in_which_the_next_one_does_not_count() -> None:
    pad = Pad(binding(repeat_ms=500))
    assert pad.press(10.0) is Verdict.GO
    assert [pad.press(10.0 + 0.06 * n) for n in range(1, 1000)] == [Verdict.TOO_SOON] * 999
    assert pad.press(10.0 + 0.06 * 999 + 0.5) is Verdict.GO


def test_twice_needs_a_second_press_in_time_that_is_no_bounce() -> None:
    pad = Pad(binding(confirm="twice", repeat_ms=500))
    assert pad.press(1.0) is Verdict.FIRST
    assert pad.press(1.01) is Verdict.TOO_SOON
    assert pad.press(1.2) is Verdict.GO
    assert pad.press(1.3) is Verdict.TOO_SOON
    assert pad.press(5.0) is Verdict.FIRST
    assert pad.press(8.0) is Verdict.FIRST


@pytest.mark.parametrize("action", ["panic", "disarm"])
def test_what_stops_answers_to_every_press(action: str) -> None:
    pad = Pad(binding(action=action, repeat_ms=60_000))
    assert [pad.press(n / 100) for n in range(5)] == [Verdict.GO] * 5


# Stamps


@given(st.lists(st.floats(0.001, 0.05), min_size=50, max_size=200), st.randoms())
def test_stamps_keep_the_distances_of_the_driver_and_never_lie_in_the_future(gaps: list[float], dice: Any) -> None:
    stamp, came, stamps = Stamp(), 100.0, []
    for gap in gaps:
        came += gap
        fetched = came + dice.uniform(0, 0.005)
        stamps.append((came, stamp.at(fetched, gap)))
        assert stamps[-1][1] <= fetched
    late = [at - came for came, at in stamps]
    assert max(late) <= 0.0051 + 1e-4 * sum(gaps)
    assert min(late) >= -1e-9


def test_a_stamp_does_not_go_on_from_before_a_sleep() -> None:
    stamp = Stamp()
    stamp.at(10.0, 0.0)
    assert stamp.at(1000.0, 0.01) == 1000.0


# Names


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("Launchpad*", "Launchpad Mini:Launchpad Mini MIDI 1 20:0", True),
        ("launchpad mini:launchpad mini midi 1", "Launchpad Mini:Launchpad Mini MIDI 1 28:0", True),
        ("*midi ?*", "Launchpad Mini:Launchpad Mini MIDI 1 20:0", True),
        ("Launchpad", "Launchpad Mini:Launchpad Mini MIDI 1 20:0", False),
        ("Elektron [A]*", "Elektron [A] 20:0", True),
        ("Elektron [A]", "Elektron A", False),
        ("", "pad", False),
    ],
)
def test_a_pattern_means_a_port_whatever_its_number_is(
    pattern: str, name: str, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "_SYSTEM", "Linux")
    assert matches(pattern, name) is fits


def test_windows_numbers_its_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "_SYSTEM", "Windows")
    assert bare("MPK mini 3 1") == "MPK mini 3"
    assert matches("MPK mini 3", "MPK mini 3 0")


def test_no_midi_is_told_in_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(driver, "_SYSTEM", "Linux")
    monkeypatch.setattr(driver, "_SEQUENCER", tmp_path / "seq")
    monkeypatch.delenv("MIDO_BACKEND", raising=False)
    with pytest.raises(driver.NoMidi, match="has no"):
        driver.MidiSystem()
    monkeypatch.setenv("MIDO_BACKEND", "mido.backends.portmidi")
    with pytest.raises(driver.NoMidi, match="portmidi"):
        driver.MidiSystem()
    monkeypatch.setenv("MIDO_BACKEND", "mido.backends.rtmidi/NO_SUCH")
    with pytest.raises(driver.NoMidi, match="NO_SUCH"):
        driver.MidiSystem()


# The newest render


def test_the_newest_render_is_the_one_written_last_and_never_half_of_one(tmp_path: Path) -> None:
    with pytest.raises(NotTaken, match="no render"):
        newest_render(str(tmp_path), 1000.0)
    for number, name in enumerate(["old.wav", "new.WAV", "notes.txt", ".hidden.wav", "new.wav.reapeaks"]):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (900.0 + number, 900.0 + number))
    assert newest_render(str(tmp_path), 1000.0).name == "new.WAV"
    with pytest.raises(NotTaken, match="just now"):
        newest_render(str(tmp_path), 901.0 + press_handler._SETTLED / 2)
    with pytest.raises(NotTaken, match="cannot be read"):
        newest_render(str(tmp_path / "gone"), 1000.0)


# Counting and listening


async def test_a_thousand_presses_that_were_not_taken_are_two_lines_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    counts = Counts()
    for _ in range(1000):
        counts.press("pad")
        counts.miss("pad", "too soon")
    counts.close()
    told = [record.getMessage() for record in caplog.records]
    assert [line.split(":")[1].split(".")[0].strip() for line in told] == [
        "1 of pad (too soon)",
        "999 of pad (too soon)",
    ]
    assert counts.of("pad")["not_taken"] == {"too soon": 1000}


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({}, "port"),
        ({"port": ""}, "port"),
        ({"port": "*", "since": True}, "since"),
        ({"port": "*", "wait": 11}, "wait"),
        ({"port": "*", "wait": float("nan")}, "wait"),
        ({"port": "*", "mute": 1}, "mute"),
        ({"port": "*", "ports": 1}, "ports"),
    ],
)
def test_a_question_with_a_fault_is_refused(data: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        Question.read(data)
    assert [fault.field for fault in refusal.value.faults] == [field]


async def test_ports_are_listened_to_for_as_long_as_somebody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge_daemon.frontends.midi.monitor.LEASE", 0.05)
    changes: list[frozenset[str]] = []
    listening = Listening(lambda: changes.append(listening.patterns))
    await listening.ask(Question(port="pad*", mute=True))
    assert listening.is_muted("pad:out")
    async with asyncio.timeout(15):
        while listening.patterns:
            await asyncio.sleep(0.01)
    assert changes == [frozenset({"pad*"}), frozenset()]
    assert not listening.is_muted("pad:out")
