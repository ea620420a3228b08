"""The two devices: the boxes behind the panel, and the cords from each control to the script and on to the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from max_for_live import amxd, panel
from max_for_live.patcher import Patcher

#: Where the script sends what it has to say; route strips the word.
_TOLD: Final = (
    *("connection", "light", "status", "progress", "money", "presets", "models", "prompts", "prompt", "seed"),
    *("identity", "preset", "model"),
    *(
        "fields",
        "label_generate",
        "label_transform",
        "label_again",
        "active_transform",
        "whole_connection",
        "whole_status",
        "whole_money",
    ),
)
_RECORDER: Final = ("delay", "recorder", "player", "label_hear", "label_capture", "active_capture")
#: Bytes of sound that the delay line keeps, ms. The script takes at most 30 s of it.
DELAY_LINE: Final = 32_000
SCRIPT: Final = "DawBridge.js"


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the two devices."""

    name: str  # of the file
    letters: str
    recorder: bool
    description: str


AUDIO: Final = Kind("Daw Bridge.amxd", amxd.AUDIO_EFFECT, True, "Generates, transforms, captures and places audio.")
MIDI: Final = Kind("Daw Bridge MIDI.amxd", amxd.MIDI_EFFECT, False, "Generates, transforms and places audio.")
KINDS: Final = (AUDIO, MIDI)


def document(kind: Kind) -> dict[str, Any]:
    """Return the patcher of a device."""
    patcher = Patcher(kind.letters, panel.WIDTH)
    script = _script(patcher, kind)
    boxes = _controls(patcher, kind, script)
    told = _told(patcher, kind, script)
    network(patcher, script)
    _shown(patcher, told, boxes)
    _memory(patcher, script, told)
    _start(patcher, script, boxes)
    patcher.banks(panel.BANKS)
    if kind.recorder:
        _audio(patcher, script, told)
    else:
        patcher.chain(patcher.typed("midiin"), patcher.typed("midiout"))
    return patcher.document(scripts=[SCRIPT], description=kind.description)


def _script(patcher: Patcher, kind: Kind) -> str:
    # outlets: network, port, everything that is told to the panel
    saved = {"filename": SCRIPT, "parameter_enable": 0}
    mode = "audio" if kind.recorder else "midi"
    return patcher.typed(f"js {SCRIPT} {mode}", outlets=3, saved_object_attributes=saved)


def _controls(patcher: Patcher, kind: Kind, script: str) -> dict[str, str]:
    """Add the panel; each control that a person uses goes to the script under its word."""
    boxes: dict[str, str] = {}
    for number, control in enumerate(panel.controls(recorder=kind.recorder)):
        hidden = {"hidden": 1} if control.page not in panel.FIRST_PAGES else {}
        named = {"varname": panel.name_of(control, number)} if control.page else {}
        box = patcher.ui(control.maxclass, control.rect, **control.attributes(), **hidden, **named)
        if control.valueof:
            patcher.parameter(box, control.valueof)
        name = control.message or control.title.lower()
        if name:
            boxes[name] = box
        if control.message and control.maxclass not in ("comment", "multislider", "panel"):
            # umenu says the chosen name at its second outlet
            word = patcher.typed(f"prepend {control.message}")
            patcher.cord(box, word, outlet=1 if control.maxclass == "umenu" else 0)
            patcher.cord(word, script)
    return boxes


def _told(patcher: Patcher, kind: Kind, script: str) -> dict[str, tuple[str, int]]:
    """Route what the script tells; return for each word the box and outlet where it comes out."""
    words = _TOLD + (_RECORDER if kind.recorder else ())
    route = patcher.typed("route " + " ".join(words))
    patcher.cord(script, route, outlet=2)
    return {word: (route, index) for index, word in enumerate(words)}


def network(patcher: Patcher, script: str) -> None:
    """Add what sends for the script, and what it listens with."""
    # port 0: none is taken until the script names one
    send, receive = patcher.typed("udpsend 127.0.0.1 9130"), patcher.typed("udpreceive 0 @quiet 1")
    patcher.cord(script, send, outlet=0)
    patcher.cord(script, receive, outlet=1)
    # what comes from the network comes in a thread where nothing of Live may be touched
    patcher.chain(receive, patcher.typed("deferlow"), script)


