"""OSC as bytes: from datagrams to messages and back.

python-osc parses the messages. The rest is done here, because each of these stops a daemon that leaves it to others:

* Its Dispatcher sleeps until the time tag of a bundle, and turns the sender's address into a regular expression. Here
  time tags are ignored, and an address is only ever looked up as it stands.
* Its OscBundle walks backwards, for ever, where an element says that its size is negative, and nests as deep as the
  sender likes.
* Its OscMessage fills a number that was cut off with zeros, so a message must be exactly as long as it says.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from pythonosc.osc_message import OscMessage, ParseError

#: Bytes of a datagram that is looked at.
LARGEST: Final = 8192
#: Messages of a bundle.
MOST_MESSAGES: Final = 32
#: Values of a message: far more than all keys of the contract together.
MOST_VALUES: Final = 128
_BUNDLE: Final = b"#bundle\0"
_TIME_TAG: Final = 8  # bytes
_TYPES: Final = frozenset("ihfdsTF")
_SIZES: Final = {"i": 4, "f": 4, "h": 8, "d": 8, "T": 0, "F": 0}
_INT32: Final = range(-(2**31), 2**31)
_LONGEST_TEXT: Final = 4096  # characters of a text that is sent


class MalformedPacket(Exception):
    """What came is no OSC message of the contract."""


class Float32(float):
    """A number that came as a float32: exact to about seven digits."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message: what it is about, and its values."""

    address: str
    values: tuple[Any, ...]


def parse(datagram: bytes) -> list[Message]:
    """Return the messages of a datagram. Raises MalformedPacket, whatever the bytes are."""
    if len(datagram) > LARGEST:
        raise MalformedPacket(f"more than {LARGEST} bytes")
    if not datagram.startswith(_BUNDLE):
        return [_message(datagram)]
    return [_message(element) for element in _elements(datagram)]


def _elements(bundle: bytes) -> Iterator[bytes]:
    """Yield what lies in a bundle; whatever its time tag says, that is now."""
    index = len(_BUNDLE) + _TIME_TAG
    if len(bundle) < index:
        raise MalformedPacket("a bundle without a time tag")
    for _ in range(MOST_MESSAGES):
        if index == len(bundle):
            return
        if len(bundle) - index < 4:
            raise MalformedPacket("a bundle that is cut off")
        (size,) = struct.unpack_from(">i", bundle, index)
        index += 4
        if not 0 < size <= len(bundle) - index:
            raise MalformedPacket("an element of a bundle with an impossible size")
        yield bundle[index : index + size]
        index += size
    if index != len(bundle):
        raise MalformedPacket(f"more than {MOST_MESSAGES} messages in a bundle")


def _message(data: bytes) -> Message:
    if not data.startswith(b"/"):
        raise MalformedPacket("neither a message nor a bundle")
    types, begin = _types(data)
    try:
        message = OscMessage(data)
        address, values = message.address, message.params
    except (ParseError, ValueError, IndexError, struct.error) as error:  # python-osc lets a UnicodeDecodeError through
        raise MalformedPacket(str(error)) from error
    if len(values) != len(types) or len(data) != begin + _size(types, values):
        raise MalformedPacket("a message that is cut off, or longer than it says")
    return Message(
        address, tuple(_rounded(value) if kind == "f" else value for kind, value in zip(types, values, strict=True))
    )


def _types(data: bytes) -> tuple[str, int]:
    """Return the type tags and where the values begin; only tags of the contract are left to python-osc."""
    start = _padded(data.find(b"\0"))
    if start == len(data):
        return "", start
    end = data.find(b"\0", start)
    if data[start : start + 1] != b"," or end < 0:
        raise MalformedPacket("a message without type tags")
    types = data[start + 1 : end].decode("latin-1")
    if len(types) > MOST_VALUES:
        raise MalformedPacket(f"more than {MOST_VALUES} values")
    if not _TYPES.issuperset(types):
        raise MalformedPacket("a type that is not one of i h f d s T F")
    return types, start + _padded(end - start)


def _padded(length: int) -> int:
    """Return how many bytes a text of so many takes, with its end."""
    return (length // 4 + 1) * 4


def _size(types: str, values: list[Any]) -> int:
    """Return how many bytes the values take."""
    return sum(
        _padded(len(value.encode())) if kind == "s" else _SIZES[kind] for kind, value in zip(types, values, strict=True)
    )


def _rounded(value: float) -> Float32:
    """Return the shortest decimal number that is this float32: 0.7, where the bits say 0.699999988079071."""
    bits = struct.pack(">f", value)
    for digits in (6, 7, 8):
        shorter = float(f"{value:.{digits}g}")
        try:
            if struct.pack(">f", shorter) == bits:
                return Float32(shorter)
        except OverflowError:  # rounded up beyond the largest float32
            continue
    return Float32(f"{value:.9g}")


def build(address: str, pairs: Mapping[str, Any]) -> bytes:
    """Return a message of key, value pairs. What is None is left out.

    Max knows int32, float32 and text only, and a float32 is not exact: so numbers that are no int32 go as decimal text,
    Float32 as what it is, and true and false as 1 and 0.
    """
    types, values = ",", b""
    for key, value in pairs.items():
        if value is None:
            continue
        values += _string(key)
        if isinstance(value, Float32):
            types, values = types + "sf", values + struct.pack(">f", value)
        elif isinstance(value, int) and int(value) in _INT32:
            types, values = types + "si", values + struct.pack(">i", value)
        else:
            types, values = types + "ss", values + _string(_text(value))
    return _string(address) + _string(types) + values


def _string(text: str) -> bytes:
    data = text.encode()
    return data.ljust(_padded(len(data)), b"\0")


def _text(value: Any) -> str:
    text = decimal(value) if isinstance(value, int | float) else str(value)
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:_LONGEST_TEXT]


def decimal(value: float) -> str:
    """Return a number as decimal text, to its last digit and without an exponent, which not every script reads."""
    if isinstance(value, int):
        return str(value)
    text = format(Decimal(repr(value)), "f")
    return text.removesuffix(".0")
