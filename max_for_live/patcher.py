"""A patcher as Max writes it: boxes, cords, parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from max_for_live import amxd, objects

#: Height of Live's device view, px.
HEIGHT: Final = 169
#: Parameters in a bank of Push.
KNOBS: Final = 8
#: The type of a parameter that holds text or a list.
BLOB: Final = 3
Rect = tuple[int, int, int, int]
Box = dict[str, Any]


class Patcher:
    """Boxes in the order of their making, and the cords between them."""

    def __init__(self, kind: str, width: int) -> None:
        """Start an empty one. ``width`` of the panel, px."""
        self._kind = kind
        self._width = width
        self._boxes: list[Box] = []
        self._cords: list[dict[str, Any]] = []
        self._parameters: dict[str, list[Any]] = {}
        self._banks: dict[str, dict[str, Any]] = {}
        self._shapes: dict[str, objects.Shape] = {}
        self._next_y = 24

    # Boxes

    def typed(self, text: str, *, outlets: int | None = None, **attributes: Any) -> str:
        """Add an object that is typed into a box; return its id."""
        return self._add("newobj", objects.typed(text, outlets=outlets), None, {"text": text} | attributes)

    def ui(self, maxclass: str, rect: Rect | None, **attributes: Any) -> str:
        """Add an object with a face; ``rect`` is its place on the panel, px. Return its id."""
        return self._add(maxclass, objects.UI[maxclass], rect, attributes)

    def parameter(self, box: str, valueof: Mapping[str, Any]) -> None:
        """Make a box a parameter of the device."""
        found = self._box(box)
        # an object with a face says so itself, a typed one in what Max saves of it
        place = found.setdefault("saved_object_attributes", {}) if found["maxclass"] == "newobj" else found
        place["parameter_enable"] = 1
        if valueof["parameter_type"] == BLOB:
            place["parameter_mappable"] = 0
        found["varname"] = valueof["parameter_longname"]
        found.setdefault("saved_attribute_attributes", {})["valueof"] = dict(sorted(valueof.items()))
        self._parameters[box] = [valueof["parameter_longname"], valueof["parameter_shortname"], 0]

    def _add(self, maxclass: str, shape: objects.Shape, rect: Rect | None, attributes: Mapping[str, Any]) -> str:
        box_id = f"obj-{len(self._boxes) + 1}"
        box: Box = {"id": box_id, "maxclass": maxclass, "numinlets": shape.inlets, "numoutlets": len(shape.outlets)}
        if shape.outlets:
            box["outlettype"] = list(shape.outlets)
        box["patching_rect"] = [24.0, float(self._next_y), float(rect[2] if rect else 240), 22.0]
        self._next_y += 32
        if rect is not None:
            box |= {"presentation": 1, "presentation_rect": [float(edge) for edge in rect]}
        self._boxes.append(box | dict(attributes))
        self._shapes[box_id] = shape
        return box_id

    def _box(self, box_id: str) -> Box:
        return next(box for box in self._boxes if box["id"] == box_id)

    # Cords

    def cord(self, source: str, destination: str, *, outlet: int = 0, inlet: int = 0) -> None:
        """Draw a cord. Raises ValueError where there is no such outlet or inlet."""
        if outlet >= len(self._shapes[source].outlets) or inlet >= self._shapes[destination].inlets:
            raise ValueError(f"no cord from {self._box(source)}, outlet {outlet}, to {self._box(destination)}")
        self._cords.append({"patchline": {"source": [source, outlet], "destination": [destination, inlet]}})

    def chain(self, *boxes: str) -> None:
        """Draw cords from each box's first outlet to the next box's first inlet."""
        for source, destination in pairwise(boxes):
            self.cord(source, destination)

    # As Max writes it

    def document(self, *, scripts: Sequence[str], description: str) -> dict[str, Any]:
        """Return the whole patcher. Every value is fixed: two builds give the same bytes."""
        return {
            "patcher": {
                "fileversion": 1,
                "appversion": {"major": 8, "minor": 5, "revision": 8, "architecture": "x64", "modernui": 1},
                "classnamespace": "box",
                "rect": [64.0, 96.0, 960.0, 720.0],
                "openrect": [0.0, 0.0, float(self._width), float(HEIGHT)],
                "openinpresentation": 1,
                "default_fontsize": 10.0,
                "default_fontface": 0,
                "default_fontname": "Arial Bold",
                "gridonopen": 1,
                "gridsize": [8.0, 8.0],
                "gridsnaponopen": 1,
                "objectsnaponopen": 1,
                "statusbarvisible": 2,
                "toolbarvisible": 1,
                "boxanimatetime": 500,
                "enablehscroll": 1,
                "enablevscroll": 1,
                "devicewidth": float(self._width),
                "description": description,
                "digest": "",
                "tags": "",
                "style": "",
                "boxes": [{"box": box} for box in self._boxes],
                "lines": self._cords,
                "parameters": self._registry(),
                "dependency_cache": [
                    {"name": name, "bootpath": ".", "patcherrelativepath": ".", "type": "TEXT", "implicit": 1}
                    for name in scripts
                ],
                "latency": 0,
                "is_mpe": 0,
                "external_mpe_tuning_enabled": 0,
                "minimum_live_version": "",
                "minimum_max_version": "",
                "platform_compatibility": 0,
                "project": self._project(),
                "autosave": 0,
            }
        }

    def banks(self, named: Mapping[str, Sequence[str]]) -> None:
        """Lay parameters on the eight knobs of Push by their long names; a knob without one stays free."""
        known = {long for long, _, _ in self._parameters.values()}
        for name, longs in named.items():
            # always all eight: a bank with fewer has taken Live down
            knobs = [long if long in known else "-" for long in (*longs, *["-"] * KNOBS)[:KNOBS]]
            self._banks[str(len(self._banks))] = {"index": len(self._banks), "name": name, "parameters": knobs}

    def _registry(self) -> dict[str, Any]:
        banks = {"parameterbanks": self._banks} if self._banks else {}  # an empty one takes Live down, too
        return dict(self._parameters) | banks | {"inherited_shortname": 1}

    def _project(self) -> dict[str, Any]:
        return {
            "version": 1,
            "creationdate": amxd.FIXED_DATE,
            "modificationdate": amxd.FIXED_DATE,
            "viewrect": [0.0, 0.0, 300.0, 500.0],
            "autoorganize": 1,
            "hideprojectwindow": 1,
            "showdependencies": 1,
            "autolocalize": 0,
            "contents": {"patchers": {}},
            "layout": {},
            "searchpath": {},
            "detailsvisible": 0,
            "amxdtype": amxd.amxdtype(self._kind),
            "readonly": 0,
            "devpathtype": 0,
            "devpath": ".",
            "sortmode": 0,
            "viewmode": 0,
            "includepackages": 0,
        }