def _shown(patcher: Patcher, told: dict[str, tuple[str, int]], boxes: dict[str, str]) -> None:
    for word in ("connection", "status", "money"):
        show = patcher.typed("prepend set")
        route, outlet = told[word]
        patcher.cord(route, show, outlet=outlet)
        patcher.cord(show, boxes[word])
        for attribute in ("annotation", "hint"):  # the info view, and beside the pointer
            whole = patcher.typed(f"prepend {attribute}")
            patcher.cord(told[f"whole_{word}"][0], whole, outlet=told[f"whole_{word}"][1])
            patcher.cord(whole, boxes[word])
    show = patcher.typed("prepend set")
    patcher.cord(told["light"][0], show, outlet=told["light"][1])
    patcher.cord(show, boxes["connected"])
    menus = (("presets", "preset"), ("models", "model"), ("prompts", "history"))
    for word, box in (*menus, ("progress", "progress"), ("prompt", "prompt"), ("seed", "seed")):
        patcher.cord(told[word][0], boxes[box], outlet=told[word][1])
    for word in (word for word in told if word.startswith(("label_", "active_"))):
        kind, button = word.split("_")
        show = patcher.typed("prepend text" if kind == "label" else "prepend active")
        patcher.cord(told[word][0], show, outlet=told[word][1])
        patcher.cord(show, boxes[button])
    # a field speaks on Return only: before a press each is asked for what stands in it
    for name in panel.FIELDS:
        patcher.cord(told["fields"][0], boxes[name], outlet=told["fields"][1])


def _memory(patcher: Patcher, script: str, told: dict[str, tuple[str, int]]) -> None:
    """What is saved with the set beside the controls: who the device is, and the names of its preset and model."""
    for word, title, info in (
        ("identity", "Identity", "The name of this device at the bridge, and the mark of this set."),
        ("preset", "Preset Name", "The preset that is chosen."),
        ("model", "Model Name", "The model that is chosen."),
    ):
        pattr = patcher.typed(f"pattr {title.replace(' ', '')}")
        patcher.parameter(pattr, panel.stored(title, info))
        said = patcher.typed(f"prepend {word if word == 'identity' else f'{word}name'}")
        patcher.cord(told[word][0], pattr, outlet=told[word][1])
        patcher.chain(pattr, said, script)


def _start(patcher: Patcher, script: str, boxes: dict[str, str]) -> None:
    device = patcher.typed("live.thisdevice")
    patcher.cord(device, script)
    active = patcher.typed("prepend active")
    patcher.cord(device, active, outlet=1)
    enabled = patcher.typed("prepend enabled")
    patcher.cord(device, enabled, outlet=1)
    patcher.cord(enabled, script)
    for name in panel.DIMMED:
        if name in boxes:
            patcher.cord(active, boxes[name])


def _audio(patcher: Patcher, script: str, told: dict[str, tuple[str, int]]) -> None:
    """Pass the sound on, with a take that waits to be heard beside it."""
    plugout = recorder(patcher, delay=told["delay"], recorder=told["recorder"])
    player, heard = patcher.typed("sfplay~ 2"), patcher.typed("prepend heard")
    for channel in (0, 1):
        patcher.cord(player, plugout, outlet=channel, inlet=channel)
    patcher.cord(told["player"][0], player, outlet=told["player"][1])
    patcher.cord(player, heard, outlet=2)
    patcher.cord(heard, script)


def recorder(patcher: Patcher, *, delay: tuple[str, int], recorder: tuple[str, int]) -> str:
    """Pass the sound on untouched; keep the last of it, and of Live's beat, in delay lines that can be recorded.

    Return the box of what leaves the device.
    """
    plugin, plugout, beat = patcher.typed("plugin~"), patcher.typed("plugout~"), patcher.typed("plugphasor~")
    record = patcher.typed("sfrecord~ 3")
    for channel in (0, 1):
        patcher.cord(plugin, plugout, outlet=channel, inlet=channel)
    for channel, (source, outlet) in enumerate(((plugin, 0), (plugin, 1), (beat, 0))):
        line, tap = patcher.typed(f"tapin~ {DELAY_LINE}"), patcher.typed("tapout~ 1")
        patcher.cord(source, line, outlet=outlet)
        patcher.chain(line, tap)
        patcher.cord(delay[0], tap, outlet=delay[1])
        patcher.cord(tap, record, inlet=channel)
    patcher.cord(recorder[0], record, outlet=recorder[1])
    return plugout
