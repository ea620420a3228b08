"""The check: a device that tries in a real Live what is counted on of it, and writes one report into the home."""

from __future__ import annotations

from typing import Any, Final

from max_for_live import amxd, device, panel
from max_for_live.patcher import Patcher

KIND: Final = device.Kind("Daw Bridge Check.amxd", amxd.AUDIO_EFFECT, True, "Tries what Daw Bridge counts on of Live.")
SCRIPT: Final = "DawBridgeCheck.js"
WIDTH: Final = 320
_LINE: Final = (6, 44, 308, 84)
#: The files of its script, in the order in which each finds what it uses; those behind "/" are its own.
MODULES: Final = (
    *("text", "fitting", "files", "home", "live", "timeline", "tracks", "fit", "clips", "session", "wave"),
    *("check/scratch", "check/facts", "check/runner"),
)
_RUN: Final = "Tries each fact on a track and in a scene of its own, and takes both away again. Use an empty set."


def lines() -> dict[str, list[int]]:
    """Return, for the line of text, the pixels of a row and the number of rows."""
    return {"status": panel.room(_LINE)}


def document() -> dict[str, Any]:
    """Return the patcher."""
    patcher = Patcher(KIND.letters, WIDTH)
    saved = {"filename": SCRIPT, "parameter_enable": 0}
    script = patcher.typed(f"js {SCRIPT}", outlets=3, saved_object_attributes=saved)
    run, status, _ = (_add(patcher, control) for control in _controls())
    pressed = patcher.typed("prepend run")
    patcher.chain(run, pressed, script)
    patcher.cord(patcher.typed("live.thisdevice"), script)
    device.network(patcher, script)
    route = patcher.typed("route status delay recorder")
    patcher.cord(script, route, outlet=2)
    shown = patcher.typed("prepend set")
    patcher.chain(route, shown, status)
    device.recorder(patcher, delay=(route, 1), recorder=(route, 2))
    return patcher.document(scripts=[SCRIPT], description=KIND.description)


def _controls() -> list[panel.Control]:
    title = "Tries what Daw Bridge counts on of Live."
    return [
        panel.button("Run", (8, 22, 80, 18), "run", "Run", _RUN),
        panel.Control("comment", _LINE, "status", look=panel.LINE | {"text": "Starting ..."}),
        panel.Control("live.comment", (8, 4, 304, 14), look={"text": title, "textjustification": 0, "varname": "Fold"}),
    ]


def _add(patcher: Patcher, control: panel.Control) -> str:
    box = patcher.ui(control.maxclass, control.rect, **control.attributes())
    if control.valueof:
        patcher.parameter(box, control.valueof)
    return box
