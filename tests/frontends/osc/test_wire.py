"""OSC as bytes: what is read, what is refused, and what others read of what we write."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pythonosc.osc_message import OscMessage

from bridge_daemon.domain.parameters import by_name
from bridge_daemon.domain.request import Place, Request, Source
from bridge_daemon.frontends.osc import wire
from bridge_daemon.frontends.osc.keys import FLAGS, NUMBERS, REQUEST_KEYS, WHOLES, read, request_of
from bridge_daemon.frontends.osc.wire import Float32, MalformedPacket, Message, build, decimal, parse
from tests.frontends.osc.caller import Typed, message

NOW = bytes(7) + b"\1"
FUTURE = struct.pack(">II", 0xF0000000, 0)


def bundle(*elements: bytes, tag: bytes = NOW) -> bytes:
    return b"#bundle\0" + tag + b"".join(struct.pack(">i", len(element)) + element for element in elements)


PING = message("/bridge/ping")
MANY = [message("/a", "key", number) for number in range(wire.MOST_MESSAGES)]


def test_a_message_is_read_with_all_its_types() -> None:
    data = message("/x", 1, Typed(("h", 2**40)), Typed(("f", 0.7)), 0.7, "text", True, False)
    assert parse(data) == [Message("/x", (1, 2**40, 0.7, 0.7, "text", True, False))]
    assert isinstance(parse(data)[0].values[2], Float32)
    assert not isinstance(parse(data)[0].values[3], Float32)


@pytest.mark.parametrize("data", [b"/x\0\0", b"/x\0\0,\0\0\0", b"/xyz\0\0\0\0"])
def test_a_message_may_have_no_values(data: bytes) -> None:
    assert parse(data)[0].values == ()


@pytest.mark.parametrize(
    "value",
    [
        0.7,
        0.1,
        0.58,
        1 / 3,
        12.5,
        0.0,
        -0.0,
        1.0,
        190.0,
        0.5,
        7.25,
        120.0,
        44.1,
        1e-7,
        123456.7,
        16777216.0,
        -3.3,
        1e10,
    ],
)
def test_a_float32_is_the_shortest_number_that_it_can_be(value: float) -> None:
    (found,) = parse(message("/x", Typed(("f", value))))[0].values
    assert struct.pack(">f", found) == struct.pack(">f", value)  # the very same bits
    if len(f"{abs(value):.9g}".replace(".", "")) < 8:
        assert found == value
        assert repr(float(found)) == repr(value)
    assert len(repr(float(found))) <= len(repr(struct.unpack(">f", struct.pack(">f", value))[0]))


@given(st.floats(width=32))
@example(3.4028234663852886e38)
@example(1.401298464324817e-45)
def test_every_float32_is_kept(value: float) -> None:
    (found,) = parse(b"/x\0\0,f\0\0" + struct.pack(">f", value))[0].values
    assert math.isnan(found) if math.isnan(value) else struct.pack(">f", found) == struct.pack(">f", value)


def test_bundles_are_read_whatever_their_time_tag_says() -> None:
    assert parse(bundle()) == []
    assert [m.address for m in parse(bundle(PING, message("/b", "k", 1), tag=FUTURE))] == ["/bridge/ping", "/b"]
    assert len(parse(bundle(*MANY))) == wire.MOST_MESSAGES


BAD = {
    "empty": b"",
    "no slash": b"bridge\0\0,\0\0\0",
    "no end of the address": b"/bridge/ping",
    "no comma": b"/x\0\0i\0\0\0\0\0\0\1",
    "no end of the types": b"/x\0\0,iii",
    "an int cut off": b"/x\0\0,i\0\0\0\0\0",
    "a float cut off, which python-osc fills with zeros": b"/x\0\0,f\0\0",
    "half a float": b"/x\0\0,f\0\0\x3f\x80",
    "a text without end": b"/x\0\0,s\0\0abcd",
    "something behind it": message("/x", 1) + b"\0\0\0\0",
    "not UTF-8": b"/x\0\0,s\0\0\xff\xfe\0\0",
    "an address that is not UTF-8": b"/\xff\xfe\0,\0\0\0",
    "a blob": message("/x", b"abcd"),
    "a blob of a negative size": b"/x\0\0,b\0\0" + struct.pack(">i", -8),
    "nil": message("/x", None),
    "an impulse": b"/x\0\0,I\0\0",
    "an array": message("/x", [1, 2]),
    "a time": b"/x\0\0,t\0\0" + NOW,
    "a colour": b"/x\0\0,r\0\0\0\0\0\0",
    "more values than there are keys": message("/x", *range(wire.MOST_VALUES + 1)),
    "too large": message("/x", "s" * wire.LARGEST),
    "a bundle without a time tag": b"#bundle\0\0\0",
    "a bundle cut off": bundle(PING)[:-4],
    "a bundle with half a size": bundle(PING) + b"\0\0",
    "an element of a negative size, which python-osc walks for ever": b"#bundle\0" + NOW + struct.pack(">i", -4),
    "an element of no size": b"#bundle\0" + NOW + bytes(8),
    "an element larger than the rest": b"#bundle\0" + NOW + struct.pack(">i", 2**30) + PING,
    "a bundle in a bundle": bundle(bundle(PING)),
    "a bundle too full": bundle(*MANY, PING),
    "a good message beside a bad one": bundle(PING, b"nothing\0"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_none_is_refused_whole(name: str) -> None:
    with pytest.raises(MalformedPacket):
        parse(BAD[name])


def test_bundles_as_deep_as_they_fit_are_refused_at_once() -> None:
    deep = PING
    while len(deep) + 20 <= wire.LARGEST:
        deep = bundle(deep)
    with pytest.raises(MalformedPacket):
        parse(deep)


@settings(max_examples=400)
@given(st.binary(max_size=400))
def test_no_bytes_do_anything_but_be_read_or_refused(data: bytes) -> None:
    for each in (data, b"/x\0\0," + data, b"#bundle\0" + NOW + data):
        try:
            for found in parse(each):
                read(found.values)
        except MalformedPacket:
            pass


@settings(max_examples=200)
@given(st.data())
def test_a_changed_message_does_nothing_worse(data: st.DataObject) -> None:
    good = bytearray(bundle(message("/bridge/generate", "secret", "s" * 64, "prompt", "rain", "strength", 0.5, "n", 1)))
    for _ in range(data.draw(st.integers(1, 6))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        for found in parse(bytes(good)):
            read(found.values)
    except MalformedPacket:
        pass


# What we write

SENT = {
    "i": (7, 7),
    "least": (-(2**31), -(2**31)),
    "h": (2**31, "2147483648"),
    "float": (12.5, "12.5"),
    "exact": (0.1 + 0.2, "0.30000000000000004"),
    "whole float": (3.0, "3"),
    "tiny": (1.5e-7, "0.00000015"),
    "true": (True, 1),
    "text": ("Größe ✓", "Größe ✓"),
    "empty": ("", ""),
    "f": (Float32(0.25), 0.25),
    "nul": ("a\0b", "ab"),
    "lone surrogate": ("a\udcff", "a?"),
}


@pytest.mark.parametrize("name", SENT)
def test_others_read_what_we_write(name: str) -> None:
    value, seen = SENT[name]
    found = OscMessage(build("/bridge/x", {"key": value, "nothing": None}))
    assert (found.address, found.params) == ("/bridge/x", ["key", seen])
    assert type(found.params[1]) is type(seen)
    assert parse(found.dgram)[0].values == ("key", seen)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_decimal_text_is_exact(value: float) -> None:
    assert float(decimal(value)) == value
    assert "e" not in decimal(value)


# Keys

CONVERTED = [
    ("duration", 12, 12),
    ("duration", Float32(0.7), 0.7),
    ("duration", "12.5", 12.5),
    ("duration", " 12 ", 12),
    ("duration", "+.5", 0.5),
    ("duration", "1e1", 10.0),
    ("duration", "12,5", "12,5"),
    ("duration", "nan", "nan"),
    ("duration", "1_0", "1_0"),
    ("duration", "٣", "٣"),
    ("duration", "9" * 5000, "9" * 5000),
    ("duration", True, True),
    ("steps", 50.0, 50),
    ("steps", "50", 50),
    ("steps", "50.0", 50),
    ("steps", 50.5, 50.5),
    ("seed", "2147483647", 2147483647),
    ("seed", Float32(16777216.0), 16777216),
    ("again", True, True),
    ("again", 1, True),
    ("again", 0.0, False),
    ("again", "TRUE", True),
    ("again", "false", False),
    ("again", "yes", "yes"),
    ("again", 2, 2),
    ("prompt", "rain", "rain"),
    ("prompt", 808, "808"),
    ("track", 2, "2"),
    ("track", True, True),
]


@pytest.mark.parametrize(("key", "came", "means"), CONVERTED)
def test_values_are_read_as_what_their_key_is(key: str, came: object, means: object) -> None:
    fields = read([key, came])
    assert fields.data == {key: means}
    assert type(fields.data[key]) is type(means)
    assert fields.faults == []


@pytest.mark.parametrize(
    ("values", "field", "says"),
    [
        (["seed", Float32(123456792.0)], "seed", "float32"),
        (["prompt"], "prompt", "no value"),
        ([7, "x"], "value 1", "must be a key"),
        (["prompt", "a", "prompt", "b"], "prompt", "twice"),
        (["secret", "a", "secret", "b"], "secret", "twice"),
    ],
)
def test_what_is_wrong_with_the_pairs_is_named(values: list[object], field: str, says: str) -> None:
    (fault,) = read(values).faults
    assert fault.field == field
    assert says in fault.allowed


def test_the_secret_is_in_nothing_that_may_be_shown() -> None:
    for values in (["secret", "SESAME"], ["secret", "SESAME", "secret", "SESAME"], ["prompt", "x", "secret", "SESAME"]):
        fields = read(values)
        assert fields.secret == "SESAME"
        assert "SESAME" not in str(fields.data) + " ".join(map(str, fields.faults))


def test_a_request_is_put_together() -> None:
    data = {"id": "x", "prompt": "p", "file": "/a.wav", "start": 1, "end": 2.5, "track": "t", "position": 3, "odd": 1}
    assert request_of(data, "transform") == {
        "version": 1,
        "action": "transform",
        "id": "x",
        "prompt": "p",
        "odd": 1,
        "source": {"path": "/a.wav", "start": 1, "end": 2.5},
        "place": {"track": "t", "position": 3},
    }
    assert request_of({"version": 2}, None) == {"version": 2}


def test_every_key_of_a_request_has_its_kind() -> None:
    """A field that is added to a request cannot be forgotten here."""
    models = {name: field for model in (Request, Source, Place) for name, field in model.model_fields.items()}
    for name, field in models.items():
        parameter = by_name().get(name)
        if name in ("source", "place", "path", "mix") or (parameter is not None and parameter.kind == "choice"):
            continue
        assert name in REQUEST_KEYS
        kind = str(field.annotation) + str(field.metadata)
        expected = "bool" in kind, "float" in kind, "int" in kind and "float" not in kind
        assert (name in FLAGS, name in NUMBERS, name in WHOLES) == expected, (name, kind)
