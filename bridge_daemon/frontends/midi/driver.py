"""The MIDI ports of this machine: a thin layer over supriya-midi (RtMidi 6), without any of its callbacks.

Libraries that were tried, and what they lack:

* python-rtmidi 1.5.8: wheels for Python 3.13 and later, on every system. mido's own ports need it.
* rtmidi2 1.5.0: exceptions. Where the driver refuses a port (another program has it), the whole process is aborted.
  No wheels for ARM on Linux and Windows, and no names for ports of ours.
* pylibremidi 5.4.3: the names that RtMidi gives to ports (patterns in everybody's settings would fit no more), and a
  limit to its queue.

supriya-midi numbers every release as a beta; it has wheels for Python 3.11 to 3.14 on Linux, macOS and Windows, x86-64
and ARM. It is loaded when MIDI is first wanted, and where that fails there is no MIDI.

Inputs are polled: a Python callback, also one for errors, deadlocks when its port is closed while messages arrive (the
closing thread holds the interpreter's lock and waits for the driver's thread, which waits for that lock). RtMidi's own
filters stay off: it counts the time since the message before, also since one that it then drops, so the time of the
message after that would be wrong.
Which of the system's MIDI interfaces is used is chosen as mido does it: MIDO_BACKEND=mido.backends.rtmidi/NAME.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

#: Our name among the programs that use MIDI; our own ports start with it, and are never taken for a controller.
CLIENT: Final = "daw-bridge"
#: Messages that a port keeps while nobody fetches them.
_QUEUE: Final = 16_384
_BACKEND: Final = "mido.backends.rtmidi"
_SYSTEM: Final = platform.system()
_SEQUENCER: Final = Path("/dev/snd/seq")
#: ALSA ends a name with the numbers of client and port, Windows with the number of the device; both change.
_NUMBERS: Final = re.compile(r" \d+(:\d+)?$")
_LIBJACK: Final = "libjack.so.0"
_NO_START: Final = 1  # JackNoStartServer


class NoMidi(Exception):
    """This machine has no MIDI that could be used. A normal state."""


class PortTrouble(Exception):
    """A port cannot be used: most often another program has it."""


def _library() -> Any:
    """Return RtMidi. Raises NoMidi."""
    if _SYSTEM == "Linux":
        # The wheel's own JACK library understands servers of 2012 only. The system's, if there is one, takes its
        # place if it is loaded first and for everybody.
        with suppress(OSError):
            ctypes.CDLL(_LIBJACK, mode=ctypes.RTLD_GLOBAL)
    try:
        from supriya_midi import rtmidi_ext
    except ImportError as error:  # no wheel for this machine, or a system library that it needs is missing
        raise NoMidi(f"the library supriya-midi cannot be loaded ({_words(error)})") from error
    return rtmidi_ext


def _interface() -> Any:
    """Return the interface to use, a member of RtMidiAPI. Raises NoMidi."""
    backend, _, name = os.environ.get("MIDO_BACKEND", _BACKEND).partition("/")
    if backend != _BACKEND:
        raise NoMidi(f"MIDO_BACKEND asks for {backend}, and only {_BACKEND} is there")
    if not name and _SYSTEM == "Linux" and not _SEQUENCER.exists():
        # asked first: the library writes to the terminal when it fails
        raise NoMidi(f"this machine has no {_SEQUENCER} (no sound in the kernel, or a container)")
    rtmidi = _library()
    wanted = name or ("LINUX_ALSA" if _SYSTEM == "Linux" else "UNSPECIFIED")
    found = getattr(rtmidi.RtMidiAPI, wanted, None)
    if found is None or (name and found not in rtmidi.RtMidi.get_compiled_api()):
        raise NoMidi(f"MIDO_BACKEND asks for {name}, which is not there")
    return found


class _JackServer:
    """A connection that tells whether the JACK server is still the one that our other connections are to.

    RtMidi shows the ports of a server that has ended as if they were there, and closing a connection to it after a new
    one was made ends the process.
    """

    def __init__(self) -> None:
        """Connect. Raises NoMidi."""
        try:
            self._jack = ctypes.CDLL(_LIBJACK)
        except OSError as error:
            raise NoMidi(f"the JACK library cannot be loaded ({error})") from error
        self._jack.jack_client_open.restype = ctypes.c_void_p
        self._jack.jack_get_client_name.restype = ctypes.c_char_p
        self._jack.jack_get_uuid_for_client_name.restype = ctypes.c_void_p
        self._client = ctypes.c_void_p(self._jack.jack_client_open(f"{CLIENT}-watch".encode(), _NO_START, None))
        if not self._client:
            raise NoMidi("no JACK server is running")
        self._name = ctypes.c_char_p(self._jack.jack_get_client_name(self._client))

    def check(self) -> None:
        """Raise NoMidi if the server has ended."""
        number = ctypes.c_void_p(self._jack.jack_get_uuid_for_client_name(self._client, self._name))
        if not number:
            raise NoMidi("the JACK server has ended")
        self._jack.jack_free(number)

    def close(self) -> None:
        """Disconnect; every other connection was closed before."""
        self._jack.jack_client_close(self._client)


class _Connection:
    """One object of RtMidi."""

    def __init__(self, kind: Any, *arguments: object) -> None:
        """Connect. Raises NoMidi."""
        try:
            self.midi = kind(*arguments)
        except RuntimeError as error:
            raise NoMidi(_words(error)) from error

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a method of it. Raises PortTrouble if the driver refuses."""
        try:
            function(*arguments)
        except RuntimeError as error:
            raise PortTrouble(_words(error)) from error

    def names(self) -> dict[int, str]:
        """Return the names of the ports that are not our own, by their number."""
        found = {number: self._name(number) for number in range(self.midi.get_port_count())}
        return {number: name for number, name in found.items() if name and not name.startswith(CLIENT)}

    def _name(self, number: int) -> str:
        try:
            return str(self.midi.get_port_name(number))
        except UnicodeDecodeError as error:  # drivers hand on whatever a device calls itself
            return error.object.decode(errors="replace")

    def close(self) -> None:
        """Close its port, and disconnect."""
        self.midi.close_port()
        del self.midi


