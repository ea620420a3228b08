"""What a person sees of a device: each control with its place, its parameter and its info text.

A control's ``message`` is the word under which the script hears of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

from max_for_live.patcher import BLOB, Rect

WIDTH: Final = 500

#: Parameter types and visibilities, as Max numbers them.
FLOAT, INT, ENUM = 0, 1, 2
AUTOMATED, STORED, HIDDEN = 0, 1, 2
_INT_UNIT, _FLOAT_UNIT, _CUSTOM_UNIT = 0, 1, 9
_BIPOLAR, _ABSOLUTE = 2, 4
#: A comment in a font of 10: the height with one row, that of each further one, and the pixels left free at either side.
_ONE_ROW, _NEXT_ROW, _INSET = 18, 11, 3
_LARGEST_EXACT: Final = 16_777_215  # a parameter is a float32

#: What stands on the knobs of Push: the names of the parameters, page by page. Buttons are hidden from it, as they spend money.
BANKS: Final = {
    "Take": ("Length Bars", "Length From", "Place In", "Target Track", "Fit", "Takes", "Launch", "Ask Before Placing"),
    "Sound": ("Strength", "Guidance", "Seed Lock", "Loudness", "Warp", "Tempo In Prompt"),
    "Source": ("Transform Source", "Capture Which"),
}

#: Live's colours for boxes that do not follow the theme by themselves.
_FIELD: Final = {"bgcolor": "live_control_text_bg", "textcolor": "live_control_fg"}
_THEME: Final = {
    "comment": {"textcolor": "live_control_fg"},
    "panel": {"bgfillcolor_color": "live_control_text_bg"},
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
    page: str = ""  #: shown with others of its page only; "": always

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


def button(text: str, rect: Rect, message: str, long: str, info: str) -> Control:
    """A button that can be mapped and not automated: an automated button would spend money."""
    valueof = _valueof(long, text, ENUM, HIDDEN, long, info, **_enum(("Idle", "Pressed")))
    # outputmode 1: the mouse has to go up on it
    look = {"text": text, "texton": text, "mode": 0, "outputmode": 1, "fontsize": 10.0}
    return Control("live.text", rect, message, long, info, valueof, look)


def _toggle(
    text: str, rect: Rect, message: str, long: str, labels: tuple[str, str], info: str, initial: int = 0
) -> Control:
    valueof = _valueof(long, text, ENUM, AUTOMATED, long, info, **_enum(labels, initial))
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


def _what() -> list[Control]:
    """What it shall sound like."""
    info = "What the new audio should sound like: instruments, mood, genre. A press uses what stands here. Saved with the set."
    valueof = _valueof("Prompt", "Prompt", BLOB, STORED, "Prompt", info)
    look = {"keymode": 1, "outputmode": 1, "lines": 4, "wordwrap": 1, "text": "", "rounded": 0.0, "border": 1.0}
    preset = (
        "A preset from the settings of the bridge. It brings its own prompt, strength and guidance; what is typed as a "
        "prompt goes before it. Takes, seed, length and place stay those of the panel."
    )
    history = "Prompts of this device's last takes. Choosing one writes it into the prompt."
    model = "Which model of the service makes the take. Prices differ; the button says what the press costs."
    without = "What is not to be heard. Only some models take it."
    stored_as = _valueof("Negative Prompt", "Without", BLOB, STORED, "Negative Prompt", without)
    small = look | {"lines": 2, "fontsize": 10.0}
    field = Control("textedit", (52, 77, 144, 36), "negative", "Negative Prompt", without, stored_as, small)
    menu = {"parameter_enable": 0, "arrow": 1, "fontsize": 10.0, "align": 0}
    menus = [
        _label("Preset", (8, 78, 40, 14)),
        Control("umenu", (52, 77, 144, 16), "preset", "Preset", preset, look=menu | {"items": ["No preset"]}),
        _label("Model", (8, 98, 40, 14)),
        Control("umenu", (52, 97, 144, 16), "model", "Model", model, look=menu | {"items": ["Default model"]}),
    ]
    return [
        _label("Prompt", (8, 4, 48, 14)),
        Control("umenu", (92, 2, 104, 16), "history", "History", history, look=menu | {"items": ["Earlier prompts"]}),
        Control("textedit", (8, 20, 188, 52), "prompt", "Prompt", info, valueof, look | {"fontsize": 10.0}),
        *_on_page("what", menus),
        *_on_page("without", [_label("Without", (8, 78, 42, 14)), field]),
    ]


def _how() -> list[Control]:
    """How long, how many, where to: what is set for nearly each press."""
    bars = "Length in bars of a new take, and of a capture. With Secs: in seconds."
    what = (
        "Bars: so many bars, from the start of the bar that plays, or where playing would start. Loop: the loop of the "
        "arrangement. Clip: where and as long as the clip in the detail view. Shot: as Bars, begins with its sound and does "
        "not loop. Secs: so many seconds, as it came."
    )
    place = (
        "Session: in the next free slot, from the highlighted one on. Arrange: in the arrangement, at the right beat."
    )
    target = "This track: the one of the device, or of the clip that is transformed. Selected: the one that is selected at the press. New: a new one."
    takes = "How many takes a press asks for. Each is paid for, and each has a seed of its own."
    launch = "On: a take in the session is launched when it has come, at the global quantization."
    fit = (
        "How a take is made to stand on the beat that was measured of it. Auto: a loop in the session, the set's tempo in the "
        "arrangement, a shot from its first sound. Where the beat is not sure nothing is touched."
    )
    page = [
        _label("Length", (208, 4, 38, 14)),
        _number(1, 64, 4, (248, 3, 32, 16), "bars", ("Length Bars", "Bars"), bars),
        _menu(("Bars", "Loop", "Clip", "Shot", "Secs"), (284, 3, 52, 16), "span", "Length From", "Length", what),
        _label("To", (208, 23, 38, 14)),
        _menu(("Session", "Arrange"), (248, 22, 88, 16), "place", "Place In", "Place", place),
        _label("Track", (208, 42, 38, 14)),
        _menu(("This track", "Selected", "New"), (248, 41, 88, 16), "target", "Target Track", "Track", target),
        _label("Fit", (208, 61, 38, 14)),
        _menu(("Auto", "Off", "Start", "Grid", "Loop"), (248, 60, 88, 16), "fit", "Fit", "Fit", fit),
        _label("Takes", (208, 80, 38, 14)),
        _number(1, 8, 1, (248, 79, 32, 16), "variations", ("Takes", "Takes"), takes),
        _toggle("Launch", (284, 79, 52, 16), "launch", "Launch", ("Off", "On"), launch),
    ]
    return [*_on_page("how", page), *_on_page("more", _more()), _fold()]


def _fold() -> Control:
    more = "Shows what is seldom changed: strength, guidance, seed, loudness, warp."
    return _toggle("More", (208, 98, 128, 16), "more", "More", ("Folded", "Shown"), more)


def _more() -> list[Control]:
    """What is seldom changed, in the place of the rest."""
    strength = "How close a transform stays to its source: 1 is close, 0 is free."
    guidance = "How strictly the model follows the prompt (cfg scale). 7 is usual."
    seed = "The number that a take grows from. The same seed, prompt and length give the same take again. 0: a new one."
    lock = "Locked: each press uses this seed again. Open: each press draws a new one and shows it here."
    warp = "On: also a take without a sure beat is warped, with a marker at each end, and follows tempo changes. Off: exactly as it came."
    tempo = "On: the set's tempo, and its scale where one is switched on, are added to the prompt if it names none."
    hear = "On: a take that comes is held back. Hear it, keep it or discard it; nothing is placed before."
    loud = (
        "By the gain of the clip. Source: as loud as what was transformed. A number: LUFS. Never above -1 dB true peak."
    )
    limits = {"parameter_mmin": 0.0, "parameter_mmax": float(_LARGEST_EXACT), "parameter_unitstyle": _INT_UNIT}
    number = _valueof("Seed", "Seed", FLOAT, STORED, "Seed", seed, **limits, parameter_modmode=0, **_initial(0))
    return [
        _dial(0.0, 1.0, 0.5, (208, 2, 40, 48), "strength", ("Strength", "Strength"), strength),
        _dial(1.0, 25.0, 7.0, (248, 2, 42, 48), "cfg", ("Guidance", "Guidance"), guidance),
        _label("Level", (296, 4, 40, 14)),
        _menu(
            ("Off", "Source", "-9", "-14", "-16", "-23"), (290, 22, 46, 16), "loudness", "Loudness", "Loudness", loud
        ),
        _label("Seed", (208, 57, 28, 14)),
        Control("live.numbox", (236, 56, 58, 16), "seed", "Seed", seed, number),
        _toggle("Lock", (298, 56, 38, 16), "lock", "Seed Lock", ("New each time", "Locked"), lock),
        _toggle("Warp", (208, 77, 40, 16), "warp", "Warp", ("Off", "On"), warp),
        _toggle("Tempo", (252, 77, 40, 16), "tempo", "Tempo In Prompt", ("Off", "On"), tempo, initial=1),
        _toggle("Ask", (296, 77, 40, 16), "hold", "Ask Before Placing", ("Off", "On"), hear),
    ]


def _go(*, recorder: bool) -> list[Control]:
    """What is pressed."""
    generate = "Asks for new audio of the prompt. One press is one request; the button says what it costs."
    transform = "Asks for new audio made from the source chosen beside."
    source = "Clip: what plays of the audio clip in the detail view. Loop: what lies in the arrangement's loop on this track."
    again = "Asks once more for what was asked last, with a new seed. It costs as much."
    cancel = (
        "Before a job is sent nothing is spent. Later the money is spent: the take is kept in the library and not placed. "
        "A capture that waits or records is given up."
    )
    page = [
        button("Transform", (348, 50, 92, 18), "transform", "Transform Clip", transform),
        _menu(("Clip", "Loop"), (444, 50, 48, 18), "source", "Transform Source", "Source", source),
        *(_capture() if recorder else [_label("Takes go to an audio track.", (348, 74, 144, 14))]),
        button("Again", (348, 96, 70, 16), "again", "Again", again),
        button("Cancel", (422, 96, 70, 16), "cancel", "Cancel", cancel),
    ]
    return [
        button("Generate", (348, 22, 144, 24), "generate", "Generate", generate),
        *_on_page("go", page),
        *_on_page("held", _held(recorder=recorder)),
    ]


def _held(*, recorder: bool) -> list[Control]:
    """What can be done with a take that waits to be heard, in the place of the rest."""
    hear = "Plays the take through this device, once. Pressed again it stops."
    keep = "Places the take."
    discard = "Does not place the take and puts it into the trash of the bridge; its file is kept."
    favourite = "Marks the take as a favourite of the bridge, and places it."
    first = [button("Hear", (348, 52, 144, 18), "hear", "Hear", hear)] if recorder else []
    return [
        *first,
        button("Keep", (348, 74, 70, 18), "keep", "Keep", keep),
        button("Favourite", (422, 74, 70, 18), "favourite", "Favourite", favourite),
        button("Discard", (348, 96, 144, 16), "discard", "Discard", discard),
    ]


def _capture() -> list[Control]:
    capture = "Records what passes through this device, instruments and effects before it included, and transforms it."
    which = (
        "Next: from the next bar on. Last: the bars that were just heard (up to 30 s). Loop: one pass of the arrangement's loop; "
        "a stopped set is played for it."
    )
    return [
        button("Capture", (348, 72, 92, 18), "capture", "Capture", capture),
        _menu(("Next", "Last", "Loop"), (444, 72, 48, 18), "which", "Capture Which", "Capture", which),
    ]


def _on_page(page: str, controls: list[Control]) -> list[Control]:
    return [replace(control, page=page) for control in controls]


#: How a line of text looks that changes. It takes clicks: without them the pointer would not show its annotation.
LINE: Final = {
    "fontname": "Ableton Sans Medium",
    "fontsize": 10.0,
    "text": "",
    "textjustification": 0,
    "ignoreclick": 0,
}


def _told() -> list[Control]:
    info = "Lit while the bridge answers."
    light = _valueof("Connected", "Bridge", ENUM, HIDDEN, "Connected", info, **_enum(("Away", "Connected")))
    show = "Opens the folder of the last take in the Finder or the Explorer."
    bar = {"ignoreclick": 1, "orientation": 0, "setminmax": [0.0, 1.0], "setstyle": 1, "size": 1, "parameter_enable": 0}
    return [
        Control("live.toggle", (348, 5, 12, 12), "", "Connected", info, light, {"ignoreclick": 1}),
        Control("comment", (364, 2, 128, 18), "connection", look=LINE | {"text": "Starting ..."}),
        Control("comment", (6, 117, 422, 29), "status", look=LINE),
        button("Show File", (432, 123, 60, 16), "reveal", "Show File", show),
        Control("multislider", (8, 147, 484, 3), "progress", look=bar),
        Control("comment", (6, 150, 488, 18), "money", look=LINE),
    ]


def room(rect: Rect) -> list[int]:
    """Return the pixels of a row of a line of text, and the number of its rows."""
    return [rect[2] - 2 * _INSET, 1 + (rect[3] - _ONE_ROW) // _NEXT_ROW]


def lines() -> dict[str, list[int]]:
    """Return, for each line of text that changes, the pixels of a row and the number of rows."""
    return {box.message: room(box.rect) for box in _told() if box.maxclass == "comment"}


def controls(*, recorder: bool) -> list[Control]:
    """Return the panel, top left to bottom right. ``recorder``: the device hears audio and can capture it."""
    line = {"background": 1, "ignoreclick": 1, "border": 0, "rounded": 0}
    zones = [Control("panel", (x, 4, 1, 108), look=line) for x in (202, 342)]
    return [*zones, *_what(), *_how(), *_go(recorder=recorder), *_told()]


#: Which pages are shown when nothing was folded out and no take waits.
FIRST_PAGES: Final = ("", "what", "how", "go")


def name_of(control: Control, number: int) -> str:
    """Return the scripting name of a control on a page: that of its parameter, else one by its number on the panel."""
    return str(control.valueof.get("parameter_longname") or f"{control.page}{number}")


def pages() -> dict[str, list[str]]:
    """Return the scripting names of what is on each page, of both devices."""
    found: dict[str, list[str]] = {}
    for recorder in (True, False):
        for number, control in enumerate(controls(recorder=recorder)):
            if control.page and name_of(control, number) not in found.setdefault(control.page, []):
                found[control.page].append(name_of(control, number))
    return found


def button_rooms() -> dict[str, int]:
    """Return the pixels that a label may take on each button whose label changes."""
    return {one.message: one.rect[2] - 4 for one in _go(recorder=True) if one.message in PRICED}


#: The buttons that say what their press costs.
PRICED: Final = ("generate", "transform", "capture", "again")


#: The controls that grow pale while the device is switched off; of Transform and Capture the script says so.
DIMMED: Final = (
    *("bars", "span", "place", "target", "fit", "variations", "launch", "strength", "cfg", "loudness", "seed", "lock"),
    *("warp", "tempo", "hold", "more", "generate", "source", "which", "again", "cancel", "reveal"),
    *("hear", "keep", "favourite", "discard"),
)


#: The controls that can be typed into.
FIELDS: Final = ("prompt", "negative", "bars", "variations", "seed", "strength", "cfg")


def stored(title: str, info: str) -> dict[str, Any]:
    """Return the parameter of something that is saved with the set and not shown."""
    return _valueof(title, title, BLOB, STORED, title, info)
