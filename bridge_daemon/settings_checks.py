"""Faults that no single setting shows: names used twice, references to nothing, ranges of the chosen model.

They are looked for in the plain data, so that they are told together with the faults of single settings. Whatever has
the wrong type is passed over here; that fault is told already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from bridge_daemon import prompt_fields
from bridge_daemon.models import Model, models
from bridge_daemon.settings_faults import MISSING, Found, Loc, meant

_LONGEST_NAME = 100
#: What a knob can set.
_NUMBERS = ("duration", "steps", "cfg_scale", "strength", "seed", "variations")


def check_together(data: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[Found]:
    """Return the faults of ``data`` (sections as read); ``defaults`` are the sections with nothing set."""
    presets = _table(data, "presets")
    bindings = _tables(_table(data, "midi").get("bindings"))
    folders = _tables(data.get("folders"))
    found = [*_twice(("midi", "bindings"), bindings), *_twice(("folders",), folders)]
    for index, folder in folders:
        found += _preset_exists(("folders", index, "preset"), folder.get("preset"), presets)
    names = [str(folder.get("name")) for _, folder in folders]
    for index, binding in bindings:
        found += _binding(("midi", "bindings", index), binding, presets, names)
    model = _table(data, "engine").get("model", defaults["engine"]["model"])
    for name, preset in presets.items():
        found += _preset(name, preset, model)
    return [*found, *_ports(data, defaults)]


def _table(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}


def _tables(value: Any) -> list[tuple[int, Mapping[str, Any]]]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return []
    return [(index, item) for index, item in enumerate(value) if isinstance(item, Mapping)]


def _twice(loc: Loc, items: list[tuple[int, Mapping[str, Any]]]) -> Iterator[Found]:
    first: dict[str, int] = {}
    for index, item in items:
        name = item.get("name")
        if isinstance(name, str) and first.setdefault(name, index) != index:
            yield Found((*loc, index, "name"), name, f"is used by number {first[name] + 1} already; each needs its own")


def _preset_exists(loc: Loc, name: object, presets: Mapping[str, Any]) -> Iterator[Found]:
    if isinstance(name, str) and name not in presets:
        yield Found(loc, name, f"there is no [presets.{name}]" + meant(name, presets))


def _binding(loc: Loc, binding: Mapping[str, Any], presets: Mapping[str, Any], folders: list[str]) -> Iterator[Found]:
    action = binding.get("action", "preset")
    yield from _preset_exists((*loc, "preset"), binding.get("preset"), presets)
    if action == "preset" and "preset" not in binding:
        yield Found((*loc, "preset"), MISSING, 'is required for action = "preset"')
    if action == "set" and "parameter" not in binding:
        yield Found((*loc, "parameter"), MISSING, 'is required for action = "set"')
    for key in ("parameter", "velocity_to"):
        if isinstance(name := binding.get(key), str) and name not in _NUMBERS:
            yield Found((*loc, key), name, f"must be one of {', '.join(_NUMBERS)}" + meant(name, _NUMBERS))
    low, high = binding.get("low"), binding.get("high")
    if _is_number(low) and _is_number(high) and low > high:
        yield Found((*loc, "low"), low, f"must not be more than high ({high})")
    source = binding.get("source")
    if isinstance(source, str) and source.startswith("folder:"):
        name = source.removeprefix("folder:")
        if name not in folders:
            text = f'there is no [[folders]] with name = "{name}"' + meant(name, folders)
            yield Found((*loc, "source"), source, text)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _preset(name: str, preset: Any, default_model: Any) -> Iterator[Found]:
    loc: Loc = ("presets", name)
    if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        yield Found(loc, MISSING, f"the name of a preset is 1 to {_LONGEST_NAME} printable characters")
    if not isinstance(preset, Mapping):
        return
    if isinstance(prompt := preset.get("prompt"), str):
        yield from _prompt((*loc, "prompt"), prompt)
    model = models().get(str(preset.get("model", default_model)))
    if model is None:
        return
    for key, (low, high) in _ranges(model, preset.get("action")).items():
        value = preset.get(key)
        if _is_number(value) and not low <= value <= high:
            yield Found((*loc, key), value, f"must be {low:.10g} to {high:.10g} for {model.name}")


def _prompt(loc: Loc, prompt: str) -> Iterator[Found]:
    for name in prompt_fields.names(prompt):
        if name not in prompt_fields.FIELDS:
            known = ", ".join(f"{{{field}}}" for field in prompt_fields.FIELDS)
            near = meant(name, prompt_fields.FIELDS)
            text = f"{{{name[:40]}}} is not a field of a prompt{near}; there are {known}, and {{{{ and }}}} are braces"
            yield Found(loc, prompt, text)


def _ranges(model: Model, action: Any) -> dict[str, tuple[float, float]]:
    if action in ("generate", "transform"):
        steps = model.steps(action)
    else:  # the request says which; whatever fits one of them may be meant
        both = (*model.steps_generate, *model.steps_transform)
        steps = (min(both), max(both))
    return {"duration": model.duration, "cfg_scale": model.cfg_scale, "seed": model.seed, "steps": steps}


def _ports(data: Mapping[str, Any], defaults: Mapping[str, Any]) -> Iterator[Found]:
    # OSC is UDP and may have any number; these two are both TCP
    http = _table(data, "http").get("port", defaults["http"]["port"])
    source = _table(data, "publish").get("source_port", defaults["publish"]["source_port"])
    if http == source and http != 0:
        yield Found(
            ("publish", "source_port"),
            source,
            "must differ from http.port: the world may reach the one, never the other",
        )