class InputPort:
    """An open input."""

    def __init__(self, connection: _Connection, let_go: Callable[[_Connection], None]) -> None:
        self._connection = connection
        self._let_go = let_go
        self._get_message = connection.midi.get_message
        self._next: tuple[list[int], float] | None = None
        while self.poll() is not None:  # of the port that this connection had before
            pass

    def waits(self) -> bool:
        """Return whether a message waits. This is asked some hundred times a second."""
        if self._next is None:
            message = self._get_message()
            if not message[0]:
                return False
            self._next = message
        return True

    def poll(self) -> tuple[bytes, float] | None:
        """Return the next message and the seconds since the one before it, None if none has come."""
        message, self._next = self._next or self._get_message(), None
        data, since = message
        return (bytes(data), since) if data else None

    def close(self) -> None:
        """Close it and forget what waits in it."""
        del self._get_message  # it holds the object of RtMidi, which leaves the system when nothing does
        self._let_go(self._connection)


class OutputPort:
    """An open output."""

    def __init__(self, connection: _Connection, let_go: Callable[[_Connection], None]) -> None:
        self._connection = connection
        self._let_go = let_go

    def send(self, data: bytes) -> None:
        """Send one message. Raises PortTrouble."""
        self._connection.call(self._connection.midi.send_message, list(data))

    def close(self) -> None:
        """Close it."""
        self._let_go(self._connection)


