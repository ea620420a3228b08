"""Draws the panels as SVG, from the rectangles in the patcher: ``python -m max_for_live.drawing``.

It shows where things stand and what they say, in the colours of two of Live's themes. Max draws them itself.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Final

from max_for_live import device, panel
from max_for_live.patcher import HEIGHT

DOCS: Final = Path(__file__).parent.parent / "docs"
#: What the texts that change say in the drawing.
_SAID: Final = ("Connected: empiriolabs", "Generating ...", "$0.58 a take · $8.84 left today · live-3f9c02a1")
_HELD: Final = "slow tape-worn piano - and 2 more: keep it or discard it"
_PROMPT: Final = ("slow tape-worn piano, far away,", "rain on a window")
_PROGRESS: Final = 0.62
_SEED: Final = 8_113_209
_PRICE: Final = " · $0.58"
Box = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of one of Live's themes."""

    surface: str
    field: str
    dark: str
    line: str
    title: str
    text: str
    dim: str
    on: str
    arc: str


DARK: Final = Theme("#3b3b3b", "#2a2a2a", "#1e1e1e", "#161616", "#545454", "#c8c8c8", "#8d8d8d", "#ffb532", "#03c3d5")
LIGHT: Final = Theme("#a5a5a5", "#c3c3c3", "#dcdcdc", "#6f6f6f", "#8a8a8a", "#111111", "#4c4c4c", "#ffad56", "#2a6fd6")


@dataclass(frozen=True, slots=True)
class Shown:
    """A drawing: which device, which of its pages, in which theme."""

    kind: device.Kind
    pages: tuple[str, ...] = panel.FIRST_PAGES
    theme: Theme = DARK


DRAWINGS: Final = {
    "live-device.svg": Shown(device.AUDIO),
    "live-device-more.svg": Shown(device.AUDIO, ("", "what", "more", "held"), LIGHT),
    "live-device-midi.svg": Shown(device.MIDI),
}


def draw(wanted: Shown) -> str:
    """Return the SVG of a device's panel."""
    controls = panel.controls(recorder=wanted.kind.recorder)
    boxes = [entry["box"] for entry in device.document(wanted.kind)["patcher"]["boxes"]]
    shown = [
        (box, control)
        for box, control in zip((box for box in boxes if box.get("presentation")), controls, strict=True)
        if control.page in wanted.pages
    ]
    said = list(_SAID if "held" not in wanted.pages else (_SAID[0], _HELD, _SAID[2]))
    pen, colours = _Pen(wanted.theme, said, more="more" in wanted.pages), wanted.theme
    parts = [pen.draw(box, control.message) for box, control in shown]
    width = panel.WIDTH
    title = escape(wanted.kind.name.removesuffix(".amxd"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width * 2}" height="{(HEIGHT + 17) * 2}" '
        f'viewBox="0 -17 {width} {HEIGHT + 17}" font-family="Helvetica Neue, Arial, sans-serif" font-size="9.5">\n'
        f'<rect x="0" y="-17" width="{width}" height="{HEIGHT + 17}" rx="4" fill="{colours.surface}"/>\n'
        f'<path d="M0 -1 V-13 Q0 -17 4 -17 H{width - 4} Q{width} -17 {width} -13 V-1 Z" fill="{colours.title}"/>\n'
        f'<circle cx="9" cy="-9" r="4.5" fill="{colours.on}"/>{_text(18, -5.5, title, colours.text)}\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _text(x: float, y: float, words: str, colour: str, anchor: str = "start", size: float = 9.5) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" fill="{colour}" text-anchor="{anchor}" font-size="{size:g}">{escape(words)}</text>'
    )


def _arc(x: float, y: float, start: float, end: float, colour: str) -> str:
    ends = [(x + 10 * math.cos(a), y + 10 * math.sin(a)) for a in (math.radians(135 + 270 * s) for s in (start, end))]
    large = 1 if (end - start) * 270 > 180 else 0
    (x1, y1), (x2, y2) = ends
    return f'<path d="M{x1:.2f} {y1:.2f} A10 10 0 {large} 1 {x2:.2f} {y2:.2f}" fill="none" stroke="{colour}" stroke-width="3"/>'


