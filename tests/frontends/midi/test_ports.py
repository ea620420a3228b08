"""The MIDI thread and the driver: what fails is opened again and told, whatever it was."""

from __future__ import annotations

import asyncio
import ctypes
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon.cli.format import port_troubles
from bridge_daemon.frontends.midi import driver, port_session, port_thread
from bridge_daemon.frontends.midi.driver import MidiSystem, NoMidi, PortTrouble, matches, numbered
from bridge_daemon.frontends.midi.port_thread import Handover
from bridge_daemon.frontends.midi.port_types import Incoming, PortsState, Wanted
from bridge_daemon.frontends.midi.ports import MidiPorts
from bridge_daemon.util.times import monotonic
from tests.frontends.midi.controller import controller, jack_server, note
from tests.waiting import eventually

PAD = Wanted(inputs=frozenset({"pad*"}), outputs=frozenset({"pad*"}))
Devices = list[str]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_thread, "SCAN", 0.02)
    monkeypatch.setattr(port_thread, "_AGAIN", (0.05, 0.1))
    monkeypatch.setattr(port_session, "_PORT_AGAIN", (0.05, 0.1))


class Heard:
    """What a MidiPorts tells the loop."""

    def __init__(self, system: Callable[[], Any] = MidiSystem) -> None:
        self.messages: list[Incoming] = []
        self.states: list[PortsState] = []
        self.ports = MidiPorts(self.messages.append, self.states.append, system=system)

    async def __aenter__(self) -> Heard:
        self.ports.want(PAD)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.ports.close()

    @property
    def state(self) -> PortsState:
        return self.ports.state


