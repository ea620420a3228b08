"""What comes in, for whoever asks to see it: ``daw-bridge midi monitor`` and ``midi learn``.

Asking opens the ports that are named, and keeps them open until nobody has asked for a while.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from bridge_daemon.errors import Fault, InvalidRequest
from bridge_daemon.frontends.midi.driver import matches
from bridge_daemon.frontends.midi.port_types import Incoming

if TYPE_CHECKING:
    import mido  # loaded with the first port, no start waits for it

#: Messages kept for those who ask.
_KEPT: Final = 1000
#: Ports that were asked for are closed, and presses on them count again, so long after the last question, s.
LEASE: Final = 15.0
#: The longest wait for a message, s.
MOST_WAIT: Final = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What somebody wants to hear."""

    port: str  #: pattern of names
    since: int | None = None  #: the message that was told last; None: from now on
    wait: float = 0.0  #: for a message, s
    mute: bool = False  #: presses on these ports do nothing meanwhile
    stop: bool = False  #: listen no more

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """Read a question. Raises InvalidRequest, which names every fault."""
        checks: dict[str, tuple[Callable[[Any], bool], str]] = {
            "port": (lambda one: isinstance(one, str) and 1 <= len(one) <= 200, "must be text, 1 to 200 characters"),
            "since": (lambda one: type(one) is int and one >= 0, "must be a whole number, 0 or more"),
            "wait": (lambda one: type(one) in (int, float) and 0 <= one <= MOST_WAIT, f"must be 0 to {MOST_WAIT:g} s"),
            "mute": (lambda one: isinstance(one, bool), "must be true or false"),
            "stop": (lambda one: isinstance(one, bool), "must be true or false"),
        }
        faults = [Fault(key, value, "is not a key of this") for key, value in data.items() if key not in checks]
        given = {"port": None} | {key: value for key, value in data.items() if key in checks}
        faults += [Fault(key, value, checks[key][1]) for key, value in given.items() if not checks[key][0](value)]
        if faults:
            raise InvalidRequest(faults)
        return cls(**given)


class Listening:
    """The messages of the ports that somebody listens to."""

    def __init__(self, changed: Callable[[], None]) -> None:
        """``changed`` is called when other ports are asked for."""
        self._changed = changed
        self._asked: dict[str, bool] = {}  # pattern, and whether its presses count for nothing
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._messages: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self._seq = 0
        self._came = asyncio.Event()

    @property
    def patterns(self) -> frozenset[str]:
        """The ports that are listened to."""
        return frozenset(self._asked)

    def take(self, incoming: Incoming, message: mido.Message | None) -> None:
        """Keep a message, where somebody listens."""
        if not any(matches(pattern, incoming.port) for pattern in self._asked):
            return
        self._seq += 1
        self._messages.append(shown(self._seq, incoming, message))
        self._came.set()

    def is_muted(self, port: str) -> bool:
        """Return whether presses on a port are learned just now, and do nothing else."""
        return any(mute and matches(pattern, port) for pattern, mute in self._asked.items())

    async def ask(self, question: Question) -> dict[str, Any]:
        """Return what came after the message ``since``, and wait for it for a while."""
        if question.stop:
            self.stop(question.port)
            return {"messages": [], "next": self._seq}
        self._lease(question)
        since = self._seq if question.since is None else question.since
        found: list[dict[str, Any]] = []
        try:
            async with asyncio.timeout(question.wait):
                while not (found := self._after(question.port, since)) and question.port in self._asked:
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            found = []
        return {"messages": found, "next": found[-1]["seq"] if found else since}

    def _after(self, pattern: str, since: int) -> list[dict[str, Any]]:
        return [one for one in self._messages if one["seq"] > since and matches(pattern, one["port"])]

    def _lease(self, question: Question) -> None:
        pattern, mute = question.port, question.mute
        if pattern in self._timers:
            self._timers[pattern].cancel()
        self._timers[pattern] = asyncio.get_running_loop().call_later(LEASE, self._end, pattern)
        if self._asked.get(pattern) is not mute:
            self._asked[pattern] = mute
            self._changed()

    def _end(self, pattern: str) -> None:
        del self._asked[pattern], self._timers[pattern]
        self._came.set()  # whoever waits is answered
        self._changed()

    def stop(self, pattern: str) -> None:
        """Listen no more."""
        if pattern in self._timers:
            self._timers[pattern].cancel()
            self._end(pattern)

    def close(self) -> None:
        """Forget everybody."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._asked.clear()
        self._came.set()


def shown(seq: int, incoming: Incoming, message: mido.Message | None) -> dict[str, Any]:
    """Return a message as the API tells it: plain data, with the words of a binding."""
    told: dict[str, Any] = {"seq": seq, "port": incoming.port, "at": round(incoming.at, 4)}
    told |= {"bytes": incoming.data[:64].hex(" "), "message": message.type if message is not None else "unknown"}
    if message is not None:
        fields = {"note": "number", "control": "number", "program": "number", "velocity": "value", "value": "value"}
        told |= {fields[name]: value for name, value in vars(message).items() if name in fields}
        if hasattr(message, "channel"):
            told["channel"] = message.channel + 1
    return told
