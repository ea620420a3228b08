"""Pictures of the panel: what Dear ImGui hands to a graphics card, drawn in software; and what gfx was told to draw."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from imgui_bundle import imgui


def _texture(wanted: Any) -> np.ndarray[Any, Any]:
    pixels = np.frombuffer(bytes(wanted.get_pixels_array()), np.uint8)
    return pixels.reshape(wanted.height, wanted.width, wanted.bytes_per_pixel)


def take_textures() -> dict[int, np.ndarray[Any, Any]]:
    """Return the textures of the last frame, as a backend would load them up."""
    found = {}
    for number, one in enumerate(imgui.get_platform_io().textures, 1):
        if one.status == imgui.ImTextureStatus.want_destroy:
            one.set_status(imgui.ImTextureStatus.destroyed)
            continue
        if one.status != imgui.ImTextureStatus.ok:
            one.set_tex_id(number)
            one.set_status(imgui.ImTextureStatus.ok)
        found[int(one.get_tex_id())] = _texture(one)
    return found


def _triangle(
    canvas: np.ndarray[Any, Any],
    corners: np.ndarray[Any, Any],
    uv: np.ndarray[Any, Any],
    color: np.ndarray[Any, Any],
    texture: np.ndarray[Any, Any],
    clip: tuple[int, int, int, int],
) -> None:
    (ax, ay), (bx, by), (cx, cy) = corners
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    if abs(area) < 1e-9:
        return
    x0, y0 = max(clip[0], int(corners[:, 0].min())), max(clip[1], int(corners[:, 1].min()))
    x1, y1 = min(clip[2], int(corners[:, 0].max()) + 1), min(clip[3], int(corners[:, 1].max()) + 1)
    if x1 <= x0 or y1 <= y0:
        return
    xs, ys = np.meshgrid(np.arange(x0, x1) + 0.5, np.arange(y0, y1) + 0.5)
    w1 = ((xs - ax) * (cy - ay) - (ys - ay) * (cx - ax)) / area
    w2 = ((bx - ax) * (ys - ay) - (by - ay) * (xs - ax)) / area
    w0 = 1 - w1 - w2
    # a point on the edge of two triangles belongs to one of them
    inside = (w0 >= 0) & (w1 >= 0) & (w2 > 1e-9 if area > 0 else w2 >= 0)
    if not inside.any():
        return
    weights = np.stack([w0, w1, w2], -1)[inside]
    at = weights @ uv
    height, width = texture.shape[:2]
    texel = texture[
        np.clip((at[:, 1] * height).astype(int), 0, height - 1), np.clip((at[:, 0] * width).astype(int), 0, width - 1)
    ].astype(float)
    if texel.shape[1] == 1:
        texel = np.concatenate([np.full((len(texel), 3), 255.0), texel], 1)
    source = (weights @ color) * texel / 255.0
    alpha = source[:, 3:4] / 255.0
    part = canvas[y0:y1, x0:x1]
    part[inside] = part[inside] * (1 - alpha) + source[:, :3] * alpha


def of_imgui(width: int, height: int) -> np.ndarray[Any, Any]:
    """Return the last frame of Dear ImGui as pixels."""
    data, textures = imgui.get_draw_data(), take_textures()
    canvas = np.full((height, width, 3), 32.0)
    for drawn in data.cmd_lists:
        vertices = [(v.pos.x, v.pos.y, v.uv.x, v.uv.y, v.col) for v in drawn.vtx_buffer]
        positions = np.array([v[:2] for v in vertices])
        uvs = np.array([v[2:4] for v in vertices])
        colors = np.array([[v[4] >> shift & 255 for shift in (0, 8, 16, 24)] for v in vertices], float)
        indices = list(drawn.idx_buffer)
        for command in drawn.cmd_buffer:
            rect = command.clip_rect
            clip = max(0, int(rect.x)), max(0, int(rect.y)), min(width, int(rect.z)), min(height, int(rect.w))
            texture = textures[int(command.get_tex_id())]
            for first in range(command.idx_offset, command.idx_offset + command.elem_count, 3):
                corner = [indices[first + step] + command.vtx_offset for step in range(3)]
                _triangle(canvas, positions[corner], uvs[corner], colors[corner], texture, clip)
    return canvas.clip(0, 255).astype(np.uint8)


def save(path: Path, pixels: np.ndarray[Any, Any]) -> None:
    """Write a PNG."""
    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + pixels[row].tobytes() for row in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    )


def svg_of_gfx(shapes: list[dict[str, Any]], width: int, height: int) -> str:
    """Return what gfx was told to draw as a drawing."""
    size = f'width="{width}" height="{height}"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="Arial, sans-serif">']
    for one in shapes:
        red, green, blue = (round(255 * value) for value in one["color"][:3])
        corner, fill = f'x="{one["x"]:g}"', f'fill="rgb({red},{green},{blue})"'
        if one["kind"] == "text":
            text = one["text"].replace("&", "&amp;").replace("<", "&lt;")
            y, length = one["y"] + 0.8 * one["h"], len(one["text"]) * one["h"] * 0.5
            shape = (
                f'font-size="{one["h"]}" textLength="{length:g}" lengthAdjust="spacingAndGlyphs" xml:space="preserve"'
            )
            parts.append(f'<text {corner} y="{y:g}" {fill} {shape}>{text}</text>')
        elif one["kind"] == "rect":
            parts.append(f'<rect {corner} y="{one["y"]:g}" width="{one["w"]:g}" height="{one["h"]:g}" {fill}/>')
    return "\n".join([*parts, "</svg>"]) + "\n"
