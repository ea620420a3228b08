"""Draws the panels as SVG, from the rectangles in the patcher: ``python -m max_for_live.drawing``.

It shows where things stand and what they say, in the colours of Live's dark theme. Max draws them itself.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any, Final

from max_for_live import device, panel
from max_for_live.patcher import HEIGHT

DOCS: Final = Path(__file__).parent.parent / "docs"
_SURFACE, _FIELD, _DARK, _LINE = "#3b3b3b", "#2a2a2a", "#1e1e1e", "#161616"
_TEXT, _DIM, _ON, _ARC = "#c8c8c8", "#8d8d8d", "#ffb532", "#03c3d5"
#: What the texts that change say in the drawing.
_SAID: Final = {
    "connection": "Connected: empiriolabs",
    "status": "Generating ...",
    "money": "$0.58 a take · $8.84 left today · live-3f9c02a1",
}
_PROMPT: Final = ("slow tape-worn piano, far away,", "rain on a window, 72 bpm")
_PROGRESS: Final = 0.62
_SEED: Final = 8_113_209
Box = dict[str, Any]


def draw(kind: device.Kind) -> str:
    """Return the SVG of a device's panel."""
    boxes = [entry["box"] for entry in device.document(kind)["patcher"]["boxes"]]
    shown = [box for box in boxes if box.get("presentation")]
    lines = [line for line, box in zip(_SAID, (b for b in shown if b["maxclass"] == "comment"), strict=True)]
    said = dict(zip((b["id"] for b in shown if b["maxclass"] == "comment"), lines, strict=True))
    parts = [_one(box, said.get(box["id"], "")) for box in shown]
    width = panel.WIDTH
    title = escape(kind.name.removesuffix(".amxd"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width * 2}" height="{(HEIGHT + 17) * 2}" '
        f'viewBox="0 -17 {width} {HEIGHT + 17}" font-family="Helvetica Neue, Arial, sans-serif" font-size="9.5">\n'
        f'<rect x="0" y="-17" width="{width}" height="{HEIGHT + 17}" rx="4" fill="{_SURFACE}"/>\n'
        f'<path d="M0 -1 V-13 Q0 -17 4 -17 H{width - 4} Q{width} -17 {width} -13 V-1 Z" fill="#545454"/>\n'
        f'<circle cx="9" cy="-9" r="4.5" fill="{_ON}"/>{_text(18, -5.5, title, _TEXT)}\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _text(x: float, y: float, words: str, colour: str, anchor: str = "start", size: float = 9.5) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" fill="{colour}" text-anchor="{anchor}" font-size="{size:g}">{escape(words)}</text>'
    )


def _rect(box: Box, fill: str, radius: float = 1.5) -> str:
    x, y, w, h = box["presentation_rect"]
    return f'<rect x="{x + 0.5:g}" y="{y + 0.5:g}" width="{w - 1:g}" height="{h - 1:g}" rx="{radius:g}" fill="{fill}" stroke="{_LINE}"/>'


def _middle(box: Box, words: str, colour: str) -> str:
    x, y, w, h = box["presentation_rect"]
    return _text(x + w / 2, y + h / 2 + 3.3, words, colour, "middle")


def _label(box: Box, said: str) -> str:
    x, y, _, h = box["presentation_rect"]
    h = min(h, 18)  # the first row
    return _text(x + (2 if said else 0), y + h / 2 + 3.3, _SAID[said] if said else box["text"], _TEXT)


def _button(box: Box, _: str) -> str:
    on = box["mode"] == 1 and box["text"] == "Warp"  # one is on, to show how that looks
    return _rect(box, _ON if on else _FIELD) + _middle(box, box["text"], _DARK if on else _TEXT)


def _number(box: Box, _: str) -> str:
    value = box["saved_attribute_attributes"]["valueof"]
    number = _SEED if value["parameter_longname"] == "Seed" else int(value["parameter_initial"][0])
    return _rect(box, _DARK) + _middle(box, str(number), _TEXT)


