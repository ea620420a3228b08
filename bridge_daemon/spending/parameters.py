"""From what was asked to what is sent: presets, defaults, ranges, seeds and lengths. Pure, so every fault is found."""

from __future__ import annotations

import difflib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge_daemon.domain import prompt_fields, wildcards
from bridge_daemon.domain.job import Parameters
from bridge_daemon.domain.models import Model, models
from bridge_daemon.domain.parameters import MAX_PROMPT, TABLE, names, sent
from bridge_daemon.domain.request import Request, Source
from bridge_daemon.errors import Fault
from bridge_daemon.settings.load import Settings
from bridge_daemon.util.text import is_visible

#: Seeds are drawn from 1 to this; both of the documented readings of the service take these.
LARGEST_DRAWN_SEED = 2_147_483_647
MAX_VARIATIONS = 8
#: What this module gives a meaning of its own; every other number of the table is passed on.
_OWN = ("action", "prompt", "duration", "seed", "variations", "valid_for", "fit", "loudness", "negative_prompt")


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """What a request asks for, with its preset and the defaults filled in. None is what nobody sets."""

    action: str
    prompt: str
    model: Model
    variations: int
    valid_for: float  # s
    duration: float | None = None
    seed: int | None = None
    fit: str | None = None
    loudness: str | float | None = None
    negative_prompt: str | None = None
    #: What else the service gets, by the names of the table.
    numbers: Mapping[str, float]
    notes: tuple[str, ...] = ()  # what the preset's prompt had to leave out

    @property
    def steps(self) -> int | None:
        """The steps, on which the price depends."""
        steps = self.numbers.get("steps")
        return None if steps is None else int(steps)


