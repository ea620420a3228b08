"""Reading and changing config.toml for a page: all changes or none, checked as a whole, with comments and order kept.

A change is a merge patch (RFC 7396) of the file: what is named is set, null takes it out so that the default counts, a
list is given whole. Members of lists (bindings, folders) are known by their ``name``, and keep their comments.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final

from bridge_daemon.errors import Fault, InvalidRequest, SettingsInvalid, WrongState
from bridge_daemon.home.paths import Home
from bridge_daemon.settings.file import read_text, replace_text
from bridge_daemon.settings.load import Settings, describe, mask, masked, parse, set_by_environment
from bridge_daemon.util.redact import HIDDEN

Data = dict[str, Any]
#: What a browser's session may not change, for whoever took one over could run programs or have the API key sent
#: elsewhere: setting → why.
LOCKED: Final = {
    "engine.base_url": "the API key is sent there",
    "publish.tunnel_command": "it names a program to run",
}
#: Tunnel programs that are known by name: these may be chosen by anybody.
_KNOWN_PROGRAMS: Final = ("cloudflared", "ngrok", "tailscale")


def revision_of(text: str) -> str:
    """Return what tells one text of the file from another."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def told(home: Home, settings: Settings, environ: Mapping[str, str] = os.environ) -> Data:
    """Return the settings that hold, what the file says, and what is known of each setting. Raises SettingsInvalid."""
    _, text = read_text(home)
    _, faults = parse(text, environ)
    try:
        given: Data | None = mask(tomllib.loads(text))
    except tomllib.TOMLDecodeError:
        given = None  # its fault is told
    return {
        "file": str(home.config),
        "revision": revision_of(text),
        "settings": masked(settings),
        "given": given,
        "faults": [{"setting": fault.setting, "where": fault.where, "allowed": fault.allowed} for fault in faults],
        "environment": set_by_environment(environ),
        "fields": [asdict(one) | {"locked": LOCKED.get(f"{one.section}.{one.key}")} for one in describe()],
    }


def change(
    home: Home,
    patch: Data,
    *,
    by_session: bool,
    revision: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> str:
    """Change the file and return its new revision.

    Raises:
        InvalidRequest: the new file would have faults, all of which are named; nothing was written.
        WrongState: the file is not the one of ``revision`` any more.
        SettingsInvalid: the file that is there is no TOML, or is written in a way that is not kept by an editor.
        OSError: the file cannot be written; it is as it was.
    """
    import tomlkit  # takes a while to load

    target, text = read_text(home)
    if revision is not None and revision != revision_of(text):
        raise WrongState("config.toml was changed meanwhile. Nothing was written.", next="Read the settings again.")
    try:
        wanted = _merged(tomllib.loads(text), patch)
        document = tomlkit.parse(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsInvalid(f"{home.config} is not TOML: {error}. Nothing was written.") from error
    faults = [*_forbidden(patch, by_session=by_session, environ=environ)]
    if not faults:
        _write_into(document, patch)
        new = _with_comments(document.as_string(), text)
        settings, found = parse(new, environ)
        faults = [Fault(fault.setting or "config.toml", fault.value, fault.allowed) for fault in found]
        if settings is not None and _pruned(tomllib.loads(new)) == _pruned(wanted):
            replace_text(target, new)
            return revision_of(new)
    if faults:
        raise InvalidRequest(faults)
    raise SettingsInvalid(
        f"{home.config} is written in a way that cannot be changed without losing something. Nothing was written.",
        next="Write each section under one heading, or change the file by hand.",
    )


def _with_comments(new: str, old: str) -> str:
    """Return the new text; comments that went with what was removed stand at its end: they are a person's words."""
    kept = Counter(line.strip() for line in new.splitlines())
    lost = []
    for line in old.splitlines():
        if line.lstrip().startswith("#"):
            kept[line.strip()] -= 1
            lost += [line.strip()] if kept[line.strip()] < 0 else []
    return "\n".join([new.rstrip(), "", *lost, ""]) if lost else new


def _forbidden(patch: Data, *, by_session: bool, environ: Mapping[str, str]) -> Iterator[Fault]:
    """Yield what must not be written, whatever its value."""
    variables = set_by_environment(environ)
    for section, values in patch.items():
        keys = [f"{section}.{key}" for key in values] if isinstance(values, Mapping) else [section]
        for name in keys:
            if name in variables:
                yield Fault(name, None, f"is set by {variables[name]} of the environment; a change has no effect")
        if by_session and isinstance(values, Mapping):
            for key, value in values.items():
                name = f"{section}.{key}"
                if name in LOCKED and value is not None and value not in _KNOWN_PROGRAMS:
                    yield Fault(name, None, f"is changed in config.toml only: {LOCKED[name]}")
    yield from _hidden(patch, "")


def _hidden(value: Any, name: str) -> Iterator[Fault]:
    """Yield texts that we blanked ourselves: written back, they would replace what they hide."""
    if isinstance(value, str) and HIDDEN in value:
        yield Fault(name, None, "holds something that is not shown; leave it out to keep it")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _hidden(inner, f"{name}.{key}".lstrip("."))
    elif isinstance(value, list):
        for number, inner in enumerate(value, 1):
            yield from _hidden(inner, f"{name}[{number}]")


def _merged(data: Data, patch: Data) -> Data:
    """Return plain data with a patch merged into it."""
    result = dict(data)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            inner = result.get(key)
            result[key] = _merged(inner if isinstance(inner, dict) else {}, dict(value))
        else:
            result[key] = _plain(value)
    return result


def _pruned(data: Data) -> Data:
    """Return plain data without empty tables: an editor may leave out their headings."""
    inner = {key: _pruned(value) if isinstance(value, dict) else value for key, value in data.items()}
    return {key: value for key, value in inner.items() if value != {}}


def _plain(value: Any) -> Any:
    """Return a list without what is null in its members: TOML has no null."""
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items() if inner is not None}
    return value


def _write_into(table: Any, patch: Data) -> None:
    """Merge a patch into a document of tomlkit, plain values first: those after a heading would belong to it."""
    import tomlkit

    for key, value in sorted(patch.items(), key=lambda pair: isinstance(pair[1], list | dict)):
        if value is None:
            table.pop(key, None)
        elif isinstance(value, Mapping):
            if not isinstance(table.get(key), Mapping):
                table[key] = tomlkit.table()
            _write_into(table[key], dict(value))
        elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
            _write_tables(table, key, value)
        else:
            table[key] = _plain(value)


def _write_tables(table: Any, key: str, members: list[Any]) -> None:
    import tomlkit

    old = {each.get("name"): each for each in table.get(key, []) if isinstance(each, Mapping)}
    new: Any = tomlkit.aot()
    for member in members:
        wanted = _plain(member)
        there: Any = old.pop(wanted.get("name"), None) if isinstance(wanted, dict) else None
        if there is None or not hasattr(there, "as_string") or isinstance(there, tomlkit.items.InlineTable):
            there = tomlkit.table()
        for gone in [name for name in there if name not in wanted]:
            del there[gone]
        _write_into(there, {name: each for name, each in wanted.items() if there.get(name) != each})
        new.append(there)
    table.pop(key, None)
    table[key] = new
