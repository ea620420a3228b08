"""What passes between the event loop and the MIDI thread."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as it came."""

    port: str
    data: bytes
    at: float  # monotonic, s


@dataclass(frozen=True, kw_only=True, slots=True)
class PortsState:
    """How the ports are."""

    system: str | None = None  #: why there is no MIDI; None: there is
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    open_inputs: tuple[str, ...] = ()
    open_outputs: tuple[str, ...] = ()
    trouble: dict[str, str] = field(default_factory=dict)  #: port: why it is not open
    twins: dict[str, tuple[str, ...]] = field(default_factory=dict)  #: name that several ports have: ours for each


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which ports are to be open, as patterns of names."""

    inputs: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset()
    clock: str = ""  #: the input whose clock is heard

    def __bool__(self) -> bool:
        """Whether any is."""
        return bool(self.inputs or self.outputs or self.clock)


def twins(ports: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """Return each name that several ports have, with the names by which we tell them apart."""
    count = Counter(ports.values())
    return {own: tuple(name for name, of in ports.items() if of == own) for own in count if count[own] > 1}