class _Side:
    """The inputs or the outputs: the connection that tells their names, which is also the first port that is opened.

    Some systems wake each connection with every period of their audio, so there are no more of them than are needed.
    """

    def __init__(self, connect: Callable[[], _Connection]) -> None:
        """Connect. Raises NoMidi."""
        self._connect = connect
        self._first = connect()
        self._first_is_open = False

    def names(self) -> dict[str, str]:
        """Return the ports by names of which no two are the same, each with the name that the system gives it."""
        names = list(self._first.names().values())
        return dict(zip(numbered(names), names, strict=True))

    def open(self, name: str, own: str) -> _Connection:
        """Open a port. Raises PortTrouble."""
        try:
            connection = self._connect() if self._first_is_open else self._first
        except NoMidi as error:
            raise PortTrouble(str(error)) from error
        try:
            found = connection.names()
            number = dict(zip(numbered(list(found.values())), found, strict=True)).get(name)
            if number is None:
                raise PortTrouble("it is gone")
            connection.call(connection.midi.open_port, number, own)
        except PortTrouble:
            connection.midi.close_port()
            if connection is not self._first:
                connection.close()
            raise
        self._first_is_open = True
        return connection

    def let_go(self, connection: _Connection) -> None:
        """Close what :meth:`open` returned."""
        if connection is self._first:
            connection.midi.close_port()
            self._first_is_open = False
        else:
            connection.close()

    def close(self) -> None:
        """Disconnect; what was opened was let go before."""
        self._first.close()


class MidiSystem:
    """The ports that there are, and the way to open them. Not for several threads at once."""

    def __init__(self) -> None:
        """Connect to the system. Raises NoMidi."""
        self._interface = _interface()
        self._jack = _JackServer() if self._interface == _library().RtMidiAPI.UNIX_JACK else None
        self._outputs: _Side | None = None
        try:
            self._inputs = _Side(lambda: self._connect("RtMidiIn", _QUEUE))
        except NoMidi:
            self._close_jack()
            raise

    def _connect(self, kind: str, *more: object) -> _Connection:
        self._check()
        connection = _Connection(getattr(_library(), kind), self._interface, CLIENT, *more)
        try:
            self._check()  # RtMidi would connect once more with its next call, beside what is left of the others
        except NoMidi:
            connection.close()
            raise
        return connection

    def _check(self) -> None:
        if self._jack is not None:
            self._jack.check()

    def _out(self) -> _Side:
        if self._outputs is None:
            self._outputs = _Side(lambda: self._connect("RtMidiOut"))
        return self._outputs

    def inputs(self) -> dict[str, str]:
        """Return the inputs that are not our own, each with the name that the system gives it. Raises NoMidi."""
        self._check()
        return self._inputs.names()

    def outputs(self) -> dict[str, str]:
        """Return the outputs that are not our own, each with the name that the system gives it. Raises NoMidi."""
        self._check()
        return self._out().names()

    def open_input(self, name: str) -> InputPort:
        """Open an input by its name, to hear everything. Raises PortTrouble."""
        connection = self._inputs.open(name, "pads")
        connection.midi.ignore_types(sysex=False, timing=False, active_sense=False)
        return InputPort(connection, self._inputs.let_go)

    def open_output(self, name: str) -> OutputPort:
        """Open an output by its name. Raises PortTrouble."""
        side = self._out()
        return OutputPort(side.open(name, "lights"), side.let_go)

    def close(self) -> None:
        """Leave the system; ports that were opened were closed before."""
        self._inputs.close()
        if self._outputs is not None:
            self._outputs.close()
        self._close_jack()

    def _close_jack(self) -> None:
        if self._jack is not None:
            self._jack.close()


def _words(error: Exception) -> str:
    return str(error).strip().rstrip(".") or type(error).__name__


def numbered(names: list[str]) -> list[str]:
    """Return names of which no two are the same: the second "pad" becomes "pad 2"."""
    found: list[str] = []
    for name in names:
        own, number = name, 1
        while own in found or (number > 1 and own in names):
            number += 1
            own = f"{name} {number}"
        found.append(own)
    return found


def bare(name: str) -> str:
    """Return the name of a port without the numbers that change when it is plugged in again."""
    if _SYSTEM == "Linux":
        return re.sub(r" \d+:\d+$", "", name)
    return _NUMBERS.sub("", name) if _SYSTEM == "Windows" else name


def matches(pattern: str, name: str) -> bool:
    """Return whether a port is meant by a pattern: ``*`` and ``?`` stand for anything, upper and lower case are one.

    The numbers that change when a device is plugged in again need not be written.
    """
    wanted = re.compile(
        "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern), re.IGNORECASE | re.DOTALL
    )
    return wanted.fullmatch(name) is not None or wanted.fullmatch(bare(name)) is not None
