"""Writing ``config.toml``: the commented file of the first run, and the one setting that a command changes."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from bridge_daemon.domain.parameters import names
from bridge_daemon.errors import SettingsInvalid
from bridge_daemon.home.paths import Home
from bridge_daemon.settings.load import SettingDoc, describe, invalid, parse, section_words
from bridge_daemon.util.files import write_whole
from bridge_daemon.util.secret_file import create_secret

#: Sections of the default file, and the settings of each that are shown (None: all). The others are taken, and shown
#: once what they set is there.
SHOWN: Final[dict[str, tuple[str, ...] | None]] = {
    "engine": None,
    "spend": None,
    "defaults": None,
    "publish": ("method", "source_port", "ttl_s"),
    "http": None,
    "audio": None,
}
#: Settings that a person decides anew on each machine stand there as they are; all others as comments, so that a
#: better default of a later version counts.
_PLAIN: Final = ("spend", "audio.read_roots")
#: What is written for a setting that is left out by default.
_EXAMPLES: Final = {"audio.library": "~/Music/daw-bridge"}
_BINDINGS_VARIABLE: Final = "DAW_BRIDGE_MIDI__BINDINGS"
_ROOTS_VARIABLE: Final = "DAW_BRIDGE_AUDIO__READ_ROOTS"

_HEAD: Final = """\
# Settings of daw-bridge. A line that starts with "#" and a name is a setting at its default: take the "#" away to
# change it. The bridge reads this file when it starts; "daw-bridge config check" tells what is wrong with it.
# The environment beats this file: DAW_BRIDGE_SPEND__PER_DAY_USD=5 sets per_day_usd of [spend].
# No secret belongs in here: the API key is kept by "daw-bridge key set".
"""

_PRESETS: Final = """
# Presets: requests under a name. A preset may hold
# {parameters}
# and, to be made from the takes of others, source and of;
# what it leaves out is taken from the request, then from [defaults].
#[presets.riser]
#action = "generate"
#prompt = "long cinematic riser, dark, wide, no drums"
#duration = 8.0
#
#[presets.new-drums]
#action = "transform"
#prompt = "live drum kit, dry, tight, same groove"
#strength = 0.5
#loudness = "source"
#variations = 3
"""


def default_text() -> str:
    """Return the ``config.toml`` that is written on the first run."""
    documented: dict[str, list[SettingDoc]] = {}
    for one in describe():
        wanted = SHOWN.get(one.section, ())
        if wanted is None or one.key in wanted:
            documented.setdefault(one.section, []).append(one)
    parts = [_HEAD]
    for section, settings in documented.items():
        parts.append(f"\n[{section}]  # {section_words(section)}\n")
        parts += [_entry(section, one) for one in settings]
    known = ", ".join(("action", *names(set_by="preset")))
    return "".join([*parts, _PRESETS.replace("{parameters}", known)])


def _entry(section: str, one: SettingDoc) -> str:
    name = f"{section}.{one.key}"
    value = _EXAMPLES.get(name, one.default)
    sign = "" if section in _PLAIN or name in _PLAIN else "#"
    allowed = "" if one.type in ("list", "true or false") or name in _EXAMPLES else f" ({one.allowed})"
    return f"# {one.description}{allowed}\n{sign}{one.key} = {_toml(value)}\n"


def _toml(value: Any) -> str:
    # for texts, numbers, switches and lists of them, TOML is written as JSON is
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def create_default(home: Home) -> bool:
    """Write the commented ``config.toml`` when there is none; return whether it was written. The home must be prepared.

    Raises:
        OSError: it cannot be written.
    """
    if home.config.exists() or home.config.is_symlink():
        return False
    with suppress(FileExistsError):
        create_secret(home.config, default_text().encode("utf-8"), point="config")
        return True
    return False


def add_binding(home: Home, binding: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> None:
    """Add a binding to ``[[midi.bindings]]``. Comments and order of the file are kept.

    Raises:
        SettingsInvalid: the binding is wrong, the file has faults already, or the environment sets the bindings.
        OSError: the file cannot be written; it is as it was.
    """
    import tomlkit
    import tomlkit.items

    if _BINDINGS_VARIABLE in environ:
        raise SettingsInvalid(
            f"The environment sets {_BINDINGS_VARIABLE}, so a change of config.toml would have no effect.",
            next="Change it there.",
        )
    target, text = _text_of(home)
    document = tomlkit.parse(text)
    midi: Any = document.setdefault("midi", tomlkit.table(is_super_table=True))
    if not isinstance(midi.get("bindings", tomlkit.aot()), tomlkit.items.AoT):
        raise SettingsInvalid(
            f"{target} has its bindings as a list in one line, which is not extended by a command.",
            next="Write them as [[midi.bindings]], each under a heading of its own.",
        )
    table = tomlkit.table()
    table.update({key: value for key, value in binding.items() if value is not None})
    midi.setdefault("bindings", tomlkit.aot()).append(table)
    _replace(home, target, document.as_string())


def read_text(home: Home) -> tuple[Path, str]:
    """Return the file of the settings and its text. Raises SettingsInvalid."""
    target = home.config.resolve()  # a person may keep it elsewhere and have a link here
    try:
        return target, target.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return target, default_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{target} cannot be read: {error}.") from error


def _text_of(home: Home) -> tuple[Path, str]:
    """Return the file of the settings and its text, which is right. Raises SettingsInvalid."""
    target, text = read_text(home)
    settings, faults = parse(text, {})
    if settings is None:
        raise invalid(home.config, faults)
    return target, text


def allow_path(home: Home, path: Path | str, environ: Mapping[str, str] = os.environ) -> list[str]:
    """Add a folder to ``[audio] read_roots`` and return the list. Comments and order of the file are kept.

    Raises:
        SettingsInvalid: it is no folder, the file has faults already, or the environment sets the list.
        OSError: the file cannot be written; it is as it was.
    """
    import tomlkit  # only this command needs it, and it takes a while to load
    import tomlkit.items

    folder = _folder(path)
    if _ROOTS_VARIABLE in environ:
        raise SettingsInvalid(
            f"The environment sets {_ROOTS_VARIABLE}, so a change of config.toml would have no effect.",
            next="Change it there.",
        )
    target, text = _text_of(home)
    settings, _ = parse(text, {})
    assert settings is not None
    roots = list(settings.audio.read_roots)
    if folder in {_expanded(root) for root in roots}:
        return roots
    document = tomlkit.parse(text)
    audio: Any = document.setdefault("audio", tomlkit.table())
    listed = audio.setdefault("read_roots", roots)
    listed.append(str(folder))
    _replace(home, target, document.as_string())
    return [*roots, str(folder)]


def _folder(path: Path | str) -> Path:
    try:
        folder = _expanded(path)
        if folder.is_dir():
            return folder
    except (OSError, RuntimeError, ValueError) as error:
        raise SettingsInvalid(f"{path} cannot be allowed: {error}.", next="Name a folder that is there.") from error
    raise SettingsInvalid(f"{path} cannot be allowed: it is no folder.", next="Name a folder that is there.")


def _expanded(path: Path | str) -> Path:
    return Path(path).expanduser().resolve()


def _replace(home: Home, target: Path, text: str) -> None:
    """Write the new text only when it is right."""
    settings, faults = parse(text, {})
    if settings is None:  # the file was written in a way that the editor did not understand: better not touch it
        raise invalid(home.config, faults)
    replace_text(target, text)


def replace_text(target: Path, text: str) -> None:
    """Write a text that is right; the file stays as open or as closed to others as it was."""
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o600
    write_whole(target, text.encode("utf-8"), point="config", mode=mode)