class _Pen:
    """Draws boxes in the colours of a theme."""

    def __init__(self, theme: Theme, said: list[str], *, more: bool) -> None:
        self._theme = theme
        self._on = ("launch", "tempo", *(("more", "hold") if more else ()))  # some are on, to show how that looks
        self._said = said  # the lines of text, in their order

    def draw(self, box: Box, message: str) -> str:
        """Return a box as SVG."""
        kinds: dict[str, Callable[[Box, str], str]] = {
            "comment": self._line,
            "live.comment": self._label,
            "live.dial": self._dial,
            "live.menu": self._menu,
            "live.numbox": self._number,
            "live.text": self._button,
            "live.toggle": lambda box, _: self._rect(box, self._theme.on, 2),
            "multislider": self._progress,
            "panel": lambda box, _: self._bar(box, self._theme.line, 1),
            "textedit": self._prompt,
            "umenu": self._menu,
        }
        return kinds[box["maxclass"]](box, message)

    def _rect(self, box: Box, fill: str, radius: float = 1.5) -> str:
        x, y, w, h = box["presentation_rect"]
        place = f'x="{x + 0.5:g}" y="{y + 0.5:g}" width="{w - 1:g}" height="{h - 1:g}"'
        return f'<rect {place} rx="{radius:g}" fill="{fill}" stroke="{self._theme.line}"/>'

    def _bar(self, box: Box, fill: str, share: float) -> str:
        x, y, w, h = box["presentation_rect"]
        return f'<rect x="{x:g}" y="{y:g}" width="{w * share:g}" height="{h:g}" rx="1" fill="{fill}"/>'

    def _middle(self, box: Box, words: str, colour: str) -> str:
        x, y, w, h = box["presentation_rect"]
        return _text(x + w / 2, y + h / 2 + 3.3, words, colour, "middle")

    def _line(self, box: Box, _: str) -> str:
        x, y, _w, h = box["presentation_rect"]
        return _text(x + 2, y + min(h, 18) / 2 + 3.3, self._said.pop(0), self._theme.text)

    def _label(self, box: Box, _: str) -> str:
        x, y, _w, h = box["presentation_rect"]
        return _text(x, y + h / 2 + 3.3, box["text"], self._theme.text)

    def _button(self, box: Box, message: str) -> str:
        on = message in self._on
        words = box["text"] + (_PRICE if message in panel.PRICED and message != "again" else "")
        face = self._rect(box, self._theme.on if on else self._theme.field)
        return face + self._middle(box, words, DARK.dark if on else self._theme.text)

    def _number(self, box: Box, message: str) -> str:
        value = box["saved_attribute_attributes"]["valueof"]
        number = _SEED if message == "seed" else int(value["parameter_initial"][0])
        return self._rect(box, self._theme.dark) + self._middle(box, str(number), self._theme.text)

    def _menu(self, box: Box, _: str) -> str:
        valueof = box.get("saved_attribute_attributes", {}).get("valueof")
        words = valueof["parameter_enum"][0] if valueof else box["items"][0]
        x, y, w, h = box["presentation_rect"]
        arrow = f'<path d="M{x + w - 9:g} {y + h / 2 - 1.5:g} h5 l-2.5 3.5 z" fill="{self._theme.dim}"/>'
        return self._rect(box, self._theme.field) + _text(x + 4, y + h / 2 + 3.3, words, self._theme.text) + arrow

    def _dial(self, box: Box, _: str) -> str:
        value = box["saved_attribute_attributes"]["valueof"]
        x, y, w, _h = box["presentation_rect"]
        low, high, now = value["parameter_mmin"], value["parameter_mmax"], value["parameter_initial"][0]
        share = (now - low) / (high - low)
        middle, centre = x + w / 2, y + 25
        arcs = _arc(middle, centre, 0, 1, self._theme.dark) + _arc(middle, centre, 0, share, self._theme.arc)
        angle = math.radians(135 + 270 * share)
        tip = f'x2="{middle + 9 * math.cos(angle):.2f}" y2="{centre + 9 * math.sin(angle):.2f}"'
        needle = f'<line x1="{middle:g}" y1="{centre:g}" {tip} stroke="{self._theme.text}" stroke-width="1.6"/>'
        words = _text(middle, y + 10, value["parameter_shortname"], self._theme.text, "middle", 8.5)
        return words + arcs + needle + _text(middle, y + 46, f"{now:.2f}", self._theme.text, "middle")

    def _prompt(self, box: Box, _: str) -> str:
        x, y, _w, _h = box["presentation_rect"]
        lines = (_text(x + 5, y + 13 + 12 * i, line, self._theme.text) for i, line in enumerate(_PROMPT))
        return self._rect(box, self._theme.dark) + "".join(lines)

    def _progress(self, box: Box, _: str) -> str:
        return self._bar(box, self._theme.dark, 1) + self._bar(box, self._theme.arc, _PROGRESS)


def files() -> dict[Path, str]:
    """Return the drawings by their files."""
    return {DOCS / name: draw(wanted) for name, wanted in DRAWINGS.items()}


def main() -> int:
    """Write the drawings."""
    for file, text in files().items():
        file.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
