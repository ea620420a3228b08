"""How numbers, and what the status tells, are written for people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def usd(amount: float) -> str:
    """Return dollars, with cents."""
    return f"${amount:.2f}"


def when(seconds: float | None, *, day: bool = True) -> str:
    """Return a time as the local clock shows it."""
    if seconds is None:
        return ""
    local = datetime.fromtimestamp(seconds, UTC).astimezone()
    return local.strftime("%Y-%m-%d %H:%M:%S" if day else "%H:%M:%S")


def span(seconds: float) -> str:
    """Return how long, roughly: ``42 s``, ``3 min``, ``5 h 12 min``, ``3 days``."""
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    if seconds < 60:
        return f"{seconds:.0f} s"
    if hours < 1:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if hours < 48 else f"{hours // 24} days"


def money_of(job: Mapping[str, Any]) -> str:
    """Return what is known of a job's money, in few words."""
    price, charge = float(job["usd"]), job["charge"]
    if price == 0:
        return "free"
    if charge == "confirmed":
        return f"{usd(price)} spent"
    if charge == "possible":
        return f"{usd(price)} perhaps spent"
    return f"{usd(price)} not spent"


def state_of(job: Mapping[str, Any]) -> str:
    """Return the state, with how far it is while it is being made."""
    state, fraction = str(job["state"]), float(job.get("fraction") or 0)
    return f"{state} {fraction:.0%}" if state in ("generating", "fetching") and fraction else state


def engine_of(name: str) -> str:
    """Return which engine it is; that a sketch is none of the model's work is said each time."""
    return "sketch (built in, free, not the model)" if name == "sketch" else name


def engine_lines(status: dict[str, Any]) -> list[tuple[str, str]]:
    """Return which engine is in use, whether it is ready, and what a take costs."""
    engine = status["engine"]
    problem = engine.get("problem") or {}
    if problem:
        return [("Engine", f"{engine['name']}: {problem['code']} {problem['message']}\nNext: {problem['next']}")]
    if engine["name"] == "sketch":
        return [
            ("Engine", engine_of("sketch")),
            ("", "For the cloud model: daw-bridge key set"),
        ]
    return [
        ("Engine", f"{engine['name']}, {engine['model']}, {engine['base_url']}"),
        ("Price", _price(status["price_usd"])),
    ]


def _price(price: float | None) -> str:
    return "not known yet: daw-bridge price" if price is None else f"{usd(price)} a generation"


def port_troubles(midi: Mapping[str, Any]) -> list[str]:
    """Return what stands in the way of MIDI ports, a sentence each; ``midi`` is that of the status."""
    twins = [
        f"{len(ports)} ports are called {name}. Here they are {', '.join(ports)}; which is which may change when one "
        "is plugged in again."
        for name, ports in midi.get("twins", {}).items()
    ]
    return [*(f"{name} {why}." for name, why in midi.get("trouble", {}).items()), *twins]
