"""A chain: presets that are made from the takes of other presets, so that one press makes all of them in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from bridge_daemon.domain.request import Request, Source

if TYPE_CHECKING:
    from bridge_daemon.settings.sections import Preset


#: Stands for a take that is not known yet: of presets before, or the newest. Known by identity: its id may be typed.
COMING: Final = Source.model_construct(take="0")  # no start builds the checks of requests


def steps_of(request: Request, presets: Mapping[str, Preset]) -> list[Request]:
    """Return a request as one for each preset that it makes; each stands after those whose takes it is made from.

    The last is the request itself. One that names a source of its own is made from that, and from no other preset. What
    is made from a take that is not known yet has the source COMING.
    """
    return [_from_take(one, presets) for one in _in_order(request, presets)]


def in_order(name: str, presets: Mapping[str, Preset]) -> list[str]:
    """Return the presets that one press of a preset makes, each behind those whose takes it is made from."""
    names: list[str] = []

    def visit(name: str) -> None:
        for before in presets[name].of or ():  # no circle: the settings were checked
            visit(before)
        if name not in names:
            names.append(name)

    visit(name)
    return names


def _from_take(request: Request, presets: Mapping[str, Preset]) -> Request:
    preset = presets.get(request.preset or "")
    if preset is None or preset.source is None or request.source is not None:
        return request
    return request.model_copy(update={"source": COMING})


def _in_order(request: Request, presets: Mapping[str, Preset]) -> list[Request]:
    preset = presets.get(request.preset or "")
    if preset is None or request.source is not None:
        return [request]
    names = in_order(request.preset or "", presets)
    shared = {name: getattr(request, name) for name in ("id", "client", "place", "duration", "valid_for", "variations")}
    if shared["variations"] is None:  # each variation of the last is made from one of those before it
        shared["variations"] = getattr(preset, "variations", None) or 1
    return [*(Request(preset=name, **shared) for name in names[:-1]), request]