def resolve(
    request: Request, settings: Settings, fields: Mapping[str, object] | None = None
) -> tuple[Resolved | None, list[Fault]]:
    """Fill in what a request leaves out, from its preset and then from the defaults, and check every range.

    The request may be partial. ``fields`` is what a prompt may name or be told. Returns None beside the faults.
    """
    faults: list[Fault] = []
    notes: tuple[str, ...] = ()
    preset = settings.presets.get(request.preset) if request.preset is not None else None
    values: dict[str, Any] = {"variations": 1, "model": settings.engine.model}
    values |= {"strength": settings.defaults.strength, "valid_for": settings.defaults.valid_for}
    if preset is not None:
        values |= preset.model_dump(exclude_none=True)
        if preset.prompt is not None and request.prompt is None:
            values["prompt"], notes = _prompt(preset.prompt, fields or {}, faults)
    elif request.preset is not None:
        faults.append(Fault("preset", request.preset, _did_you_mean(request.preset, settings.presets)))
    values |= {name: value for name in (*names(), "action") if (value := getattr(request, name)) is not None}
    if settings.music.in_prompt and is_visible(wildcards.least(values.get("prompt") or "")):
        musical = prompt_fields.musical(values["prompt"], fields or {}, MAX_PROMPT)
        values["prompt"], notes = musical.text, (*notes, *musical.notes)
    if preset is not None and preset.source is not None:  # whichever command presses it
        values["action"] = "transform"
    model = models().get(values["model"])
    if model is None:
        faults.append(Fault("model", values["model"], _did_you_mean(values["model"], models())))
    if preset is not None or request.preset is None:  # what an unknown preset would have said is not missing
        faults += _missing(values)
    faults += _source_faults(values.get("action"), request.source)
    if model is not None:
        faults += _range_faults(values, model) + _place_faults(request, model) + _listed_faults(values, model)
    if faults or model is None:
        return None, faults
    return Resolved(
        model=model,
        notes=notes,
        numbers={one.name: values[one.name] for one in sent() if one.name in values and one.name not in _OWN},
        **{name: values[name] for name in _OWN if name in values},
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
    prompt = values.get("prompt") or ""
    if not prompt.strip():
        faults.append(Fault("prompt", values.get("prompt"), "is required; transforms need one too"))
    elif not is_visible(wildcards.least(prompt)):
        faults.append(Fault("prompt", ascii(prompt[:20]), "has nothing in it that can be seen"))
    return faults


def _source_faults(action: str | None, source: Source | None) -> list[Fault]:
    if action == "transform" and source is None:
        return [Fault("source", None, "is required by transform: {path, start, end} or {take}")]
    if action == "generate" and source is not None:
        return [Fault("source", source.as_dict(), "belongs to transform only")]
    return []


def _place_faults(request: Request, model: Model) -> list[Fault]:
    """A place that is longer than the model makes, if its length is what the request asks for."""
    length, bars = request.place.length, request.place.bars
    if request.duration is not None or length is None or length <= model.duration[1]:
        return []
    most = f"longer than the model makes ({model.duration[1]:g} s)"
    if bars is not None:
        return [Fault("place.bars", bars, f"is {length:.4g} s at this tempo, {most}")]
    return [Fault("place.length", length, f"is {most}")]


def _range_faults(values: Mapping[str, Any], model: Model) -> list[Fault]:
    """Return every number that is outside of what the model takes."""
    faults, action = [], values.get("action")
    for one in TABLE:
        value, span = values.get(one.name), model.range(one.name, action)
        if value is None or span is None or not one.by_model or (action is None and one.name in model.by_action):
            continue
        low, high = span
        if one.name == "seed":  # variation k uses seed + k
            high -= min(max(int(values["variations"]), 1), MAX_VARIATIONS) - 1
        if not low <= value <= high:
            allowed = f"must be {low:g} to {high:g}" if high < 1e6 else f"must be {low} to {high}"
            faults.append(Fault(one.name, value, allowed))
    return faults


def _listed_faults(values: Mapping[str, Any], model: Model) -> list[Fault]:
    """Return what the service's catalogue does not list for the model."""
    return [
        Fault(one.name, values[one.name], f"is not taken by {model.title}: the service's catalogue does not list it")
        for one in TABLE
        if one.listed and values.get(one.name) and one.name not in model.listed
    ]


def lengths(
    request: Request, resolved: Resolved, source_seconds: float | None, default: float
) -> tuple[float, float | None]:
    """Return how many seconds the service is asked for, and to what the take is cut back (None: not).

    The request's own duration counts first, then the length of its place, then that of its source (checked before: it
    is not longer than the model makes), then the preset's, then the default.
    """
    least, most = resolved.model.duration
    short_source = source_seconds is not None and source_seconds < resolved.model.source_least
    given = (request.duration, request.place.length, source_seconds, resolved.duration)
    wanted = next((seconds for seconds in given if seconds is not None), default)
    # the service makes no less than its least, and a source that was repeated may come back whole
    return min(max(wanted, least), most), wanted if short_source or wanted < least else None


def parameters(
    resolved: Resolved, duration: float, cut: float | None, *, press: str = "", tempo: float | None = None
) -> list[Parameters]:
    """Return the parameters of each variation: complete, and with a seed, so that each take can be made again.

    ``press`` is the id of the request: the same press, sent again after a question, draws the same seed, and so makes
    the same choices in its prompt. ``tempo`` is that of the project at the press.
    """
    drawn = random.Random(press or None).randint(1, LARGEST_DRAWN_SEED - MAX_VARIATIONS)
    seed = resolved.seed if resolved.seed is not None else drawn
    fitting = {"fit": resolved.fit, "loudness": resolved.loudness, "tempo": tempo}
    numbers = {one.name: resolved.numbers.get(one.name) for one in sent() if resolved.action in one.actions}
    numbers = {name: value for name, value in numbers.items() if name not in _OWN}
    return [
        Parameters(
            prompt=wildcards.resolve(resolved.prompt, each).strip(),
            negative_prompt=resolved.negative_prompt or None,
            duration=duration,
            seed=each,
            cut=cut,
            **fitting,  # type: ignore[arg-type]
            **numbers,  # type: ignore[arg-type]
        )
        for each in range(seed, seed + resolved.variations)
    ]
