"""Draw the pictures of docs/reaper.md: the panel in Dear ImGui itself, and as gfx is told to draw it.

Run: python -m tests.reaper.make_pictures
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from bridge_daemon import __version__
from tests.reaper import picture
from tests.reaper.conftest import install
from tests.reaper.dear_imgui import DearImGui
from tests.reaper.flows import song
from tests.reaper.reaper import ROOT, Reaper
from tests.reaper.standin import StandIn

WIDTH, HEIGHT = 420, 860
#: Where Dear ImGui puts a window that has no place yet.
CORNER = 60
PROMPT = "Slow strings, wide and dark"
SOUND = """
local source = {path = fake.resources .. "/riff.wav", length = 40.0, peaks_ready = true, owned = true}
fake.pointers.make("PCM_source", source)
riff.takes[1].source = source
"""


def jobs(file: Path, now: float) -> list[dict[str, Any]]:
    """Return some jobs as a heartbeat tells them."""
    common = {"usd": 0.58, "fraction": 0.0, "action": "transform", "created_at": now - 90}
    return [
        common | {"job": "a4", "id": "i4", "state": "generating", "charge": "confirmed", "prompt": "Slow strings, wide",
                  "fraction": 0.4, "submitted_at": now - 20},
        common | {"job": "a3", "id": "i3", "state": "held", "charge": "none", "prompt": "Rain on a tin roof"},
        common | {"job": "a2", "id": "i2", "state": "placed", "charge": "confirmed", "prompt": "Choir, far away",
                  "file": str(file), "favourite": True, "submitted_at": now - 80, "finished_at": now - 40},
        common | {"job": "a1", "id": "i1", "state": "unknown", "charge": "possible", "prompt": "Thunder"},
    ]  # fmt: skip


def shown(folder: Path, **options: Any) -> Reaper:
    """Return a REAPER with the panel open."""
    home = folder / "home"
    home.mkdir()
    bridge = StandIn(home)
    install(folder / "resources", home)
    reaper = Reaper("lupa.lua54", folder / "resources", sws=True, **options)
    song(reaper, folder / "song")
    reaper.do(SOUND)
    file, _ = bridge.take(home / "library", "a2")
    bridge.beat(version=__version__, jobs=jobs(file, time.time()))
    reaper.press("Panel")
    reaper.tick(40)
    return reaper


def in_imgui(folder: Path) -> Any:
    """Return the panel in Dear ImGui, as pixels."""
    ui = DearImGui()
    try:
        ui.io.display_size = (WIDTH + 2 * CORNER, HEIGHT + 2 * CORNER)
        reaper = shown(folder, dear_imgui=ui.functions())
        ui.type(PROMPT)
        reaper.tick(3)
        return picture.of_imgui(WIDTH + CORNER, 720 + CORNER)[CORNER:, CORNER:]
    finally:
        ui.close()


def in_gfx(folder: Path) -> str:
    """Return the panel in gfx, as a drawing."""
    reaper = shown(folder)
    reaper.do(f"gfx.h = {HEIGHT} fake.keys = {{{', '.join(str(ord(one)) for one in PROMPT)}}}")
    reaper.tick(3)
    return picture.svg_of_gfx(reaper.get("fake.shapes"), WIDTH, HEIGHT)


def main() -> None:
    """Write both."""
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        picture.save(ROOT / "docs" / "reaper-panel.png", in_imgui(Path(first)))
        (ROOT / "docs" / "reaper-panel-gfx.svg").write_text(in_gfx(Path(second)), encoding="utf-8")


if __name__ == "__main__":
    main()