class Device:
    """A device, as RtMidi shows one: an input and an output of one name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.queue: list[list[int]] = []
        self.sent: list[list[int]] = []


class Library:
    """RtMidi, as far as the driver asks it. It opens ports by their number in the list of the moment, and a port that
    is open stays with its device, whatever else is plugged in.
    """

    RtMidiAPI = type("RtMidiAPI", (), {"UNSPECIFIED": 0, "LINUX_ALSA": 2, "UNIX_JACK": 3})

    def __init__(self, *devices: Device) -> None:
        self.devices = list(devices)
        library = self

        class Port:
            def __init__(self, *_: object) -> None:
                self.device: Device | None = None

            def get_port_count(self) -> int:
                return len(library.devices)

            def get_port_name(self, number: int) -> str:
                return library.devices[number].name

            def open_port(self, number: int, _: str) -> None:
                self.device = library.devices[number]

            def close_port(self) -> None:
                self.device = None

            def ignore_types(self, **_: bool) -> None:
                pass

            def get_message(self) -> tuple[list[int], float]:
                library.poll()
                return (self.device.queue.pop(0) if self.device and self.device.queue else []), 0.0

            def send_message(self, message: list[int]) -> None:
                library.send()
                assert self.device is not None
                self.device.sent.append(message)

        self.RtMidiIn = self.RtMidiOut = Port

    def poll(self) -> None:
        """Fail here."""

    def send(self) -> None:
        """Or here."""


def use(library: Library, monkeypatch: pytest.MonkeyPatch) -> Library:
    monkeypatch.setattr(driver, "_library", lambda: library)
    monkeypatch.setattr(driver, "_interface", lambda: library.RtMidiAPI.UNSPECIFIED)
    return library


def fails(error: Exception, times: int) -> Callable[[], None]:
    left = [times]

    def fail() -> None:
        if left[0] > 0:
            left[0] -= 1
            raise error

    return fail


# Faults


@pytest.mark.parametrize("where", ["poll", "send", "names", "open"])
async def test_a_fault_of_any_kind_is_told_and_everything_is_opened_again(
    where: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pad = Device("pad")
    library = use(Library(pad), monkeypatch)
    async with Heard() as heard:
        await eventually(lambda: heard.state.open_inputs == heard.state.open_outputs == ("pad",))
        fault = fails(ZeroDivisionError("no driver says this"), 2)
        if where in ("poll", "send"):
            monkeypatch.setattr(library, where, fault)
        else:
            method = {"names": "get_port_count", "open": "open_port"}[where]
            inner = getattr(library.RtMidiIn, method)
            monkeypatch.setattr(library.RtMidiIn, method, lambda *given: fault() or inner(*given))
        if where == "send":
            heard.ports.send("pad", bytes([0x90, 1, 1]))
        if where == "open":
            library.devices.append(Device("pad of mine"))
        await eventually(lambda: any(state.system and "no driver says this" in state.system for state in heard.states))
        told = next(state for state in heard.states if state.system)
        assert told.open_inputs == told.open_outputs == ()
        await eventually(lambda: heard.state.system is None and "pad" in heard.state.open_inputs)
        pad.queue.append(note(36))
        await eventually(lambda: [message.data for message in heard.messages] == [bytes(note(36))])
    faults = [record for record in caplog.records if record.exc_info]
    assert len(faults) == 1


async def test_a_fault_that_stays_is_told_once_and_tried_ever_less_often(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    library = use(Library(Device("pad")), monkeypatch)
    made: list[float] = []
    monkeypatch.setattr(library, "poll", fails(OSError("gone mad"), 1_000_000))
    monkeypatch.setattr(port_thread, "_AGAIN", (0.1, 0.4))

    def system() -> MidiSystem:
        made.append(monotonic())
        return MidiSystem()

    async with Heard(system) as heard:
        await asyncio.sleep(1.5)
        assert "gone mad" in (heard.ports.problem or "")
    assert 3 <= len(made) <= 7
    assert len([record for record in caplog.records if record.exc_info]) == 1


async def test_an_output_that_takes_nothing_is_told_and_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pad = Device("pad")
    library = use(Library(pad), monkeypatch)
    async with Heard() as heard:
        await eventually(lambda: heard.state.open_outputs == ("pad",))
        monkeypatch.setattr(library, "send", fails(RuntimeError("MidiOutWinMM::sendMessage: error"), 1))
        heard.ports.send("pad", bytes(note(1)))
        await eventually(lambda: any("took no message" in str(state.trouble) for state in heard.states))
        await eventually(lambda: heard.state.open_outputs == ("pad",) and not heard.state.trouble)
        heard.ports.send("pad", bytes(note(2)))
        await eventually(lambda: pad.sent == [note(2)])
        assert heard.state.open_inputs == ("pad",)


async def test_a_driver_that_hangs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    library = use(Library(Device("pad")), monkeypatch)
    monkeypatch.setattr(port_thread, "_HANGS", 0.1)
    free = threading.Event()
    async with Heard() as heard:
        await eventually(lambda: heard.state.open_inputs)
        assert heard.ports.problem is None
        monkeypatch.setattr(library, "poll", lambda: free.wait(10) and None)
        await eventually(lambda: "has not answered" in (heard.ports.problem or ""))
        free.set()
        await eventually(lambda: heard.ports.problem is None)


async def test_one_message_that_fails_does_not_hold_up_those_behind_it() -> None:
    taken: list[str] = []

    def take(incoming: Incoming) -> None:
        taken.append(incoming.port)
        if incoming.port == "1":
            raise ZeroDivisionError

    handover = Handover(take)
    assert handover.put([Incoming(str(number), b"", 0.0) for number in range(250)])
    assert not handover.put([Incoming("250", b"", 0.0)])
    with pytest.raises(ZeroDivisionError):
        handover.drain()
    await eventually(lambda: len(taken) == 251)
    assert taken == [str(number) for number in range(251)]


def test_a_library_that_is_not_there_is_no_midi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supriya_midi", None)
    monkeypatch.setenv("MIDO_BACKEND", "mido.backends.rtmidi/UNIX_JACK")
    with pytest.raises(NoMidi, match="supriya-midi cannot be loaded"):
        MidiSystem()


# Several of one name


@pytest.mark.parametrize(
    ("names", "own"),
    [
        (["pad", "pad"], ["pad", "pad 2"]),
        (["pad", "keys", "pad", "pad"], ["pad", "keys", "pad 2", "pad 3"]),
        (["pad", "pad", "pad 2"], ["pad", "pad 3", "pad 2"]),
        (["pad 2", "pad 2", "pad"], ["pad 2", "pad 2 2", "pad"]),
    ],
)
def test_no_two_ports_have_one_name(names: list[str], own: list[str]) -> None:
    assert numbered(names) == own


@pytest.mark.posix("the number of a port changes there, and a pattern need not name it")
def test_a_pattern_may_name_one_of_two_or_both() -> None:
    assert [matches("pad", "pad"), matches("pad", "pad 2")] == [True, False]
    assert [matches("pad 2", "pad"), matches("pad 2", "pad 2")] == [False, True]
    assert [matches("pad*", "pad"), matches("pad*", "pad 2")] == [True, True]


async def test_each_of_two_controllers_of_one_name_is_heard_lit_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    left, keys, right = Device("pad"), Device("keys"), Device("pad")
    use(Library(left, keys, right), monkeypatch)
    async with Heard() as heard:
        await eventually(lambda: heard.state.open_inputs == heard.state.open_outputs == ("pad", "pad 2"))
        left.queue.append(note(1))
        right.queue.append(note(2))
        await eventually(lambda: len(heard.messages) == 2)
        assert {(one.port, one.data[1]) for one in heard.messages} == {("pad", 1), ("pad 2", 2)}
        heard.ports.send("pad 2", bytes(note(3)))
        await eventually(lambda: right.sent == [note(3)])
        assert left.sent == []
        assert heard.state.twins == {"pad": ("pad", "pad 2")}
    (told,) = port_troubles({"twins": heard.state.twins})
    assert told.startswith("2 ports are called pad. Here they are pad, pad 2;")


@pytest.mark.parametrize("first", [True, False])
async def test_when_one_of_two_comes_or_goes_none_is_deaf_and_none_is_heard_twice(
    first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = Device("pad"), Device("pad")
    library = use(Library(old), monkeypatch)
    async with Heard() as heard:
        await eventually(lambda: heard.state.open_inputs == ("pad",))
        library.devices = [new, old] if first else [old, new]  # no system says where the next one comes in its list
        await eventually(lambda: heard.state.open_inputs == ("pad", "pad 2"))
        for number, device in enumerate((old, new)):
            device.queue.append(note(number))
        await eventually(lambda: len(heard.messages) == 2)
        assert {one.port for one in heard.messages} == {"pad", "pad 2"}
        library.devices = [new]
        await eventually(lambda: heard.state.open_inputs == ("pad",) and not heard.state.twins)
        new.queue.append(note(9))
        await eventually(lambda: heard.messages[-1].data == bytes(note(9)))
        assert heard.messages[-1].port == "pad"


# A real server


@pytest.mark.needs("jackd", "jackd2")
async def test_a_server_that_ends_is_told_and_the_next_one_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a patient server hangs now and then, where a process that was at the one before connects
    there = threading.Event()
    there.set()

    def system() -> MidiSystem:
        if not there.is_set():  # JACK itself hangs now and then, where somebody connects while it starts
            raise NoMidi("not yet")
        return MidiSystem()

    with jack_server(tmp_path / "jackd.log", "ends", patient=False) as server:
        for name, value in server.env.items():
            monkeypatch.setenv(name, value)
        async with Heard(system) as heard:
            async with controller():
                await eventually(lambda: heard.state.open_inputs == ("pad:out",))
                there.clear()
                # never SIGKILL: it takes one of the eight places that a machine has for servers, for good
                server.process.terminate()
                await asyncio.to_thread(server.process.wait)
                await eventually(lambda: heard.ports.problem is not None)
                assert heard.states[-1].open_inputs == ()
                assert "the JACK server has ended" in [state.system for state in heard.states]
            with pytest.raises(NoMidi, match="no JACK server is running"):
                MidiSystem()
            with jack_server(tmp_path / "jackd2.log", "ends", patient=False):
                there.set()
                async with controller() as keys:
                    await eventually(lambda: heard.state.open_inputs == ("pad:out",))
                    assert heard.ports.problem is None
                    async with asyncio.timeout(20):
                        while not heard.messages:
                            await keys.play(note(1))
                await heard.ports.close()


@pytest.mark.needs("jackd", "jackd2")
@pytest.mark.usefixtures("jack")
async def test_a_clock_that_nobody_wants_does_not_bend_the_times_of_presses() -> None:
    noise = [[0xF8], [0xFE], [0xF0, 1, 2, 0xF7], [0xF1, 0]] * 5
    async with controller() as keys, Heard() as heard:
        await eventually(lambda: heard.state.open_inputs)
        await keys.play(note(1), *noise, note(2), *noise, note(3), gap=0.005)
        await eventually(lambda: len(heard.messages) >= 3)
    assert [one.data[1] for one in heard.messages] == [1, 2, 3], "nothing else is passed on"
    first, second, third = (one.at for one in heard.messages)
    # twenty gaps of 5 ms each; a loaded machine makes them longer, and never shorter
    assert min(second - first, third - second) > 0.09


@pytest.mark.needs("jackd", "jackd2")
@pytest.mark.usefixtures("jack")
async def test_a_port_whose_name_is_no_text_is_a_port_like_any_other() -> None:
    jack = ctypes.CDLL("libjack.so.0")
    jack.jack_client_open.restype = ctypes.c_void_p
    client = ctypes.c_void_p(jack.jack_client_open(b"pad", 1, None))
    flags = ctypes.c_ulong(2)  # JackPortIsOutput
    try:
        assert jack.jack_port_register(client, b"caf\xe9", b"8 bit raw midi", flags, ctypes.c_ulong(0))
        async with Heard() as heard:
            await eventually(lambda: heard.state.open_inputs == ("pad:caf\ufffd",))
            assert heard.ports.problem is None
    finally:
        jack.jack_client_close(client)


def test_a_port_that_was_refused_is_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    library = use(Library(Device("pad")), monkeypatch)

    def refuse(*_: object) -> None:
        raise RuntimeError("MidiInWinMM::openPort: error creating Windows MM MIDI input port.")

    monkeypatch.setattr(library.RtMidiIn, "open_port", refuse)
    system = MidiSystem()
    with pytest.raises(PortTrouble, match="error creating"):
        system.open_input("pad")
    with pytest.raises(PortTrouble, match="gone"):
        system.open_output("keys")
    system.close()


def test_to_look_whether_a_message_waits_takes_none_and_changes_no_order(monkeypatch: pytest.MonkeyPatch) -> None:
    pad = Device("pad")
    use(Library(pad), monkeypatch)
    system = MidiSystem()
    port = system.open_input("pad")
    assert not port.waits()
    pad.queue += [note(1), note(2)]
    assert port.waits()
    assert port.waits()
    assert [port.poll(), port.poll(), port.poll()] == [(bytes(note(1)), 0.0), (bytes(note(2)), 0.0), None]
    port.close()
    system.close()


def test_the_clock_of_the_stamps_is_fine_on_every_system() -> None:
    steps = {after - before for before in [monotonic() for _ in range(2000)] if (after := monotonic()) > before}
    assert min(steps) < 1e-3  # the coarse clock of Windows has steps of 15.6 ms


def test_where_nobody_plays_the_poll_is_rare() -> None:
    assert [port_thread.pause_after(seconds) for seconds in (0.0, 29.0, 31.0, float("inf"))] == [
        0.001,
        0.001,
        0.02,
        0.02,
    ]
