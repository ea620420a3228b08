"""From what was asked to what is sent: presets, defaults, ranges, seeds and lengths. Pure, so every fault is found."""

from __future__ import annotations

import difflib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge_daemon.domain import prompt_fields
from bridge_daemon.domain.job import Parameters
from bridge_daemon.domain.models import Model, models
from bridge_daemon.domain.request import MAX_PROMPT, PARAMETERS, Request
from bridge_daemon.errors import Fault
from bridge_daemon.settings.load import Settings

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
    notes: tuple[str, ...] = ()  # what the preset's prompt had to leave out


def fill(
    given: Mapping[str, Any], settings: Settings, fields: Mapping[str, object] | None = None
) -> tuple[Asked | None, list[Fault]]:
    """Fill in preset and defaults, in that order behind the request itself, and check every range.

    ``given`` holds the fields of the request that are right by themselves, ``fields`` what the prompt of a preset may
    name. Returns None beside the faults.
    """
    faults: list[Fault] = []
    notes: tuple[str, ...] = ()
    values: dict[str, Any] = {}
    name = given.get("preset")
    preset = settings.presets.get(name) if name is not None else None
    if preset is not None:
        values |= preset.model_dump(exclude_none=True)
        if preset.prompt is not None and given.get("prompt") is None:
            values["prompt"], notes = _prompt(preset.prompt, fields or {}, faults)
    elif name is not None:
        faults.append(Fault("preset", name, _did_you_mean(name, settings.presets)))
    values |= {key: given[key] for key in (*PARAMETERS, "action") if given.get(key) is not None}
    values.setdefault("model", settings.engine.model)
    values.setdefault("strength", settings.defaults.strength)
    values.setdefault("valid_for", settings.defaults.valid_for)
    values.setdefault("variations", 1)
    model = models().get(values["model"])
    if model is None:
        faults.append(Fault("model", values["model"], _did_you_mean(values["model"], models())))
    if preset is not None or name is None:  # what an unknown preset would have said is not missing
        faults += _missing(values)
    faults += _source_faults(values, given)
    if model is not None:
        faults += _range_faults(values, model) + _place_faults(given, model)
    if faults or model is None:
        return None, faults
    left_out = ("duration", "steps", "cfg_scale", "seed")
    return Asked(
        action=values["action"],
        prompt=values["prompt"],
        model=model,
        strength=values["strength"],
        variations=values["variations"],
        valid_for=values["valid_for"],
        notes=notes,
        **{field: values.get(field) for field in left_out},
    ), []


def _prompt(prompt: str, fields: Mapping[str, object], faults: list[Fault]) -> tuple[str, tuple[str, ...]]:
    """Return the prompt of a preset with its fields filled, and what was left out."""
    filled = prompt_fields.fill(prompt, fields)
    if len(filled.text) > MAX_PROMPT:
        faults.append(Fault("preset", prompt[:60], f"its prompt, filled, is longer than {MAX_PROMPT} characters"))
    if filled.notes and not filled.text:
        faults.append(Fault("preset", prompt[:60], f"nothing is left of its prompt: {'; '.join(filled.notes)}"))
        return prompt, ()
    return filled.text, filled.notes


def _did_you_mean(name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    if close:
        return f"is not known; did you mean {close[0]}?"
    return "is not known; there " + (f"are: {', '.join(sorted(known))}" if known else "are none")


def _missing(values: Mapping[str, Any]) -> list[Fault]:
    faults = []
    if values.get("action") is None:
        faults.append(Fault("action", None, "is required: generate or transform (or a preset that says it)"))
    if not (values.get("prompt") or "").strip():
        faults.append(Fault("prompt", values.get("prompt"), "is required; transforms need one too"))
    return faults


def _source_faults(values: Mapping[str, Any], given: Mapping[str, Any]) -> list[Fault]:
    action, source = values.get("action"), given.get("source")
    if action == "transform" and source is None:
        return [Fault("source", None, "is required by transform: {path, start, end}")]
    if action == "generate" and source is not None:
        return [Fault("source", source, "belongs to transform only")]
    return []


def _place_faults(given: Mapping[str, Any], model: Model) -> list[Fault]:
    """A place that is longer than the model makes, where its length is what the request asks for."""
    length = (given.get("place") or {}).get("length")
    if given.get("duration") is not None or length is None or length <= model.duration[1]:
        return []
    most = f"longer than the model makes ({model.duration[1]:g} s)"
    bars = given["place"].get("bars")
    if bars is not None:
        return [Fault("place.bars", bars, f"is {length:.4g} s at this tempo, {most}")]
    return [Fault("place.length", length, f"is {most}")]


def _range_faults(values: Mapping[str, Any], model: Model) -> list[Fault]:
    """Return every number that is outside of what the model takes."""
    more = min(max(int(values["variations"]), 1), MAX_VARIATIONS) - 1
    seed_range = (model.seed[0], model.seed[1] - more)  # variation k uses seed + k
    ranges: dict[str, tuple[float, float]] = {
        "duration": model.duration,
        "cfg_scale": model.cfg_scale,
        "strength": model.strength,
        "seed": seed_range,
        "variations": (1, MAX_VARIATIONS),
    }
    if values.get("action") is not None:  # each has its own range
        ranges["steps"] = model.steps(values["action"])
    return [
        Fault(field, values[field], f"must be {low:g} to {high:g}" if high < 1e6 else f"must be {low} to {high}")
        for field, (low, high) in ranges.items()
        if values.get(field) is not None and not low <= values[field] <= high
    ]


def lengths(request: Request, asked: Asked, source_seconds: float | None, default: float) -> tuple[float, float | None]:
    """Return how many seconds the service is asked for, and to what the take is cut back (None: not).

    The request's own duration counts first, then the length of its place, then that of its source (checked before: it
    is not longer than the model makes), then the preset's, then the default.
    """
    least, most = asked.model.duration
    short_source = source_seconds is not None and source_seconds < asked.model.source_least
    given = (request.duration, request.place.length, source_seconds, asked.duration)
    wanted = next((seconds for seconds in given if seconds is not None), default)
    # the service makes no less than its least, and a source that was repeated may come back whole
    return min(max(wanted, least), most), wanted if short_source or wanted < least else None


def parameters(asked: Asked, duration: float, cut: float | None) -> list[Parameters]:
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
