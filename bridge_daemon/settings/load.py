"""The settings: ``config.toml`` in the home, and the environment, which beats it.

Every fault is told at once, with its place and what is allowed. A misspelt setting is a fault too: a limit that is
not heeded because of a typing error would cost money.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Union, get_args, get_origin

from pydantic import Field, ValidationError
from pydantic.fields import FieldInfo

from bridge_daemon.errors import SettingsInvalid
from bridge_daemon.settings.checks import check_together
from bridge_daemon.settings.faults import (
    Found,
    Loc,
    Schema,
    SettingFault,
    allowed,
    from_pydantic,
    line_of,
    lines_of,
    meant,
    name_of,
    shown,
)
from bridge_daemon.settings.sections import (
    Audio,
    ClockSettings,
    Defaults,
    Engine,
    Http,
    JournalSettings,
    Many,
    Metrics,
    MidiSettings,
    Music,
    Osc,
    Preset,
    Publish,
    Section,
    Spend,
    StoreSettings,
    WatchedFolder,
)
from bridge_daemon.util import strict_json
from bridge_daemon.util.redact import redact, redact_command

if TYPE_CHECKING:
    from pathlib import Path

    from bridge_daemon.home.paths import Home

_PREFIX: Final = "DAW_BRIDGE_"
#: Values of a switch in the environment, where everything is text.
_SWITCH: Final = {
    "true": True,
    "1": True,
    "yes": True,
    "on": True,
    "false": False,
    "0": False,
    "no": False,
    "off": False,
}


def _defaults() -> Any:
    """Return a field for a section of which everything may be left out, whose own checks need not be built for that."""
    return Field(default={}, validate_default=True)


class Settings(Section):
    """Everything that a person can set. ``Settings()`` is what holds when nothing is set."""

    engine: Engine = _defaults()
    spend: Spend = _defaults()
    defaults: Defaults = _defaults()
    publish: Publish = _defaults()
    osc: Osc = _defaults()
    http: Http = _defaults()
    metrics: Metrics = _defaults()
    audio: Audio = _defaults()
    journal: JournalSettings = _defaults()
    store: StoreSettings = _defaults()
    midi: MidiSettings = _defaults()
    clock: ClockSettings = _defaults()
    music: Music = _defaults()
    folders: Many[WatchedFolder] = ()
    presets: dict[str, Preset] = Field(default_factory=dict)

    @classmethod
    def load(cls, home: Home, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings of ``home``; without a ``config.toml`` they are the defaults.

        Raises:
            SettingsInvalid: there are faults; the message has a line for each.
        """
        settings, faults = read(home.config, environ)
        if settings is None:
            raise invalid(home.config, faults)
        return settings


def read(config: Path, environ: Mapping[str, str]) -> tuple[Settings | None, list[SettingFault]]:
    """Read the settings; return them (None when there are faults) and every fault found."""
    try:
        text = config.read_bytes().decode("utf-8-sig")  # the editor of Windows puts a mark before the text
    except FileNotFoundError:
        text = ""
    except UnicodeDecodeError:
        return None, [SettingFault(config.name, "", "", "is not UTF-8; save it in that encoding")]
    except OSError as error:
        return None, [SettingFault(config.name, "", "", f"cannot be read: {error.strerror or error}")]
    return parse(text, environ, name=config.name)


