"""What a model offers: whether it is known, and whether it replaces regions, which depends on the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from bridge_daemon.domain.job import Parameters
from bridge_daemon.domain.models import INPAINT, Model, Region, models
from bridge_daemon.domain.parameters import REGION
from bridge_daemon.engine.choice import Choice
from bridge_daemon.errors import Fault, ModelTrouble, invalid
from bridge_daemon.spending.parameters import Resolved

#: The sketch engine replaces regions, whatever the model does that it stands in for.
_SKETCH: Final = Region(start="mask_start", end="mask_end")
#: Lengths told by a DAW end a frame or two beside those of the file, s.
_NEAR: Final = 0.01


def region_of(model: Model, *, paid: bool) -> Region | None:
    """Return how a model takes a region that is to be replaced; None: it replaces none. ``paid``: at the service."""
    return model.region if paid else _SKETCH


def check_replaced(
    engine: Choice, resolved: Resolved, source_seconds: float | None, duration: float | None = None
) -> Region | None:
    """Return how the region of a request is told to the model, None if it has none.

    ``duration`` is what the request itself says. Raises ModelTrouble if the model replaces none, InvalidRequest if the
    region is not in the source.
    """
    if resolved.region is None:
        return None
    taken = region_of(resolved.model, paid=engine.paid)
    if taken is None:
        raise ModelTrouble(
            f"{resolved.model.title} replaces no regions: the service's catalogue lists no {INPAINT} for it with "
            "fields that the bridge knows. Nothing was sent.",
            next="Transform the whole source (without region_start and region_end), or name a model that replaces.",
        )
    end = resolved.region[1]
    if source_seconds is not None and end > source_seconds + _NEAR:
        raise invalid("region_end", end, f"must be at most {source_seconds:.10g}, the length of the source")
    if source_seconds is not None and duration is not None and abs(duration - source_seconds) > _NEAR:
        raise invalid("duration", duration, f"is that of the source ({source_seconds:.10g}); leave it out")
    return taken


def refuse_stranger(faults: Sequence[Fault], meet: Callable[[str], str | None]) -> None:
    """Raise ModelTrouble if nothing is wrong with a request but that nobody knows its model.

    ``meet`` is told of the model, and says why it cannot be used, if that is known.
    """
    strangers = {str(fault.value) for fault in faults if is_stranger(fault)}
    why = {name: meet(name) for name in sorted(strangers)}
    if len(faults) > sum(map(is_stranger, faults)):
        return
    raise stranger(sorted(strangers)[0], why[sorted(strangers)[0]])


def stranger(name: str, why: str | None) -> ModelTrouble:
    """Return the error for a model that nobody knows."""
    if why is None:
        return ModelTrouble(
            f"The service's catalogue has not told of a model {name} yet. Nothing was sent.",
            next=f"Press again in a moment; daw-bridge price --model {name} asks the catalogue now, free of charge.",
        )
    known = ", ".join(models())
    return ModelTrouble(f"The model {name} is not known. {why}. Nothing was sent.", next=f"Choose another: {known}.")


def is_stranger(fault: Fault) -> bool:
    """Whether a fault is that nobody knows a model."""
    return fault.field.rpartition(".")[2] == "model" and isinstance(fault.value, str) and fault.value not in models()


def told_of(resolved: Resolved, sent: Parameters) -> list[str]:
    """Return what a person should know of how a request is sent."""
    notes = []
    if not resolved.model.takes("seed"):
        notes.append(f"{resolved.model.title} takes no seed: this take cannot be made again")
    edges = tuple(getattr(sent, name) for name in REGION)
    if resolved.region is not None and edges != resolved.region:
        notes.append(f"the model takes whole seconds: {edges[0]:g} to {edges[1]:g} s of the source are replaced")
    return notes
