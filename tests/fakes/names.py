"""A name server, recursive and of a zone at once, over UDP, that keeps each "no such name" as RFC 2308 says.

``born`` has the names of the zone and the time (monotonic) from which each exists. What is asked for recursively before
that is kept as not there for ever, as the resolver of a system would for minutes. Answers by RFC 1034, 4.3.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

ZONE = "tunnels.example"


class NameServer(asyncio.DatagramProtocol):
    def __init__(self, born: dict[str, float]) -> None:
        self.born = born
        self.kept: set[str] = set()  # names whose "no" a resolver has kept
        self.port = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, address: Any) -> None:
        query = dns.message.from_wire(data)
        self._transport.sendto(self._answer(query).to_wire(), address)

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(query)
        recursive = bool(query.flags & dns.flags.RD)
        answer.flags |= dns.flags.RA if recursive else dns.flags.AA
        (question,) = query.question
        name, kind = str(question.name).rstrip(".").lower(), dns.rdatatype.to_text(question.rdtype)
        records = {
            (ZONE, "SOA"): f"ns.{ZONE}. mail.{ZONE}. 1 3600 600 86400 1800",
            (ZONE, "NS"): f"ns.{ZONE}.",
            (f"ns.{ZONE}", "A"): "127.0.0.1",
        }
        if (name, kind) in records:
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, records[name, kind]))
        elif name in self.born and self.born[name] <= time.monotonic() and name not in (self.kept if recursive else ()):
            if kind == "A":
                answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", "127.0.0.1"))
        elif name not in (ZONE, f"ns.{ZONE}"):
            answer.set_rcode(dns.rcode.NXDOMAIN)
            if recursive:
                self.kept.add(name)
        return answer


@asynccontextmanager
async def name_server(born: dict[str, float]) -> AsyncIterator[NameServer]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: NameServer(born), local_addr=("127.0.0.1", 0))
    try:
        yield server
    finally:
        transport.close()
        await asyncio.sleep(0)