def parse(
    text: str, environ: Mapping[str, str], *, name: str = "config.toml"
) -> tuple[Settings | None, list[SettingFault]]:
    """As :func:`read`, from the text of a file."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return None, [SettingFault(name, "", "", f"is not TOML: {_explain(str(error))}")]
    except RecursionError:
        return None, [SettingFault(name, "", "", "is not TOML that can be read: nested too deeply")]
    data, origins, faults = _overlay(data, environ)
    found = check_together(data, Settings().model_dump())
    settings = None
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        found = from_pydantic(error, _schema()) + found
    lines = lines_of(text)
    faults += [_placed(one, origins, lines, name) for one in found]
    return (None if faults else settings), faults


def invalid(config: Path, faults: list[SettingFault]) -> SettingsInvalid:
    """Make the one error that tells all ``faults``."""
    count = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
    return SettingsInvalid(f"The settings ({config}) have {count}:\n" + "\n".join(f"  {fault}" for fault in faults))


def _explain(message: str) -> str:
    backslash = "'\\'" in message or "hex value" in message or "escape" in message
    hint = "; write paths of Windows between 'single quotes'" if backslash else ""
    return message[0].lower() + message[1:] + hint


@cache
def _schema() -> Schema:
    return Schema(Settings.model_json_schema())


def _placed(found: Found, origins: Mapping[Loc, str], lines: Mapping[Loc, int], file: str) -> SettingFault:
    value = shown(found.loc, found.value)
    if variable := origins.get(found.loc[:2]):
        inner = name_of(found.loc[2:])
        return SettingFault(variable, inner or name_of(found.loc), value, found.allowed)
    line = line_of(found.loc, lines)
    return SettingFault(f"{file}:{line}" if line else file, name_of(found.loc), value, found.allowed)


@cache
def _single() -> dict[str, dict[str, FieldInfo]]:
    """Return the settings of which there is one each, by section. The schema says more, and takes its time."""
    kinds = {name: field.annotation for name, field in Settings.model_fields.items()}
    return {
        name: kind.model_fields for name, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, Section)
    }


def _overlay(
    data: dict[str, Any], environ: Mapping[str, str]
) -> tuple[dict[str, Any], dict[Loc, str], list[SettingFault]]:
    """Lay the environment over the file: the data, which variable each setting is from, and unknown variables."""
    origins: dict[Loc, str] = {}
    faults: list[SettingFault] = []
    single = {
        f"{_PREFIX}{section}_{key}".upper(): f"{_PREFIX}{section}__{key}".upper()
        for section, keys in _single().items()
        for key in keys
    }
    for variable, text in sorted(environ.items()):
        name = variable.upper()  # Windows has no lower case there
        if not name.startswith(_PREFIX):
            continue
        section, double, key = (part.lower() for part in name.removeprefix(_PREFIX).partition("__"))
        if not double:
            if name in single:  # one underscore too few: unheeded, a limit would not hold
                faults.append(SettingFault(variable, "", "", f"is not a setting; did you mean {single[name]}?"))
            continue
        field = _single().get(section, {}).get(key)
        if field is None:
            faults.append(SettingFault(variable, "", "", f"is not a setting{meant(name, single.values())}"))
            continue
        table = data.get(section, {})
        if isinstance(table, dict):  # else: that fault is told
            data = {**data, section: {**table, key: _typed(text, field)}}
            origins[section, key] = variable
    return data, origins, faults


def _typed(text: str, field: FieldInfo) -> Any:
    """Read text as the type of a field; what cannot be read stays text, and is refused as such."""
    kinds = _kinds(field.annotation)
    try:
        if bool in kinds:
            return _SWITCH.get(text.strip().lower(), text)
        if int in kinds:
            return int(text)
        if float in kinds:
            return float(text)
        if tuple in kinds:
            return strict_json.read(text)
    except ValueError:
        return text
    return None if not text and field.default is None else text


def _kinds(annotation: Any) -> set[Any]:
    """Return the plain types of an annotation: int of ``Annotated[int, ...] | None``, tuple of ``tuple[int, ...]``."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kinds(inner[0])
    if origin in (Union, UnionType):
        return set().union(*map(_kinds, inner))
    return {origin or annotation}


@dataclass(frozen=True, slots=True)
class SettingDoc:
    """One setting, for the docs."""

    section: str  #: ``spend``, ``midi.bindings`` …
    key: str
    type: str  #: ``text``, ``whole number``, ``number``, ``true or false``, ``list``
    default: Any  #: None: left out
    allowed: str
    description: str


_TYPES: Final = {"integer": "whole number", "number": "number", "boolean": "true or false", "array": "list"}
#: Lists of tables and tables by name, and how their section is written.
_NESTED: Final[dict[str, Loc]] = {
    "spend.clients": ("spend", "clients", 0),
    "midi.bindings": ("midi", "bindings", 0),
    "midi.bindings.light": ("midi", "bindings", 0, "light"),
    "folders": ("folders", 0),
    "presets.<name>": ("presets", "name"),
}


def describe() -> list[SettingDoc]:
    """Return every setting in the order of the schema, for the docs and for the default file."""
    schema = _schema()
    places: dict[str, Loc] = {name: (name,) for name in schema.keys(()) if schema.keys((name,))} | _NESTED
    documented = []
    for section, loc in places.items():
        for key in schema.keys(loc):
            node = schema.at((*loc, key)) or {}
            if f"{section}.{key}" in _NESTED:
                continue
            kind = _TYPES.get(str(node.get("type")), "text")
            default, words = node.get("default"), str(node.get("description", ""))
            documented.append(SettingDoc(section, key, kind, default, allowed(node), words))
    return documented


def section_words(section: str) -> str:
    """Return the sentence about a section."""
    node = _schema().at((section,)) or {}
    return str(node.get("description", ""))


def masked(settings: Settings) -> dict[str, Any]:
    """Return the settings for showing: plain data, without credentials in addresses and commands."""
    return mask(settings.model_dump(mode="json"))


def mask(sections: Mapping[str, Any]) -> dict[str, Any]:
    """Return sections as plain data, without credentials in addresses and commands."""
    data: dict[str, Any] = _masked(dict(sections))
    publish = sections.get("publish")
    if isinstance(publish, Mapping) and isinstance(publish.get("tunnel_command"), str):
        data["publish"]["tunnel_command"] = redact_command(publish["tunnel_command"])
    return data


def set_by_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that the environment sets, and the variable of each."""
    _, origins, _ = _overlay({}, environ)
    return {name_of(loc): variable for loc, variable in origins.items()}


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [_masked(item) for item in value]
    if isinstance(value, dict):
        return {key: _masked(item) for key, item in value.items()}
    return value
