"""The MIDI ports of this machine: a thin layer over python-rtmidi, without any of its callbacks.

A Python callback deadlocks when its port is closed while messages arrive (the closing thread holds the interpreter's
lock and waits for the driver's thread, which waits for that lock), and mido's own inputs always set one. So inputs are
polled. Which of the system's MIDI interfaces is used is chosen as mido does it: MIDO_BACKEND=mido.backends.rtmidi/NAME.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable
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

    def __init__(self, midi: Any, let_go: Callable[[Any], None]) -> None:
        self._midi = midi
        self._let_go = let_go
        self.poll = midi.get_message  # (bytes, s since the message before) or None
        self.clock = True
        self.hear_clock(False)
        while self.poll() is not None:  # of the port that this connection had before
            pass

    def hear_clock(self, clock: bool) -> None:
        """Let clock, time code and system exclusive messages through, or not. Active sensing never is."""
        if self.clock is not clock:
            self._midi.ignore_types(sysex=not clock, timing=not clock, active_sense=True)
            self.clock = clock

    def close(self) -> None:
        """Close it and forget what waits in it."""
        self._midi.close_port()
        self._let_go(self._midi)


class OutputPort:
    """An open output."""

    def __init__(self, midi: Any, let_go: Callable[[Any], None]) -> None:
        self._midi = midi
        self._let_go = let_go

    def send(self, data: bytes) -> None:
        """Send one message. Raises PortTrouble."""
        try:
            self._midi.send_message(data)
        except (rtmidi.RtMidiError, OSError) as error:
            raise PortTrouble(_words(error)) from error

    def close(self) -> None:
        """Close it."""
        self._midi.close_port()
        self._let_go(self._midi)


class _Side:
    """The inputs or the outputs: the connection that tells their names, which is also the first port that is opened.

    Some systems wake each connection with every period of their audio, so there are no more of them than are needed.
    """

    def __init__(self, kind: Any, **more: Any) -> None:
        """Connect. Raises NoMidi."""
        self._kind = kind
        self._more = more
        self.first = self._connect()
        self._first_is_open = False

    def _connect(self) -> Any:
        try:
            return self._kind(name=CLIENT, **self._more)
        except (rtmidi.RtMidiError, OSError) as error:
            raise NoMidi(_words(error)) from error

    def names(self) -> list[str]:
        """Return the names of the ports, without our own. Raises NoMidi."""
        try:
            return [name for name in self.first.get_ports() if name and not name.startswith(CLIENT)]
        except (rtmidi.RtMidiError, OSError) as error:
            raise NoMidi(_words(error)) from error

    def open(self, name: str, own: str) -> Any:
        """Open a port. Raises PortTrouble."""
        try:
            midi = self._connect() if self._first_is_open else self.first
        except NoMidi as error:
            raise PortTrouble(str(error)) from error
        try:
            names = midi.get_ports()
            if name not in names:
                raise PortTrouble("it is gone")
            midi.open_port(names.index(name), own)
        except (PortTrouble, rtmidi.RtMidiError, OSError) as error:
            if midi is not self.first:
                midi.delete()
            raise PortTrouble(_words(error)) from error
        self._first_is_open = self._first_is_open or midi is self.first
        return midi

    def let_go(self, midi: Any) -> None:
        """Take back what :meth:`open` returned, closed."""
        if midi is self.first:
            self._first_is_open = False
        else:
            midi.delete()

    def close(self) -> None:
        """Disconnect; what was opened was let go before."""
        self.first.delete()


class MidiSystem:
    """The ports that there are, and the way to open them. Not for several threads at once."""

    def __init__(self) -> None:
        """Connect to the system. Raises NoMidi."""
        self._interface = _interface()
        self._inputs = _Side(rtmidi.MidiIn, rtapi=self._interface, queue_size_limit=_QUEUE)
        self._outputs: _Side | None = None

    @property
    def dies(self) -> bool:
        """Whether what we are connected to may end before we do, and tell us no ports from then on."""
        return bool(self._inputs.first.get_current_api() == rtmidi.API_UNIX_JACK)

    def _out(self) -> _Side:
        if self._outputs is None:
            self._outputs = _Side(rtmidi.MidiOut, rtapi=self._interface)
        return self._outputs

    def inputs(self) -> list[str]:
        """Return the names of the inputs, without our own ports. Raises NoMidi."""
        return self._inputs.names()

    def outputs(self) -> list[str]:
        """Return the names of the outputs, without our own ports. Raises NoMidi."""
        return self._out().names()

    def open_input(self, name: str) -> InputPort:
        """Open an input by its name. Raises PortTrouble."""
        return InputPort(self._inputs.open(name, "pads"), self._inputs.let_go)

    def open_output(self, name: str) -> OutputPort:
        """Open an output by its name. Raises PortTrouble."""
        side = self._out()
        return OutputPort(side.open(name, "lights"), side.let_go)

    def close(self) -> None:
        """Leave the system; ports that were opened were closed before."""
        self._inputs.close()
        if self._outputs is not None:
            self._outputs.close()


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
