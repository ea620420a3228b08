"""From what was asked to what is sent: presets, defaults, ranges, seeds and lengths. Pure, so every fault is found."""

from __future__ import annotations

import difflib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge_daemon.errors import Fault
from bridge_daemon.job import Parameters
from bridge_daemon.models import Model, models
from bridge_daemon.request import PARAMETERS, Request
from bridge_daemon.settings import Settings

#: Seeds are drawn from 1 to this; both of the documented readings of the service take these.
LARGEST_DRAWN_SEED = 2_147_483_647
MAX_VARIATIONS = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A request with its preset and the defaults filled in. None stands where nothing says anything."""

    action: str
    prompt: str
    model: Model
    duration: float | None
    steps: int | None
    cfg_scale: float | None
    strength: float
    seed: int | None
    variations: int
    valid_for: float  # s


def fill(given: Mapping[str, Any], settings: Settings) -> tuple[Asked | None, list[Fault]]:
    """Fill in preset and defaults, in that order behind the request itself, and check every range.

    ``given`` holds the fields of the request that are right by themselves. Returns None beside the faults.
    """
    faults: list[Fault] = []
    values: dict[str, Any] = {}
    name = given.get("preset")
    if name is not None:
        preset = settings.presets.get(name)
        if preset is None:
            faults.append(Fault("preset", name, _did_you_mean(name, settings.presets)))
        else:
            values |= preset.model_dump(exclude_none=True)
    values |= {key: given[key] for key in (*PARAMETERS, "action") if given.get(key) is not None}
    values.setdefault("model", settings.engine.model)
    values.setdefault("strength", settings.defaults.strength)
    values.setdefault("valid_for", settings.defaults.valid_for)
    values.setdefault("variations", 1)
    model = models().get(values["model"])
    if model is None:
        faults.append(Fault("model", values["model"], _did_you_mean(values["model"], models())))
    faults += _shape_faults(values, given)
    if model is not None:
        faults += _range_faults(values, model)
    if faults or model is None:
        return None, faults
    fields = ("duration", "steps", "cfg_scale", "seed")
    return Asked(
        action=values["action"],
        prompt=values["prompt"],
        model=model,
        strength=values["strength"],
        variations=values["variations"],
        valid_for=values["valid_for"],
        **{field: values.get(field) for field in fields},
    ), []


def _did_you_mean(name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    if close:
        return f"is not known; did you mean {close[0]}?"
    return "is not known; there " + (f"are: {', '.join(sorted(known))}" if known else "are none")


def _shape_faults(values: Mapping[str, Any], given: Mapping[str, Any]) -> list[Fault]:
    """Return what is missing, or there and should not be."""
    faults = []
    action = values.get("action")
    if action is None:
        faults.append(Fault("action", None, "is required: generate or transform (or a preset that says it)"))
    if not (values.get("prompt") or "").strip():
        faults.append(Fault("prompt", values.get("prompt"), "is required; transforms need one too"))
    if action == "transform" and given.get("source") is None:
        faults.append(Fault("source", None, "is required by transform: {path, start, end}"))
    if action == "generate" and given.get("source") is not None:
        faults.append(Fault("source", given["source"], "belongs to transform only"))
    return faults


def _range_faults(values: Mapping[str, Any], model: Model) -> list[Fault]:
    """Return every number that is outside of what the model takes."""
    seed_range = (model.seed[0], model.seed[1] - MAX_VARIATIONS)  # variation k uses seed + k
    ranges: dict[str, tuple[float, float]] = {
        "duration": model.duration,
        "steps": model.steps(values.get("action", "generate")),
        "cfg_scale": model.cfg_scale,
        "strength": model.strength,
        "seed": seed_range,
        "variations": (1, MAX_VARIATIONS),
    }
    return [
        Fault(field, values[field], f"must be {low:g} to {high:g}" if high < 1e6 else f"must be {low} to {high}")
        for field, (low, high) in ranges.items()
        if values.get(field) is not None and not low <= values[field] <= high
    ]


def lengths(request: Request, asked: Asked, source_seconds: float | None) -> tuple[float, float | None, list[Fault]]:
    """Return how many seconds the service is asked for, to what the take is cut back (None: not), and faults.

    The request's own duration counts first, then the length of its place, then that of its source, then the default.
    """
    least, most = asked.model.duration
    short_source = source_seconds is not None and source_seconds < asked.model.source_least
    if request.duration is not None:
        return request.duration, request.duration if short_source else None, []
    for field, wanted in (("place.length", request.place.length), ("source", source_seconds)):
        if wanted is None:
            continue
        if wanted > most:
            return most, None, [Fault(field, wanted, f"is longer than the model makes ({most:g} s)")]
        if wanted < least:  # the service makes no less, so the take is cut
            return least, wanted, []
        return wanted, wanted if short_source else None, []
    return (0.0, None, []) if asked.duration is None else (asked.duration, None, [])


def parameters(request: Request, asked: Asked, duration: float, cut: float | None) -> list[Parameters]:
    """Return the parameters of each variation: complete, and with a seed, so that each take can be made again."""
    seed = asked.seed if asked.seed is not None else random.randint(1, LARGEST_DRAWN_SEED - MAX_VARIATIONS)
    return [
        Parameters(
            prompt=asked.prompt.strip(),
            duration=duration,
            seed=seed + number,
            steps=asked.steps,
            cfg_scale=asked.cfg_scale,
            strength=asked.strength if asked.action == "transform" else None,
            cut=cut,
        )
        for number in range(asked.variations)
    ]
