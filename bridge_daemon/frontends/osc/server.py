"""The OSC server: one UDP port on loopback, 127.0.0.1 and ::1, and the check of every message.

Whoever knows the secret of this home may spend; nobody else gets as much as an answer, but for a ping. Addresses of
senders prove nothing over UDP, so answers go to this machine only.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
import socket
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from bridge_daemon import __version__
from bridge_daemon.actions.bridge import Actions
from bridge_daemon.clock.transport import Clock
from bridge_daemon.errors import Internal, InvalidRequest, PortTaken
from bridge_daemon.frontends.osc import keys
from bridge_daemon.frontends.osc.clients import Clients, Limits
from bridge_daemon.frontends.osc.verbs import Answer, OscCall, Verb, Verbs, refused, unknown_address
from bridge_daemon.frontends.osc.wire import LARGEST, MalformedPacket, Message, build, parse
from bridge_daemon.home.proof import prove
from bridge_daemon.settings.sections import is_loopback
from bridge_daemon.util import loopback
from bridge_daemon.util.port_holder import port_taken
from bridge_daemon.util.tasks import Tasks
from bridge_daemon.util.times import Times

log = logging.getLogger(__name__)

#: The default holds 250 small datagrams; this holds all that a set of pads sends in one moment.
RECEIVE_BUFFER: Final = 4 << 20  # bytes; the system may give less
#: Messages that are being worked on; what comes then is dropped, and its sender repeats it.
MOST_AT_ONCE: Final = 64
_TELL_EVERY: Final = 60.0  # s between two lines in the log about what was dropped
#: Pauses before the lost sockets are opened again, s: the first, and the longest.
_AGAIN: Final = (0.05, 2.0)
#: asyncio on Windows reads no more after an error, whatever it was of.
DEAF_AFTER_ERROR: Final = sys.platform == "win32"
_PING: Final = "/bridge/ping"
#: What a client may ask us to prove.
_NONCE: Final = re.compile(r"[0-9a-f]{16,64}")
_MOST_PORTS: Final = 1024  # that are remembered as those of ::1


class OscServer(asyncio.DatagramProtocol):
    """Listens, answers, and sends what the daemon has to tell."""

    def __init__(
        self,
        actions: Actions,
        clock: Clock,
        *,
        token: str,
        host: str,
        port: int,
        times: Times,
    ) -> None:
        """Prepare; :meth:`start` opens the port."""
        self.clients = Clients(times.monotonic)
        self.clock = clock
        self.port = port
        #: Called after a client's hello was answered.
        self.on_hello: list[Callable[[str], None]] = []
        self._verbs = Verbs(actions, self.clients, clock, lambda: self.port)
        self._table: Mapping[str, Verb] = self._verbs.table()
        self._token = token.encode()
        self._host = host
        self._limits = Limits(times.monotonic)
        self._times = times
        self._told = -_TELL_EVERY
        self._counts: Counter[str] = Counter()
        self._at_work: set[tuple[int, Message]] = set()
        self._tasks = Tasks("OSC")
        self._transports: dict[bool, asyncio.DatagramTransport] = {}  # by whether it is that of ::1
        self._trouble: str | None = None  # why nothing is heard at the moment
        self._over_six: set[int] = set()  # ports of programs that speak to us over ::1, and are answered there

    # Opening and closing

    async def start(self) -> int:
        """Open the port and return it. Raises PortTaken."""
        await self._listen()
        return self.port

    async def _listen(self) -> None:
        sockets = _open(self._host, self.port)
        self.port = sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        for sock in sockets:
            transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=sock)
            self._transports[sock.family is socket.AF_INET6] = transport

    async def close(self) -> None:
        """Close the port, and leave what is being answered."""
        transports, self._transports = self._transports, {}
        for transport in transports.values():
            transport.abort()
        await self._tasks.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Open the sockets again if one is gone though nobody closed it."""
        if exc is not None:
            self._lost(f"The socket was lost ({exc}).")

    def error_received(self, exc: Exception) -> None:
        """Count what the system says of something that we sent: nobody listens there, or it was too long."""
        self._counts["unsent"] += 1
        if DEAF_AFTER_ERROR:
            self._lost(f"The system reported an error ({exc}).")

    def _lost(self, why: str) -> None:
        transports, self._transports = self._transports, {}
        for transport in transports.values():
            transport.abort()
        if transports:
            self._trouble = f"{why} It is opened again."
            self._tasks.start(self._listen_again(why), "OSC socket")

    async def _listen_again(self, why: str) -> None:
        pause, most = _AGAIN
        while True:
            await asyncio.sleep(pause)  # the lost ones are closed meanwhile
            try:
                await self._listen()
            except PortTaken as error:
                self._trouble = error.message
                pause = min(most, pause * 2)
            else:
                break
        self._trouble = None
        self._counts["reopened"] += 1
        log.warning("OSC listens again. %s", why)

    # What comes in

    def datagram_received(self, data: bytes, address: tuple[Any, ...]) -> None:
        """Handle a datagram, whatever is in it."""
        self._counts["received"] += 1
        sender = address[1]
        self._note_family(sender, over_six=":" in str(address[0]))
        if not is_loopback(str(address[0])):
            self._drop("not from this machine")
        elif not self._limits.allow(sender):
            self._drop("too many")
        elif len(data) > LARGEST:
            self._drop("too large")
        else:
            try:
                messages = parse(data)
            except MalformedPacket:
                self._drop("malformed")
                return
            if not all(self._limits.allow(sender) for _ in messages[1:]):
                self._drop("too many")
                return
            for message in messages:
                self._take(message, sender)

    def _note_family(self, port: int, *, over_six: bool) -> None:
        if not over_six:
            self._over_six.discard(port)
        elif len(self._over_six) < _MOST_PORTS:
            self._over_six.add(port)

    def _take(self, message: Message, sender: int) -> None:
        fields = keys.read(message.values)
        if message.address == _PING:
            self._pong(fields.data, sender)
            return
        if not hmac.compare_digest(fields.secret.encode("utf-8", "surrogatepass"), self._token):
            self._drop("without the secret")
            return
        call = OscCall(message.address, fields.data, sender)
        verb = self._table.get(message.address)
        if verb is None:
            self._answer(call, [unknown_address(call)])
        elif fields.faults:
            self._answer(call, [refused(call, InvalidRequest(fields.faults))])
        elif (sender, message) in self._at_work:
            self._counts["repeated"] += 1  # the answer to the first one is on its way
        elif len(self._at_work) >= MOST_AT_ONCE:
            self._drop("busy")
        else:
            self._counts["taken"] += 1
            self._work((sender, message), verb, call)

    def _pong(self, data: Mapping[str, Any], sender: int) -> None:
        """Answer a ping, which needs no secret; to whoever asks for it, prove that we know the secret."""
        nonce, port = data.get("nonce"), data.get("port", sender)
        proves = isinstance(nonce, str) and _NONCE.fullmatch(nonce) is not None
        proof = {"proof": prove(self._token.decode(), nonce, self.port)} if proves and isinstance(nonce, str) else {}
        if isinstance(port, int) and 0 < port < 65_536 and port != self.port:
            self._note_family(port, over_six=sender in self._over_six)
            self._send("/bridge/pong", {"version": __version__} | proof, port)

    def _work(self, key: tuple[int, Message], verb: Verb, call: OscCall) -> None:
        self._at_work.add(key)
        self._tasks.start(self._do(verb, call), f"osc {call.word}", then=lambda: self._at_work.discard(key))

    async def _do(self, verb: Verb, call: OscCall) -> None:
        try:
            answers = await self._verbs.do(verb, call)
        except Exception as error:
            log.exception("A fault of ours at %s", call.address)
            answers = [refused(call, Internal(f"A fault of the bridge itself ({type(error).__name__})."))]
        self._answer(call, answers)
        if call.address == "/bridge/hello" and answers[0][0] == "/bridge/welcome":
            for listener in self.on_hello:
                listener(call.data["client"])

    def _drop(self, why: str) -> None:
        self._counts[f"dropped: {why}"] += 1
        now = self._times.monotonic()
        if now - self._told >= _TELL_EVERY:
            self._told = now
            hint = ". Its secret is the file token in the home" if why == "without the secret" else ""
            log.warning("A program sends OSC messages that are dropped (%s)%s.", why, hint)

    # What goes out

    def _answer(self, call: OscCall, answers: list[Answer]) -> None:
        name = call.data.get("client")
        port = self.clients.answer_port(name if isinstance(name, str) else None, call.sender)
        self._note_family(port, over_six=call.sender in self._over_six)
        for address, pairs in answers:
            if address == "/bridge/refused":
                self._counts["refused"] += 1
            self._send(address, pairs, port)

    def send(self, client: str, address: str, pairs: Mapping[str, Any]) -> bool:
        """Send a message to a client; False if it is not connected."""
        port = self.clients.port(client)
        return port is not None and self._send(address, pairs, port)

    def do(self, client: str, action: str, **pairs: Any) -> bool:
        """Ask a DAW client to act on what is selected there; False if it is not connected."""
        return self.send(client, "/bridge/do", {"action": action} | pairs)

    def _send(self, address: str, pairs: Mapping[str, Any], port: int) -> bool:
        over_six = port in self._over_six
        transport = self._transports.get(over_six) or next(iter(self._transports.values()), None)
        if transport is None:
            return False
        try:
            transport.sendto(build(address, pairs), (transport.get_extra_info("sockname")[0], port))
        except OSError:
            self._counts["unsent"] += 1
            return False
        self._counts["sent"] += 1
        return True

    def change_token(self, token: str) -> None:
        """Use another token; messages with the old one are dropped from now on."""
        self._token = token.encode()

    def about(self) -> dict[str, Any]:
        """Return what the status tells of OSC."""
        told = {"port": self.port, "clients": self.clients.about(), "counts": dict(sorted(self._counts.items()))}
        return told | ({"trouble": self._trouble} if self._trouble else {})


def _open(host: str, port: int) -> list[socket.socket]:
    try:
        sockets = loopback.open_sockets(host, port, socket.SOCK_DGRAM)
    except OSError as error:
        raise port_taken(f"UDP port {port} ([osc] port)", error, port, "udp") from error
    for sock in sockets:
        with suppress(OSError):  # a wish; Linux gives what net.core.rmem_max allows
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    return sockets
