"""The Max objects that the devices are made of: how many inlets and outlets each has, and what comes out of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Shape:
    """Inlets and the types of the outlets, as Max writes them into a patcher."""

    inlets: int
    outlets: tuple[str, ...]


_ANY: Final = ""

#: Objects with a box of their own on the panel or in the patcher.
UI: Final = {
    "comment": Shape(1, ()),
    "live.comment": Shape(1, ()),
    "live.dial": Shape(1, (_ANY, "float")),
    "live.menu": Shape(1, (_ANY, _ANY, "float")),
    "live.numbox": Shape(1, (_ANY, "float")),
    "live.text": Shape(1, (_ANY, _ANY)),
    "live.toggle": Shape(1, (_ANY,)),
    "multislider": Shape(1, (_ANY, _ANY)),
    "panel": Shape(1, ()),
    "textedit": Shape(1, (_ANY, "int", _ANY, _ANY)),
    "umenu": Shape(1, ("int", _ANY, _ANY)),
}

#: Objects that are typed into a box. Where the arguments decide about the shape, see :func:`typed`.
TYPED: Final = {
    "deferlow": Shape(1, (_ANY,)),
    "js": Shape(1, (_ANY,)),
    "live.thisdevice": Shape(1, ("bang", "int", "int")),
    "midiin": Shape(1, ("int",)),
    "midiout": Shape(1, ()),
    "pattr": Shape(1, (_ANY, _ANY, _ANY)),
    "plugin~": Shape(2, ("signal", "signal")),
    "plugphasor~": Shape(1, ("signal", "list")),
    "plugout~": Shape(2, ("signal", "signal")),
    "prepend": Shape(1, (_ANY,)),
    "route": Shape(2, (_ANY, _ANY)),
    "sfplay~": Shape(2, ("signal", "signal", "bang")),
    "sfrecord~": Shape(1, ("signal",)),
    "tapin~": Shape(1, ("tapconnect",)),
    "tapout~": Shape(1, ("signal",)),
    "trigger": Shape(1, (_ANY, _ANY)),
    "udpreceive": Shape(1, (_ANY,)),
    "udpsend": Shape(1, ()),
}


def typed(text: str, *, outlets: int | None = None) -> Shape:
    """Return the shape of a typed object. ``outlets`` is for [js], whose script says how many it has."""
    name, *arguments = text.split()
    words = [word for word in arguments if not word.startswith("@")]
    if name == "route":
        return Shape(len(words) + 1, (_ANY,) * (len(words) + 1))
    if name == "trigger":
        return Shape(1, tuple("bang" if word == "b" else _ANY for word in words))
    if name == "sfrecord~":
        return Shape(int(words[0]), ("signal",))
    if name == "js" and outlets is not None:
        return Shape(1, (_ANY,) * outlets)
    return TYPED[name]
