"""What a person sees of a device: each control with its place, its parameter and its info text.

A control's ``message`` is the word under which the script hears of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from max_for_live.patcher import BLOB, Rect

WIDTH: Final = 480

#: Parameter types and visibilities, as Max numbers them.
FLOAT, INT, ENUM = 0, 1, 2
AUTOMATED, STORED, HIDDEN = 0, 1, 2
_INT_UNIT, _FLOAT_UNIT, _CUSTOM_UNIT = 0, 1, 9
_BIPOLAR, _ABSOLUTE = 2, 4
#: A comment in a font of 10: the height with one row, that of each further one, and the pixels left free at either side.
_ONE_ROW, _NEXT_ROW, _INSET = 18, 11, 3
_LARGEST_EXACT: Final = 16_777_215  # a parameter is a float32

#: Live's colours for boxes that do not follow the theme by themselves.
_FIELD: Final = {"bgcolor": "live_control_text_bg", "textcolor": "live_control_fg"}
_THEME: Final = {
    "comment": {"textcolor": "live_control_fg"},
    "multislider": {"bgcolor": "live_lcd_bg", "slidercolor": "live_control_selection"},
    "textedit": _FIELD,
    "umenu": {**_FIELD, "bgfillcolor_color": "live_control_text_bg"},
}


@dataclass(frozen=True, slots=True)
class Control:
    """One box of the panel."""

    maxclass: str
    rect: Rect
    message: str = ""
    title: str = ""
    info: str = ""
    valueof: dict[str, Any] = field(default_factory=dict)
    look: dict[str, Any] = field(default_factory=dict)

    def attributes(self) -> dict[str, Any]:
        """Return what Max saves of the box, beside the parameter."""
        themed = {name: {"expression": f"themecolor.{role}"} for name, role in _THEME.get(self.maxclass, {}).items()}
        told = {"annotation": self.info, "annotation_name": self.title} if self.info else {}
        return told | self.look | ({"saved_attribute_attributes": themed} if themed else {})


def _valueof(long: str, short: str, kind: int, visibility: int, title: str, info: str, **more: Any) -> dict[str, Any]:
    told = {"parameter_annotation_name": title, "parameter_info": info}
    named = {"parameter_longname": long, "parameter_shortname": short, "parameter_type": kind}
    return named | told | {"parameter_invisible": visibility, "parameter_linknames": 1} | more


def _initial(value: float) -> dict[str, Any]:
    return {"parameter_initial": [value], "parameter_initial_enable": 1}


def _enum(labels: tuple[str, ...], initial: int = 0) -> dict[str, Any]:
    last = {"parameter_mmax": len(labels) - 1, "parameter_unitstyle": _CUSTOM_UNIT}
    return {"parameter_enum": list(labels), "parameter_modmode": 0} | last | _initial(initial)


def _label(text: str, rect: Rect) -> Control:
    return Control("live.comment", rect, look={"text": text, "textjustification": 0})


def _button(text: str, rect: Rect, message: str, long: str, info: str) -> Control:
    """A button that can be mapped and not automated: an automated button would spend money."""
    valueof = _valueof(long, text, ENUM, HIDDEN, long, info, **_enum(("Idle", "Pressed")))
    # outputmode 1: the mouse has to go up on it
    look = {"text": text, "texton": text, "mode": 0, "outputmode": 1, "fontsize": 10.0}
    return Control("live.text", rect, message, long, info, valueof, look)


def _toggle(text: str, rect: Rect, message: str, long: str, labels: tuple[str, str], info: str) -> Control:
    valueof = _valueof(long, text, ENUM, AUTOMATED, long, info, **_enum(labels))
    look = {"text": text, "texton": text, "mode": 1, "automation": labels[0], "automationon": labels[1]}
    return Control("live.text", rect, message, long, info, valueof, look)


def _menu(labels: tuple[str, ...], rect: Rect, message: str, long: str, short: str, info: str) -> Control:
    valueof = _valueof(long, short, ENUM, AUTOMATED, long, info, **_enum(labels))
    return Control("live.menu", rect, message, long, info, valueof)


def _number(low: int, high: int, initial: int, rect: Rect, message: str, names: tuple[str, str], info: str) -> Control:
    limits = {"parameter_mmin": float(low), "parameter_mmax": float(high), "parameter_unitstyle": _INT_UNIT}
    more = limits | {"parameter_modmode": _ABSOLUTE} | _initial(initial)
    valueof = _valueof(*names, INT, AUTOMATED, names[0], info, **more)
    return Control("live.numbox", rect, message, names[0], info, valueof)


def _dial(
    low: float, high: float, initial: float, rect: Rect, message: str, names: tuple[str, str], info: str
) -> Control:
    limits = {"parameter_mmin": low, "parameter_mmax": high, "parameter_unitstyle": _FLOAT_UNIT}
    more = limits | {"parameter_modmode": _BIPOLAR} | _initial(initial)
    return Control(
        "live.dial", rect, message, names[0], info, _valueof(*names, FLOAT, AUTOMATED, names[0], info, **more)
    )


def _prompt() -> list[Control]:
    info = "What the new audio should sound like: instruments, mood, genre, tempo. A press uses what stands here. Saved with the set."
    valueof = _valueof("Prompt", "Prompt", BLOB, STORED, "Prompt", info)
    look = {"keymode": 1, "outputmode": 1, "lines": 4, "wordwrap": 1, "text": "", "rounded": 0.0, "border": 1.0}
    preset = (
        "A preset from the settings of the bridge. It brings its own prompt, strength and guidance; what is typed as a "
        "prompt goes before it. Takes, seed, length and place stay those of the panel."
    )
    menu = {"items": ["No preset"], "parameter_enable": 0, "arrow": 1, "fontsize": 10.0, "align": 0}
    return [
        _label("Prompt", (8, 4, 188, 14)),
        Control("textedit", (8, 20, 188, 52), "prompt", "Prompt", info, valueof, look | {"fontsize": 10.0}),
        _label("Preset", (8, 79, 40, 14)),
        Control("umenu", (52, 78, 144, 16), "preset", "Preset", preset, look=menu),
    ]


def _length() -> list[Control]:
    bars = "Length in bars of a new take, and of a capture."
    what = (
        "Bars: so many bars, from the start of the bar that plays, or where playing would start. Loop: the loop of the "
        "arrangement. Clip: where and as long as the clip in the detail view."
    )
    place = (
        "Session: in the next free slot, from the highlighted one on. Arrange: in the arrangement, at the right beat."
    )
    return [
        _label("Length", (8, 101, 40, 14)),
        _number(1, 64, 4, (52, 100, 36, 16), "bars", ("Length Bars", "Bars"), bars),
        _menu(("Bars", "Loop", "Clip"), (92, 100, 48, 16), "span", "Length From", "Length", what),
        _menu(("Session", "Arrange"), (144, 100, 52, 16), "place", "Place In", "Place", place),
    ]


def _sound() -> list[Control]:
    strength = "How close a transform stays to its source: 1 is close, 0 is free."
    guidance = "How strictly the model follows the prompt (cfg scale). 7 is usual."
    takes = "How many takes a press asks for. Each is paid for, and each has a seed of its own."
    seed = "The number that a take grows from. The same seed, prompt and length give the same take again. 0: a new one."
    lock = "Locked: each press uses this seed again. Open: each press draws a new one and shows it here."
    warp = "On: the clip is warped with two markers at the tempo of the press, follows tempo changes and loops. Off: exactly as it came."
    launch = "On: a take in the session is launched when it has come, at the global quantization."
    limits = {"parameter_mmin": 0.0, "parameter_mmax": float(_LARGEST_EXACT), "parameter_unitstyle": _INT_UNIT}
    number = _valueof("Seed", "Seed", FLOAT, STORED, "Seed", seed, **limits, parameter_modmode=0, **_initial(0))
    return [
        _dial(0.0, 1.0, 0.5, (213, 4, 44, 48), "strength", ("Strength", "Strength"), strength),
        _dial(1.0, 25.0, 7.0, (267, 4, 44, 48), "cfg", ("Guidance", "Guidance"), guidance),
        _label("Takes", (208, 57, 30, 14)),
        _number(1, 8, 1, (238, 56, 46, 16), "variations", ("Takes", "Takes"), takes),
        _label("Seed", (208, 79, 28, 14)),
        Control("live.numbox", (238, 78, 46, 16), "seed", "Seed", seed, number),
        _toggle("Lock", (288, 78, 28, 16), "lock", "Seed Lock", ("New each time", "Locked"), lock),
        _toggle("Warp", (208, 100, 52, 16), "warp", "Warp", ("Off", "On"), warp),
        _toggle("Launch", (264, 100, 52, 16), "launch", "Launch", ("Off", "On"), launch),
    ]


def _transform(*, recorder: bool) -> list[Control]:
    generate = "Asks for new audio of the prompt. One press is one request; the price is shown below."
    transform = "Asks for new audio made from the source chosen beside."
    source = "Clip: what plays of the audio clip in the detail view. Loop: what lies in the arrangement's loop on this track."
    cancel = (
        "Before a job is sent nothing is spent. Later the money is spent: the take is kept in the library and not placed. "
        "A capture that waits or records is given up."
    )
    buttons = [
        _button("Generate", (328, 22, 144, 26), "generate", "Generate", generate),
        _button("Transform", (328, 54, 88, 18), "transform", "Transform Clip", transform),
        _menu(("Clip", "Loop"), (420, 54, 52, 18), "source", "Transform Source", "Source", source),
        _button("Cancel", (328, 98, 144, 18), "cancel", "Cancel", cancel),
    ]
    return buttons + (_capture() if recorder else [_label("Takes go to an audio track.", (328, 78, 144, 14))])


def _capture() -> list[Control]:
    capture = "Records what passes through this device, for so many bars, and transforms it."
    which = "Next: from the next bar on. Last: the bars that were just heard (up to 30 s); writing them takes as long as they are."
    return [
        _button("Capture", (328, 76, 88, 18), "capture", "Capture", capture),
        _menu(("Next", "Last"), (420, 76, 52, 18), "which", "Capture Which", "Capture", which),
    ]


def _told() -> list[Control]:
    info = "Lit while the bridge answers."
    light = _valueof("Connected", "Bridge", ENUM, HIDDEN, "Connected", info, **_enum(("Away", "Connected")))
    # clicks: without them the pointer would not show the annotation
    line = {"fontname": "Ableton Sans Medium", "fontsize": 10.0, "text": "", "textjustification": 0, "ignoreclick": 0}
    show = "Opens the folder of the last take in the Finder or the Explorer."
    bar = {"ignoreclick": 1, "orientation": 0, "setminmax": [0.0, 1.0], "setstyle": 1, "size": 1, "parameter_enable": 0}
    return [
        Control("live.toggle", (328, 5, 12, 12), "", "Connected", info, light, {"ignoreclick": 1}),
        Control("comment", (344, 2, 128, 18), "connection", look=line | {"text": "Starting ..."}),
        Control("comment", (6, 117, 402, 29), "status", look=line),
        _button("Show File", (412, 123, 60, 16), "reveal", "Show File", show),
        Control("multislider", (8, 147, 464, 3), "progress", look=bar),
        Control("comment", (6, 150, 468, 18), "money", look=line),
    ]


def lines() -> dict[str, list[int]]:
    """Return, for each line of text that changes, the pixels of a row and the number of rows."""
    boxes = {box.message: box.rect for box in _told() if box.maxclass == "comment"}
    return {
        name: [width - 2 * _INSET, 1 + (height - _ONE_ROW) // _NEXT_ROW]
        for name, (_, _, width, height) in boxes.items()
    }


def controls(*, recorder: bool) -> list[Control]:
    """Return the panel, top left to bottom right. ``recorder``: the device hears audio and can capture it."""
    return [*_prompt(), *_length(), *_sound(), *_transform(recorder=recorder), *_told()]


#: The controls that grow pale while the device is switched off; of Transform and Capture the script says so.
DIMMED: Final = (
    *("bars", "span", "place", "strength", "cfg", "variations", "seed", "lock", "warp", "launch"),
    *("generate", "source", "which", "cancel", "reveal"),
)


#: The controls that can be typed into.
FIELDS: Final = ("prompt", "bars", "variations", "seed", "strength", "cfg")


def stored(title: str, info: str) -> dict[str, Any]:
    """Return the parameter of something that is saved with the set and not shown."""
    return _valueof(title, title, BLOB, STORED, title, info)
