"""Who is connected over OSC, and how much one sender may say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

#: A client that did not say hello for so long is gone, s. It says hello every 5 s.
EXPIRES: Final = 15.0
#: Clients that are remembered, gone ones included.
MOST_CLIENTS: Final = 64

#: Datagrams a second that are looked at, and how many at once: of one sender, and of all together.
OF_ONE: Final = (500.0, 1000.0)
OF_ALL: Final = (4000.0, 8000.0)
_MOST_SENDERS: Final = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Client:
    """One connected thing."""

    name: str
    port: int  # where its answers go
    sender: int  # the port that its hello came from
    seen: float  # monotonic, of its last hello
    since: float  # monotonic, of the first hello since it was gone


class Clients:
    """The clients by their name, kept for life; only their ports change."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Nobody is here yet."""
        self._monotonic = monotonic
        self._clients: dict[str, Client] = {}

    def hello(self, name: str, *, port: int, sender: int) -> bool:
        """Register a client; False if there are too many clients."""
        now = self._monotonic()
        known = self._clients.pop(name, None)
        if known is None and len(self._clients) >= MOST_CLIENTS and not self._make_room():
            return False
        since = known.since if known is not None and self._is_here(known) else now
        self._clients[name] = Client(name=name, port=port, sender=sender, seen=now, since=since)
        return True

    def _make_room(self) -> bool:
        oldest = min(self._clients.values(), key=lambda client: client.seen)
        if self._is_here(oldest):
            return False
        del self._clients[oldest.name]
        return True

    def _is_here(self, client: Client) -> bool:
        return self._monotonic() - client.seen < EXPIRES

    def port(self, name: str) -> int | None:
        """Return the port of a client that is connected."""
        client = self._clients.get(name)
        return client.port if client is not None and self._is_here(client) else None

    def connected(self) -> list[str]:
        """Return the names of those who are here."""
        return [name for name, client in self._clients.items() if self._is_here(client)]

    def answer_port(self, name: str | None, sender: int) -> int:
        """Return where an answer goes: to the client's last hello, else to the sender.

        A message that names no client is the one's who said hello from the same port.
        """
        if name is not None:
            known = self._clients.get(name)
            return known.port if known is not None else sender
        last = max(
            (client for client in self._clients.values() if client.sender == sender),
            key=lambda client: client.seen,
            default=None,
        )
        return last.port if last is not None else sender

    def about(self) -> list[dict[str, Any]]:
        """Return everybody, for the status."""
        now = self._monotonic()
        return [
            {
                "client": client.name,
                "port": client.port,
                "connected": self._is_here(client),
                "seen_s": round(now - client.seen, 1),
            }
            for client in self._clients.values()
        ]


class TokenBucket:
    """So many a second, and a few more at once."""

    def __init__(self, rate: float, size: float, monotonic: Callable[[], float]) -> None:
        """Full at the start."""
        self._rate, self._size, self._monotonic = rate, size, monotonic
        self._tokens, self._at = size, monotonic()

    def take(self) -> bool:
        """Take one if there is one."""
        now = self._monotonic()
        self._tokens = min(self._size, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Limits:
    """A bucket for each sender, so that one that runs wild does not silence the others, and one for all of them."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Nobody has said anything."""
        self._monotonic = monotonic
        self._all = TokenBucket(*OF_ALL, monotonic)
        self._each: dict[int, TokenBucket] = {}

    def allow(self, sender: int) -> bool:
        """Return whether a datagram from this port is looked at."""
        bucket = self._each.pop(sender, None) or TokenBucket(*OF_ONE, self._monotonic)
        self._each[sender] = bucket  # as the last
        if len(self._each) > _MOST_SENDERS:
            del self._each[next(iter(self._each))]
        return bucket.take() and self._all.take()
