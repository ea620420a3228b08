"""A chain: presets that are made from the takes of other presets, so that one press makes all of them in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bridge_daemon.domain.request import Request

if TYPE_CHECKING:
    from bridge_daemon.settings.sections import Preset


def steps_of(request: Request, presets: Mapping[str, Preset]) -> list[Request]:
    """Return a request as one for each preset that it makes; each stands after those whose takes it is made from.

    The last is the request itself. One that names a source of its own is made from that, and from no other preset.
    """
    preset = presets.get(request.preset or "")
    if preset is None or request.source is not None or not preset.of:
        return [request]
    names: list[str] = []

    def visit(name: str) -> None:
        for before in presets[name].of or ():  # no circle: the settings were checked
            visit(before)
        if name not in names:
            names.append(name)

    visit(request.preset or "")
    shared = {name: getattr(request, name) for name in ("id", "client", "place", "duration", "valid_for", "variations")}
    if shared["variations"] is None:  # each variation of the last is made from one of those before it
        shared["variations"] = getattr(preset, "variations", None) or 1
    return [*(Request(preset=name, **shared) for name in names[:-1]), request]
