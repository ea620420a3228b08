"""Draw a region on the waveform of a source, as a hand with a mouse does."""

from __future__ import annotations

import re

from playwright.sync_api import Page


def draw_region(page: Page, start: float, end: float) -> None:
    """Drag from one part of the width (0 to 1) to another."""
    box = page.get_by_role("slider", name=re.compile("Region")).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * start, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * end, box["y"] + 20, steps=4)
    page.mouse.up()
