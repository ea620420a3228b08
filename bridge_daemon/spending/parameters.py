"""From what was asked to what is sent: presets, defaults, ranges, seeds and lengths. Pure, so every fault is found."""

from __future__ import annotations

import difflib
import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bridge_daemon.domain import prompt_fields, wildcards
from bridge_daemon.domain.fitting import asked_of, fit_of, spare_of
from bridge_daemon.domain.job import Parameters
from bridge_daemon.domain.models import AUDIO, INPAINT, TEXT, Model, Region, models
from bridge_daemon.domain.parameters import MAX_PROMPT, REGION, TABLE, names, sent
from bridge_daemon.domain.request import Request, Source
from bridge_daemon.errors import Fault
from bridge_daemon.settings.load import Settings
from bridge_daemon.util.text import is_visible

#: Seeds are drawn from 1 to this; both of the documented readings of the service take these.
LARGEST_DRAWN_SEED = 2_147_483_647
MAX_VARIATIONS = 8
#: A shorter region is a slip, s.
_LEAST_REGION: Final = 0.01
#: What is sent beside the numbers.
_ALWAYS: Final = ("model", "prompt")
_BESIDE: Final = ("mode", "output_format", "random_seed", "negative_prompt", "audio_url")
#: What this module gives a meaning of its own; every other number of the table is passed on.
_OWN = (
    *("action", "prompt", "duration", "seed", "variations", "valid_for"),
    *("continue_from", "fit", "loudness", "negative_prompt"),
)


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
    continue_from: float | None = None  # s
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

    @property
    def region(self) -> tuple[float, float] | None:
        """The region of the source that is to be replaced, in s; None: nothing is."""
        start, end = (self.numbers.get(name) for name in REGION)
        return None if start is None or end is None else (start, end)


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
    faults += _region_faults(values)
    values |= _replacing(values, request)
    model = models().get(values["model"])
    if model is None:
        faults.append(Fault("model", values["model"], _did_you_mean(values["model"], models())))
    if preset is not None or request.preset is None:  # what an unknown preset would have said is not missing
        faults += _missing(values)
    faults += _source_faults(values, request.source)
    if model is not None:
        faults += _range_faults(values, model) + _place_faults(request, model)
        faults += _listed_faults({**values, "strength": _asked(request, preset, "strength")}, model)
    if faults or model is None:
        return None, faults
    return Resolved(
        model=model,
        notes=notes,
        numbers={
            one.name: values[one.name]
            for one in sent()
            if one.name in values and one.name not in _OWN and (one.name in REGION or model.takes(one.name))
        },
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
        faults.append(Fault("action", None, "is required: generate, transform or replace (or a preset that says it)"))
    prompt = values.get("prompt") or ""
    if not prompt.strip():
        faults.append(Fault("prompt", values.get("prompt"), "is required; transforms need one too"))
    elif not is_visible(wildcards.least(prompt)):
        faults.append(Fault("prompt", ascii(prompt[:20]), "has nothing in it that can be seen"))
    return faults


def _source_faults(values: Mapping[str, Any], source: Source | None) -> list[Fault]:
    action, continued = values.get("action"), values.get("continue_from")
    if action == "generate" and continued is not None:
        return [Fault("continue_from", continued, "belongs to transform only")]
    if continued is not None and any(name in values for name in REGION):
        return [Fault("continue_from", continued, "cannot go with a region that is replaced")]
    if action == "transform" and source is None:
        return [Fault("source", None, "is required by transform: {path, start, end} or {take}")]
    if action == "generate" and source is not None:
        return [Fault("source", source.as_dict(), "belongs to transform only")]
    return []


def _region_faults(values: Mapping[str, Any]) -> list[Fault]:
    """Return what is wrong with the region of a source that is to be replaced, whatever its source is."""
    action, given = values.get("action"), {name: values[name] for name in REGION if name in values}
    if not given and action != "replace":
        return []
    if action == "generate":
        return [Fault(name, value, "belongs to transforms only") for name, value in given.items()]
    missing = [name for name in REGION if name not in given]
    if missing:
        need = "is required to replace a region: seconds in the source"
        return [Fault(name, None, need) for name in missing]
    start, end = given.values()
    if end - start < _LEAST_REGION:
        return [Fault("region_end", end, f"must be more than region_start ({start:g})")]
    return []


def _replacing(values: Mapping[str, Any], request: Request) -> dict[str, Any]:
    """Return what a region that is replaced means for the rest: it is a transform of a part of the source."""
    changed = {"action": "transform"} if values.get("action") == "replace" else {}
    # what is around the region lies there already, as it is to be
    return changed | ({"fit": request.fit or "off"} if "region_start" in values else {})


def _asked(request: Request, preset: Any, name: str) -> Any:
    """Return what the request or its preset says of a parameter, without the defaults."""
    given = getattr(request, name)
    return given if given is not None else getattr(preset, name, None)


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
    faults = [
        Fault(one.name, values[one.name], f"is not taken by {model.title}: the service's catalogue does not list it")
        for one in TABLE
        # a region is looked at with the engine, a seed only told of: without one the take is made all the same
        if one.name not in (*REGION, "seed") and values.get(one.name) and not model.takes(one.name)
    ]
    action = values.get("action")
    mode = {"generate": TEXT, "transform": INPAINT if "region_start" in values else AUDIO}.get(str(action))
    if mode is not None and mode != INPAINT and mode not in model.modes:
        faults.append(Fault("action", action, f"is not done by {model.title}: its catalogue has {_list(model.modes)}"))
    return faults


def _list(words: Iterable[str]) -> str:
    return ", ".join(words) or "no mode that is known"


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long a take is to be, s."""

    duration: float  #: what the service is asked for
    cut: float | None  #: to what the take is cut back; None: not
    spare: float | None  #: what of the duration is beyond the bars of the place; None: nothing

    @property
    def seconds(self) -> float:
        """The length of the take, as asked for."""
        return asked_of(self.duration, self.cut, self.spare)


def lengths(
    request: Request, resolved: Resolved, source_seconds: float | None, default: float, *, tempo: float | None = None
) -> Lengths:
    """Return how many seconds the service is asked for, and what is made of them. ``tempo`` is that of the project.

    The request's own duration counts first, then the length of its place, then that of its source (checked before: it
    is not longer than the model makes), then the preset's, then the default.
    """
    least, most = resolved.model.duration
    short_source = source_seconds is not None and source_seconds < resolved.model.source_least
    given = (request.duration, request.place.length, source_seconds, resolved.duration)
    if resolved.region is not None:  # the take stands for its source
        given = (source_seconds, *given[:2], resolved.duration)
    wanted = next((seconds for seconds in given if seconds is not None), default)
    # the service makes no less than its least, and a source that was repeated may come back whole
    cut = wanted if short_source or wanted < least else None
    spare, continues = 0.0, resolved.continue_from is not None
    if cut is None and (continues or (request.duration is None and resolved.action == "generate")):
        fit = fit_of(resolved.fit, request.client, request.place, tempo, continues=continues)
        spare = spare_of(fit, request.place, tempo, wanted, continues=continues)
        spare = min(spare, max(0.0, most - wanted))
    return Lengths(min(max(wanted + spare, least), most), cut, spare or None)


def parameters(
    resolved: Resolved,
    length: Lengths,
    *,
    press: str = "",
    tempo: float | None = None,
    after: float | None = None,
    region: Region | None = None,
) -> list[Parameters]:
    """Return the parameters of each variation: complete, and with a seed, so that each take can be made again.

    ``press`` is the id of the request: the same press, sent again after a question, draws the same seed, and so makes
    the same choices in its prompt. ``tempo`` is that of the project at the press, ``after`` the length of a source that
    is continued, s, ``region`` how the model takes a region that it replaces.
    """
    drawn = random.Random(press or None).randint(*_seeds(resolved.model))
    seed = resolved.seed if resolved.seed is not None else drawn
    fitting = {"fit": resolved.fit, "loudness": resolved.loudness, "tempo": tempo}
    fitting |= {"continue_from": resolved.continue_from, "after": after, "spare": length.spare}
    numbers = {one.name: resolved.numbers.get(one.name) for one in sent() if resolved.action in one.actions}
    numbers = {name: value for name, value in numbers.items() if name not in _OWN}
    if resolved.region is not None and region is not None:
        numbers |= {"strength": None} | dict(zip(REGION, _edges(resolved.region, region), strict=True))
    return [
        Parameters(
            prompt=wildcards.resolve(resolved.prompt, each).strip(),
            negative_prompt=resolved.negative_prompt or None,
            duration=length.duration,
            seed=each,
            cut=length.cut,
            mode=_mode(resolved, region),
            named=_names(resolved, region),
            **fitting,  # type: ignore[arg-type]
            **numbers,  # type: ignore[arg-type]
        )
        for each in range(seed, seed + resolved.variations)
    ]


def _seeds(model: Model) -> tuple[int, int]:
    """Return between what a seed is drawn, so that every variation has one that the model takes."""
    low, high = model.range("seed") or (1, LARGEST_DRAWN_SEED)
    most = min(LARGEST_DRAWN_SEED, int(high)) - MAX_VARIATIONS
    return (int(low), most) if low < most else (int(low), int(high) - MAX_VARIATIONS)


def _edges(region: tuple[float, float], taken: Region) -> tuple[float, float]:
    """Return a region as the model takes it: where that is in whole seconds, all of what is to be replaced."""
    start, end = region
    return (float(math.floor(start)), float(math.ceil(end))) if taken.whole else region


def _mode(resolved: Resolved, region: Region | None) -> str | None:
    """Return how the mode is written to the model; None: as the service's page writes it."""
    modes = resolved.model.modes
    if resolved.region is not None and region is not None:
        return modes.get(INPAINT, INPAINT)
    return modes.get(AUDIO if resolved.action == "transform" else TEXT) if resolved.model.learned else None


def _names(resolved: Resolved, region: Region | None) -> dict[str, str] | None:
    """Return what is sent, and under which name; None: everything, under its usual name."""
    model, replaces = resolved.model, resolved.region is not None and region is not None
    if not model.learned and not replaces:
        return None
    usual = (*_ALWAYS, *_BESIDE, *(one.sent_as for one in sent() if one.sent_as is not None and one.name not in REGION))
    names = {name: name for name in usual}
    if model.learned:
        told = model.told.fields if model.told is not None else frozenset()
        names = {name: name for name in usual if name in _ALWAYS or name in told}
        if "seed" not in names:
            names.pop("random_seed", None)
        if model.told is not None and not model.told.wav:
            names.pop("output_format", None)
    if replaces and region is not None:
        names.pop("strength", None)
        names |= {"mask_start": region.start, "mask_end": region.end}
    return names
