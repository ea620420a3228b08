"""From MIDI messages to gestures of one binding: presses, releases, values of a knob, steps of an encoder. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from bridge_daemon.settings.sections import Binding

if TYPE_CHECKING:
    import mido  # loaded with the first port, no start waits for it

#: The value from which on a switch counts as on, if the binding does not say (as the MIDI specification has it).
SWITCH_ON: Final = 64
#: The fine half of a controller stands so far behind its coarse half.
_FINE: Final = 32


class GestureKind(Enum):
    """What somebody did."""

    PRESS = "press"
    RELEASE = "release"
    #: A knob or fader was moved to a value.
    VALUE = "value"
    #: An encoder was turned by so many steps.
    STEP = "step"
    #: A press whose velocity or program the binding leaves out.
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class Gesture:
    """Something that was done on a controller, as one binding sees it."""

    kind: GestureKind
    value: int  # velocity, value, program, or steps (which may be negative)
    most: int  # what the value is at most: 127 or 16383
    channel: int  # 1 to 16
    number: int

    def fraction(self, low: int | None, high: int | None) -> float:
        """Return where the value stands between ``low`` and ``high`` (0..127, None: the whole range), 0..1."""
        unit = self.most / 127
        least, greatest = (low or 0) * unit, (127 if high is None else high) * unit
        if greatest <= least:
            return 1.0
        return min(1.0, max(0.0, (self.value - least) / (greatest - least)))


class Decoder:
    """Reads the messages of one port for one binding."""

    def __init__(self, binding: Binding) -> None:
        """Nothing was moved yet."""
        self._binding = binding
        self._low, self._high = _range(binding)
        self._knob = binding.action == "set"
        self._coarse: dict[tuple[int, int], int] = {}
        self._fine: dict[tuple[int, int], int] = {}
        self._on: dict[tuple[int, int], int] = {}  # switches that are on, and the value that they sent

    def take(self, message: mido.Message) -> Gesture | None:
        """Return what a message means to the binding; None: nothing."""
        kind = message.type
        if self._binding.message == "note_on":
            return self._note(message) if kind in ("note_on", "note_off") else None
        if self._binding.message == "control_change":
            return self._control(message) if kind == "control_change" else None
        return self._program(message) if kind == "program_change" else None

    def _is_mine(self, channel: int, number: int) -> bool:
        binding = self._binding
        return binding.channel in (None, channel) and binding.number in (None, number)

    def _inside(self, value: int) -> bool:
        return self._low <= value <= self._high

    def _note(self, message: mido.Message) -> Gesture | None:
        channel, number, velocity = message.channel + 1, message.note, message.velocity
        if not self._is_mine(channel, number):
            return None
        if message.type == "note_off" or velocity == 0:
            return Gesture(GestureKind.RELEASE, 0, 127, channel, number)
        if not self._inside(velocity):
            return Gesture(GestureKind.OUTSIDE, velocity, 127, channel, number)
        return Gesture(GestureKind.VALUE if self._knob else GestureKind.PRESS, velocity, 127, channel, number)

    def _program(self, message: mido.Message) -> Gesture | None:
        channel, program = message.channel + 1, message.program
        if not self._is_mine(channel, program):
            return None
        kind = (
            GestureKind.OUTSIDE if not self._inside(program) else GestureKind.VALUE if self._knob else GestureKind.PRESS
        )
        return Gesture(kind, program, 127, channel, program)

    def _control(self, message: mido.Message) -> Gesture | None:
        channel, control, value, most = message.channel + 1, message.control, message.value, 127
        if self._binding.bits == 14:
            joined = self._join(channel, control, value)
            if joined is None:
                return None
            control, value = joined
            most = 16_383
        if not self._is_mine(channel, control):
            return None
        if self._binding.mode == "relative":
            steps = steps_of(value, self._binding.bits, self._binding.encoding)
            return Gesture(GestureKind.STEP, steps, most, channel, control) if steps else None
        coarse = value if most == 127 else value >> 7
        if self._knob:
            return Gesture(GestureKind.VALUE, value, most, channel, control) if self._inside(coarse) else None
        return self._switch(channel, control, coarse)

    def _switch(self, channel: int, control: int, value: int) -> Gesture | None:
        """Read a control change as a switch: on when it comes into the range, off when it leaves it.

        Where it is on already, the same value once more is another press, of a button that never says that it was let
        go; another value is a knob that is turned on, or the pressure of a finger.
        """
        key = (channel, control)
        before = self._on.get(key)
        if not self._inside(value):
            if before is not None:
                del self._on[key]
                return Gesture(GestureKind.RELEASE, value, 127, channel, control)
            return None
        self._on[key] = value
        if before is None or before == value:
            return Gesture(GestureKind.PRESS, value, 127, channel, control)
        return None

    def _join(self, channel: int, control: int, value: int) -> tuple[int, int] | None:
        """Join the coarse and the fine half of a controller: its number and its value; None: half of it is missing.

        The coarse half comes first and sets the fine one to 0, as the specification says; one that did not change
        leaves it alone.
        """
        if control >= 2 * _FINE:
            return None
        number = control % _FINE
        key = (channel, number)
        if control < _FINE:
            if self._coarse.get(key) != value:
                self._fine[key] = 0
            self._coarse[key] = value
        elif key in self._coarse:
            self._fine[key] = value
        else:
            return None
        return number, self._coarse[key] << 7 | self._fine[key]


def _range(binding: Binding) -> tuple[int, int]:
    """Return the values that count."""
    least = 0
    if binding.message == "note_on":
        least = 1
    elif binding.message == "control_change" and binding.action != "set":
        least = SWITCH_ON if binding.high is None else min(SWITCH_ON, binding.high)
    return (least if binding.low is None else binding.low), (127 if binding.high is None else binding.high)


def steps_of(value: int, bits: int, encoding: str) -> int:
    """Return by how many steps an encoder was turned; to the right is positive.

    ``twos_complement``: 1, 2 … and 127, 126 …; ``binary_offset``: 65, 66 … and 63, 62 …; ``sign_bit``: 1, 2 … and
    65, 66 … (of 7 bits; those of 14 bits accordingly).
    """
    half = 1 << (bits - 1)
    if encoding == "binary_offset":
        return value - half
    if encoding == "sign_bit":
        return value if value < half else half - value
    return value if value < half else value - 2 * half


def encoding_of(right: list[int], left: list[int]) -> str | None:
    """Tell the encoding of a 7 bit encoder from what it sent while it was turned to the right, and then to the left."""
    for encoding in ("twos_complement", "binary_offset", "sign_bit"):
        up = [steps_of(value, 7, encoding) for value in right]
        down = [steps_of(value, 7, encoding) for value in left]
        # nobody turns by more than a few steps between two messages
        if up and down and all(0 < step < 32 for step in up) and all(-32 < step < 0 for step in down):
            return encoding
    return None
