"""Draw the toolbar icons for REAPER: ``python -m tools.toolbar_icons``.

REAPER takes PNG files from ``Data/toolbar_icons``, and larger ones of the same name from its folders ``150`` and
``200``: three pictures beside each other, as the button is at rest, under the mouse, and pressed or lit.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

Shape = NDArray[np.float64]

FOLDER: Final = Path(__file__).parents[1] / "reaper_scripts" / "toolbar_icons"
SIZE: Final = 30
SCALES: Final = {"": 1.0, "150": 1.5, "200": 2.0}
FINE: Final = 8  # samples of a pixel, in each direction
#: Of what is drawn and of what marks it, at rest, under the mouse, and lit.
STATES: Final = (
    ((200, 200, 204), (111, 168, 220)),
    ((240, 240, 244), (145, 195, 240)),
    ((255, 255, 255), (140, 212, 140)),
)
BARS: Final = (5.0, 10.0, 15.0, 8.0, 12.0)  # heights of the waveform, of 30


def _grid() -> tuple[Shape, Shape]:
    at = (np.arange(SIZE * 16) + 0.5) / 16
    x, y = np.meshgrid(at, at)
    return x, y


X, Y = _grid()  # in thirtieths of the icon


def box(left: float, top: float, right: float, bottom: float, round_by: float = 0.0) -> Shape:
    """Return how far each point is outside of a box with round corners."""
    dx = np.abs(X - (left + right) / 2) - (right - left) / 2 + round_by
    dy = np.abs(Y - (top + bottom) / 2) - (bottom - top) / 2 + round_by
    outside = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) + np.minimum(np.maximum(dx, dy), 0)
    return outside - round_by


def wave(left: float, middle: float, part: float = 1.0, step: float = 3.6) -> Shape:
    """Return the bars of a waveform, from the left, around a middle."""
    bars = [
        box(left + i * step, middle - h * part / 2, left + i * step + 2, middle + h * part / 2, 1)
        for i, h in enumerate(BARS)
    ]
    return np.minimum.reduce(bars)


def ring(x: float, y: float, radius: float, thick: float) -> Shape:
    """Return a ring."""
    return np.abs(np.hypot(X - x, Y - y) - radius) - thick / 2


def triangle(*corners: tuple[float, float]) -> Shape:
    """Return a triangle, its corners clockwise."""
    sides = []
    for (ax, ay), (bx, by) in zip(corners, (*corners[1:], corners[0]), strict=True):
        length = float(np.hypot(bx - ax, by - ay))
        sides.append(((X - ax) * (by - ay) - (Y - ay) * (bx - ax)) / length)
    return np.maximum.reduce(sides)


def panel() -> tuple[Shape, Shape]:
    """Return a window with a waveform in it."""
    frame = np.maximum(box(3, 4, 27, 26, 3), -box(5, 6, 25, 24, 1.5))
    return np.minimum(frame, box(3, 4, 27, 8.5, 3)), wave(6.8, 16.2, 0.8)


def transform() -> tuple[Shape, Shape]:
    """Return a waveform that goes on as an arrow."""
    arrow = np.minimum(box(15, 22.2, 23, 24.2), triangle((22, 19.4), (27.5, 23.2), (22, 27)))
    return wave(3.5, 11.5, 1.05, 5.3), arrow


def generate() -> tuple[Shape, Shape]:
    """Return a waveform with a plus."""
    plus = np.minimum(box(17.5, 21.6, 27, 24), box(21.05, 18, 23.45, 27.6))
    return np.maximum(wave(3.5, 11.5, 1.05, 5.3), -ring(22.2, 22.8, 0, 13)), plus


def again() -> tuple[Shape, Shape]:
    """Return a waveform in an arrow that goes round."""
    gap = triangle((14, 15), (30, 1), (30, 15))
    round_arrow = np.maximum(ring(14, 15, 10.8, 2.4), -gap)
    head = triangle((20.6, 11.5), (29.0, 11.5), (24.8, 17))
    return wave(6.4, 15, 0.6, 3.1), np.minimum(round_arrow, head)


ICONS: Final[dict[str, Callable[[], tuple[Shape, Shape]]]] = {
    "daw_bridge_panel": panel,
    "daw_bridge_transform": transform,
    "daw_bridge_transform_again": again,
    "daw_bridge_generate": generate,
}


def _cover(shape: Shape, size: int) -> Shape:
    """Return how much of each pixel of an icon a shape covers."""
    at = ((np.arange(size * FINE) + 0.5) / (size * FINE) * len(shape)).astype(int)
    inside = (shape <= 0)[np.ix_(at, at)].astype(float)
    covered: Shape = inside.reshape(size, FINE, size, FINE).mean(axis=(1, 3))
    return covered


def draw(shapes: tuple[Shape, Shape], size: int) -> NDArray[np.uint8]:
    """Return the three pictures beside each other, RGBA."""
    parts = []
    for colors in STATES:
        picture = np.zeros((size, size, 4))
        for shape, color in zip(shapes, colors, strict=True):
            cover = _cover(shape, size)[..., None]
            picture[..., :3] = picture[..., :3] * (1 - cover) + np.array(color) * cover
            picture[..., 3:] = picture[..., 3:] * (1 - cover) + 255 * cover
        # colours are kept apart from how much is covered
        alpha = picture[..., 3:]
        picture[..., :3] = np.where(alpha > 0, picture[..., :3] * 255 / np.maximum(alpha, 1), 0)
        parts.append(np.rint(np.clip(picture, 0, 255)).astype(np.uint8))
    return np.concatenate(parts, axis=1)


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Return a picture as a PNG file."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def files() -> dict[str, bytes]:
    """Return all icons, by their path below the folder."""
    return {
        f"{scale}/{name}.png".lstrip("/"): png(draw(shapes(), round(SIZE * factor)))
        for name, shapes in ICONS.items()
        for scale, factor in SCALES.items()
    }


def main() -> None:
    """Write them."""
    for path, data in files().items():
        (FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / path).write_bytes(data)


if __name__ == "__main__":
    main()
