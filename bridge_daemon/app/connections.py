"""Who is connected, by whatever way: one list of what each frontend knows, for the status."""

from __future__ import annotations

from typing import Any

from bridge_daemon.app.parts import Parts


def connections(parts: Parts) -> list[dict[str, Any]]:
    """Return {kind, name, connected, seen_s} of each; ``seen_s`` (seconds since it was heard) is null if unknown."""
    found: list[dict[str, Any]] = []
    if parts.osc is not None:
        found += [_one("osc", each["client"], each["connected"], each["seen_s"]) for each in parts.osc.clients.about()]
    found += [_one("files", each["client"], each["active"], None) for each in parts.inbox.outbox.about()]
    midi = parts.midi.about()
    found += [_one("midi", name, True, None) for name in midi["open"]]
    watched = parts.folders.about()["folders"]
    found += [_one("folder", each["name"], bool(each["watching"]), None) for each in watched]
    return found


def _one(kind: str, name: str, connected: bool, seen_s: float | None) -> dict[str, Any]:
    return {"kind": kind, "name": name, "connected": connected, "seen_s": seen_s}
