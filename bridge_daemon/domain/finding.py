"""What a check finds: of this machine, or of the way into a studio."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    key: str  #: of the check; stays
    state: Literal["ok", "warn", "fail"]
    text: str
    fix: str = ""  #: the one thing that mends it; empty where nothing has to be

    def as_dict(self) -> dict[str, Any]:
        """Return it for ``--json``."""
        return asdict(self)