def _menu(box: Box, _: str) -> str:
    value = box["saved_attribute_attributes"]["valueof"]
    words = value["parameter_enum"][0]
    x, y, w, h = box["presentation_rect"]
    arrow = f'<path d="M{x + w - 9:g} {y + h / 2 - 1.5:g} h5 l-2.5 3.5 z" fill="{_DIM}"/>'
    return _rect(box, _FIELD) + _text(x + 4, y + h / 2 + 3.3, words, _TEXT) + arrow


def _presets(box: Box, _: str) -> str:
    x, y, w, h = box["presentation_rect"]
    arrow = f'<path d="M{x + w - 10:g} {y + h / 2 - 2:g} h6 l-3 4 z" fill="{_DIM}"/>'
    return _rect(box, _FIELD) + _text(x + 5, y + h / 2 + 3.3, box["items"][0], _TEXT) + arrow


def _dial(box: Box, _: str) -> str:
    value = box["saved_attribute_attributes"]["valueof"]
    x, y, w, _h = box["presentation_rect"]
    low, high, now = value["parameter_mmin"], value["parameter_mmax"], value["parameter_initial"][0]
    share = (now - low) / (high - low)
    middle, centre = x + w / 2, y + 25
    arcs = _arc(middle, centre, 0, 1, _DARK) + _arc(middle, centre, 0, share, _ARC)
    angle = math.radians(135 + 270 * share)
    needle = f'<line x1="{middle:g}" y1="{centre:g}" x2="{middle + 9 * math.cos(angle):.2f}" y2="{centre + 9 * math.sin(angle):.2f}" stroke="{_TEXT}" stroke-width="1.6"/>'
    words = _text(middle, y + 10, value["parameter_shortname"], _TEXT, "middle")
    return words + arcs + needle + _text(middle, y + 46, f"{now:.2f}", _TEXT, "middle")


def _arc(x: float, y: float, start: float, end: float, colour: str) -> str:
    ends = [(x + 10 * math.cos(a), y + 10 * math.sin(a)) for a in (math.radians(135 + 270 * s) for s in (start, end))]
    large = 1 if (end - start) * 270 > 180 else 0
    (x1, y1), (x2, y2) = ends
    return f'<path d="M{x1:.2f} {y1:.2f} A10 10 0 {large} 1 {x2:.2f} {y2:.2f}" fill="none" stroke="{colour}" stroke-width="3"/>'


def _prompt(box: Box, _: str) -> str:
    x, y, _w, _h = box["presentation_rect"]
    return _rect(box, _DARK) + "".join(_text(x + 5, y + 13 + 12 * i, line, _TEXT) for i, line in enumerate(_PROMPT))


def _progress(box: Box, _: str) -> str:
    x, y, w, h = box["presentation_rect"]
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="1" fill="{_DARK}"/>'
        f'<rect x="{x:g}" y="{y:g}" width="{w * _PROGRESS:g}" height="{h:g}" rx="1" fill="{_ARC}"/>'
    )


def _light(box: Box, _: str) -> str:
    return _rect(box, _ON, 2)


_DRAW: Final[dict[str, Callable[[Box, str], str]]] = {
    "comment": _label,
    "live.comment": _label,
    "live.dial": _dial,
    "live.menu": _menu,
    "live.numbox": _number,
    "live.text": _button,
    "live.toggle": _light,
    "multislider": _progress,
    "textedit": _prompt,
    "umenu": _presets,
}


def _one(box: Box, said: str) -> str:
    return _DRAW[box["maxclass"]](box, said)


def files() -> dict[Path, str]:
    """Return the drawings by their files."""
    names = {device.AUDIO: "live-device.svg", device.MIDI: "live-device-midi.svg"}
    return {DOCS / names[kind]: draw(kind) for kind in device.KINDS}


def main() -> int:
    """Write the drawings."""
    for file, text in files().items():
        file.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
