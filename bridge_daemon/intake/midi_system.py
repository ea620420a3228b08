"""The MIDI ports of this machine: a thin layer over python-rtmidi, without any of its callbacks.

A Python callback deadlocks when its port is closed while messages arrive (the closing thread holds the interpreter's
lock and waits for the driver's thread, which waits for that lock), and mido's own inputs always set one. So inputs are
polled. Which of the system's MIDI interfaces is used is chosen as mido does it: MIDO_BACKEND=mido.backends.rtmidi/NAME.
"""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any, Final

import rtmidi

#: Our name among the programs that use MIDI; our own ports start with it, and are never taken for a controller.
CLIENT: Final = "daw-bridge"
#: Messages that a port keeps while nobody fetches them.
_QUEUE: Final = 16_384
_BACKEND: Final = "mido.backends.rtmidi"
_SYSTEM: Final = platform.system()
_SEQUENCER: Final = Path("/dev/snd/seq")
#: ALSA ends a name with the numbers of client and port, Windows with the number of the device; both change.
_NUMBERS: Final = re.compile(r" \d+(:\d+)?$")


class NoMidi(Exception):
    """This machine has no MIDI that could be used. A normal state."""


class PortTrouble(Exception):
    """A port cannot be opened: most often another program has it."""


def _interface() -> int:
    """Return the interface to use. Raises NoMidi."""
    backend, _, name = os.environ.get("MIDO_BACKEND", _BACKEND).partition("/")
    if backend != _BACKEND:
        raise NoMidi(f"MIDO_BACKEND asks for {backend}, and only {_BACKEND} is there")
    if name:
        number: int | None = getattr(rtmidi, f"API_{name}", None)
        if number is None or number not in rtmidi.get_compiled_api():
            raise NoMidi(f"MIDO_BACKEND asks for {name}, which is not there")
        return number
    if _SYSTEM == "Linux":
        if not _SEQUENCER.exists():  # asked first: the library writes to the terminal when it fails
            raise NoMidi(f"this machine has no {_SEQUENCER} (no sound in the kernel, or a container)")
        return int(rtmidi.API_LINUX_ALSA)
    return int(rtmidi.API_UNSPECIFIED)


class InputPort:
    """An open input."""

    def __init__(self, midi: Any) -> None:
        self._midi = midi
        self.poll = midi.get_message  # (bytes, s since the message before) or None
        self.clock = False

    def hear_clock(self, clock: bool) -> None:
        """Let clock, time code and system exclusive messages through, or not. Active sensing never is."""
        self._midi.ignore_types(sysex=not clock, timing=not clock, active_sense=True)
        self.clock = clock

    def close(self) -> None:
        """Close it and forget what waits in it."""
        self._midi.close_port()
        self._midi.delete()


class OutputPort:
    """An open output."""

    def __init__(self, midi: Any) -> None:
        self._midi = midi

    def send(self, data: bytes) -> None:
        """Send one message. Raises PortTrouble."""
        try:
            self._midi.send_message(data)
        except (rtmidi.RtMidiError, OSError) as error:
            raise PortTrouble(_words(error)) from error

    def close(self) -> None:
        """Close it."""
        self._midi.close_port()
        self._midi.delete()


class MidiSystem:
    """The ports that there are, and the way to open them. Not for several threads at once."""

    def __init__(self) -> None:
        """Connect to the system. Raises NoMidi."""
        self._interface = _interface()
        self._inputs = self._make(rtmidi.MidiIn, "ports")
        self._outputs: Any = None

    def _make(self, kind: Any, name: str, **more: Any) -> Any:
        try:
            return kind(rtapi=self._interface, name=f"{CLIENT} {name}", **more)
        except (rtmidi.RtMidiError, OSError) as error:
            raise NoMidi(_words(error)) from error

    @property
    def dies(self) -> bool:
        """Whether what we are connected to may end before we do, and tell us no ports from then on."""
        return bool(self._inputs.get_current_api() == rtmidi.API_UNIX_JACK)

    def inputs(self) -> list[str]:
        """Return the names of the inputs, without our own ports. Raises NoMidi."""
        return self._names(self._inputs)

    def outputs(self) -> list[str]:
        """Return the names of the outputs, without our own ports. Raises NoMidi."""
        if self._outputs is None:
            self._outputs = self._make(rtmidi.MidiOut, "ports")
        return self._names(self._outputs)

    def _names(self, midi: Any) -> list[str]:
        try:
            return [name for name in midi.get_ports() if name and not name.startswith(CLIENT)]
        except (rtmidi.RtMidiError, OSError) as error:
            raise NoMidi(_words(error)) from error

    def open_input(self, name: str) -> InputPort:
        """Open an input by its name. Raises PortTrouble."""
        return InputPort(self._open(rtmidi.MidiIn, name, queue_size_limit=_QUEUE))

    def open_output(self, name: str) -> OutputPort:
        """Open an output by its name. Raises PortTrouble."""
        return OutputPort(self._open(rtmidi.MidiOut, name))

    def _open(self, kind: Any, name: str, **more: Any) -> Any:
        try:
            midi = self._make(kind, "lights" if kind is rtmidi.MidiOut else "pads", **more)
        except NoMidi as error:
            raise PortTrouble(str(error)) from error
        try:
            names = midi.get_ports()
            if name not in names:
                raise PortTrouble("it is gone")
            midi.open_port(names.index(name), "in" if kind is rtmidi.MidiIn else "out")
        except PortTrouble:
            midi.delete()
            raise
        except (rtmidi.RtMidiError, OSError) as error:
            midi.delete()
            raise PortTrouble(_words(error)) from error
        return midi

    def close(self) -> None:
        """Leave the system; ports that were opened are closed by whoever opened them."""
        self._inputs.delete()
        if self._outputs is not None:
            self._outputs.delete()


def _words(error: Exception) -> str:
    return str(error).strip().rstrip(".") or type(error).__name__


def bare(name: str) -> str:
    """Return the name of a port without the numbers that change when it is plugged in again."""
    if _SYSTEM == "Linux":
        return re.sub(r" \d+:\d+$", "", name)
    return _NUMBERS.sub("", name) if _SYSTEM == "Windows" else name


def matches(pattern: str, name: str) -> bool:
    """Tell whether a port is meant by a pattern: ``*`` and ``?`` stand for anything, upper and lower case are one.

    The numbers that change when a device is plugged in again need not be written.
    """
    wanted = re.compile(
        "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern), re.IGNORECASE | re.DOTALL
    )
    return wanted.fullmatch(name) is not None or wanted.fullmatch(bare(name)) is not None
