"""What changed between two settings, for whoever reads them again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge_daemon.settings.load import Settings, masked


def changes(old: Settings, new: Settings) -> dict[str, tuple[Any, Any]]:
    """Return each setting that changed, with its value before and after, without credentials.

    Lists and tables by name (bindings, folders, presets) count as one setting each.
    """
    before, after, shown = _flat(old.model_dump()), _flat(new.model_dump()), (_flat(masked(old)), _flat(masked(new)))
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {name: (shown[0].get(name), shown[1].get(name)) for name in names}


def _flat(sections: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for section, values in sections.items():
        if isinstance(values, Mapping):
            found |= {f"{section}.{key}": value for key, value in values.items()}
        else:
            found[section] = values
    return found
