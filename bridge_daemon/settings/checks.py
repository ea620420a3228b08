"""Faults that no single setting shows: names used twice, references to nothing, ranges of the chosen model.

They are looked for in the plain data, so that they are told together with the faults of single settings. Whatever has
the wrong type is passed over here; that fault is told already.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeGuard

from bridge_daemon.domain import parameters, prompt_fields
from bridge_daemon.domain.models import table
from bridge_daemon.settings.faults import MISSING, Found, Loc, meant
from bridge_daemon.util.text import is_visible

_LONGEST_NAME = 100
#: Presets that one press may make, one from the takes of another.
MOST_STEPS: Final = 8
#: What a knob can set.
_NUMBERS = (*parameters.names(set_by="knob"), "bars")


def check_together(data: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[Found]:
    """Return the faults of ``data`` (sections as read); ``defaults`` are the sections with nothing set."""
    presets = _table(data, "presets")
    bindings = _tables(_table(data, "midi").get("bindings"))
    folders = _tables(data.get("folders"))
    clients = _tables(_table(data, "spend").get("clients"))
    found = [*_twice(("midi", "bindings"), bindings), *_twice(("folders",), folders)]
    found += _twice(("spend", "clients"), clients)
    found += _same_folder(folders)
    for index, folder in folders:
        found += _preset_exists(("folders", index, "preset"), folder.get("preset"), presets)
    names = [str(folder.get("name")) for _, folder in folders]
    for index, binding in bindings:
        found += _binding(("midi", "bindings", index), binding, presets, names)
    model = _table(data, "engine").get("model", defaults["engine"]["model"])
    for name, preset in presets.items():
        found += _preset(name, preset, model)
        found += _chain(name, preset, presets)
    return [*found, *_store_of_a_studio(data), *_ports(data, defaults)]


def _store_of_a_studio(data: Mapping[str, Any]) -> Iterator[Found]:
    url = _table(data, "store").get("url")
    if url is not None and _table(data, "journal").get("url") is None:
        yield Found(("store", "url"), url, "is for the rooms of a studio: [journal] url has to name their database")


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


def _same_folder(folders: list[tuple[int, Mapping[str, Any]]]) -> Iterator[Found]:
    """Folders that are watched twice, or that the takes of one go into: those would come in again, and cost."""
    paths: dict[str, int] = {}
    for index, folder in folders:
        if isinstance(path := folder.get("path"), str) and paths.setdefault(_plain(path), index) != index:
            yield Found(("folders", index, "path"), path, f"is watched by number {paths[_plain(path)] + 1} already")
    for index, folder in folders:
        results = folder.get("results")
        if isinstance(results, str) and results and _plain(results) in paths:
            yield Found(("folders", index, "results"), results, "must not be a watched folder: its takes would come in")


def _plain(path: str) -> str:
    try:
        return os.path.normpath(Path(path).expanduser())
    except RuntimeError:  # "~" and a name that no user has; told already
        return path


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
    yield from _binding_together(loc, binding, presets)
    low, high = binding.get("low"), binding.get("high")
    if _is_number(low) and _is_number(high) and low > high:
        yield Found((*loc, "low"), low, f"must not be more than high ({high})")
    source = binding.get("source")
    if isinstance(source, str) and source.startswith("folder:"):
        name = source.removeprefix("folder:")
        if name not in folders:
            text = f'there is no [[folders]] with name = "{name}"' + meant(name, folders)
            yield Found((*loc, "source"), source, text)


def _binding_together(loc: Loc, binding: Mapping[str, Any], presets: Mapping[str, Any]) -> Iterator[Found]:
    """What each setting of a binding allows by itself, and all of them together do not."""
    message, action = binding.get("message", "note_on"), binding.get("action", "preset")
    number = binding.get("number")
    if binding.get("bits") == 14 and (message != "control_change" or not isinstance(number, int) or number > 31):
        yield Found((*loc, "bits"), 14, 'is for message = "control_change" with a number of 0 to 31')
    if binding.get("mode") == "relative" and (message != "control_change" or action != "set"):
        yield Found((*loc, "mode"), "relative", 'is for message = "control_change" and action = "set"')
    if message == "program_change":
        if binding.get("confirm") == "hold":
            yield Found((*loc, "confirm"), "hold", "a program change is never let go of; use twice")
        if "velocity_to" in binding:
            yield Found((*loc, "velocity_to"), binding["velocity_to"], "a program change has no velocity")
    if "light" in binding and message == "program_change":
        yield Found((*loc, "light"), MISSING, "is for notes and control changes: nothing lights a program")
    if "job" in binding and action != "deliver":
        yield Found((*loc, "job"), binding["job"], 'is for action = "deliver"')
    preset = _table(presets, str(binding.get("preset"))) if action == "preset" else {}
    kind = preset.get("action")
    if kind == "transform" and "source" not in binding and "source" not in preset:
        yield Found((*loc, "source"), MISSING, f"is required: [presets.{binding['preset']}] is a transform")
    if kind == "generate" and "source" in binding:
        yield Found((*loc, "source"), binding["source"], f"is for transforms; [presets.{binding['preset']}] generates")


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _preset(name: str, preset: Any, default_model: Any) -> Iterator[Found]:
    loc: Loc = ("presets", name)
    if not is_visible(name) or len(name) > _LONGEST_NAME or not name.isprintable():
        yield Found(loc, MISSING, f"the name of a preset is 1 to {_LONGEST_NAME} printable characters")
    if not isinstance(preset, Mapping):
        return
    if isinstance(prompt := preset.get("prompt"), str):
        if prompt and not is_visible(prompt):
            yield Found((*loc, "prompt"), prompt, "has nothing in it that can be seen")
        yield from _prompt((*loc, "prompt"), prompt)
    model = table().get(str(preset.get("model", default_model)))
    if model is None:
        return
    action = preset.get("action")
    for one in parameters.TABLE:
        # if the request says what is done, whatever fits one of them may be meant
        span = model.range(one.name, action if action in parameters.BOTH else None)
        value = preset.get(one.name)
        if one.by_model and span is not None and _is_number(value) and not span[0] <= value <= span[1]:
            yield Found((*loc, one.name), value, f"must be {span[0]:.10g} to {span[1]:.10g} for {model.name}")


def _chain(name: str, preset: Any, presets: Mapping[str, Any]) -> Iterator[Found]:
    """A preset that is made from the takes of others."""
    if not isinstance(preset, Mapping):
        return
    if "source" in preset and preset.get("action") == "generate":
        yield Found(("presets", name, "source"), preset["source"], "is for transforms; this preset generates")
    if "of" in preset and "source" not in preset:
        yield Found(("presets", name, "of"), preset["of"], 'is for source = "take"')
    for other in _before(preset):
        yield from _preset_exists(("presets", name, "of"), other, presets)
    if _in_a_circle(name, presets):
        yield Found(("presets", name, "of"), preset["of"], "leads back to this preset")
    elif len(_all_before(name, presets)) > MOST_STEPS:
        yield Found(("presets", name, "of"), preset["of"], f"makes more than {MOST_STEPS} takes of one press")


def _before(preset: Any) -> list[str]:
    of = preset.get("of") if isinstance(preset, Mapping) else None
    return [name for name in of if isinstance(name, str)] if isinstance(of, list | tuple) else []


def _all_before(name: str, presets: Mapping[str, Any]) -> set[str]:
    """Return a preset, and every one that it is made from."""
    found, left = set(), [name]
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += _before(presets.get(one))
    return found


def _in_a_circle(name: str, presets: Mapping[str, Any]) -> bool:
    return any(name in _all_before(other, presets) for other in _before(presets.get(name)))


def _prompt(loc: Loc, prompt: str) -> Iterator[Found]:
    for name in prompt_fields.names(prompt):
        if name not in prompt_fields.FIELDS:
            known = ", ".join(f"{{{field}}}" for field in prompt_fields.FIELDS)
            near = meant(name, prompt_fields.FIELDS)
            text = f"{{{name[:40]}}} is not a field of a prompt{near}; there are {known}, and {{{{ and }}}} are braces"
            yield Found(loc, prompt, text)


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
