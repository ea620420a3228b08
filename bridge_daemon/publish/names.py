"""Names that begin to exist: asked for at the name servers of their own zone.

The name of a quick tunnel is there some seconds after it was printed. A resolver that was asked before keeps the "no
such name" for minutes, and the system's has no way to ask past that. The servers of the zone keep nothing; dnspython
asks them. The resolver of the system is only asked once they say that the name is there.
"""

from __future__ import annotations

import asyncio
import ipaddress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import dns.asyncresolver

_PATIENCE: Final = 3.0  # s for one answer
_MOST_SERVERS: Final = 3
_PORT: Final = 53


def is_address(host: str) -> bool:
    """Return whether a host needs no look-up: it is a number, or this machine."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or "." not in host.rstrip(".")
    return True


async def addresses(host: str) -> list[str] | None:
    """Return the addresses of a name as its zone has them now; none: no such name. None: they cannot be asked."""
    import dns.exception  # loaded when a tunnel needs it

    name = host.rstrip(".")
    try:
        async with asyncio.timeout(3 * _PATIENCE):
            for server in await _servers(name.partition(".")[2]):
                found = await _ask(name, server)
                if found is not None:
                    return found
    except (dns.exception.DNSException, OSError, TimeoutError, EOFError):
        return None
    return None


def _system() -> dns.asyncresolver.Resolver:
    import dns.asyncresolver

    resolver = dns.asyncresolver.Resolver()
    resolver.lifetime = _PATIENCE
    resolver.cache = None
    return resolver


async def _servers(parent: str) -> list[str]:
    """Return addresses of the name servers of a zone. The name itself is not asked for: its "no" would be kept."""
    import dns.asyncresolver

    resolver = _system()
    zone = await dns.asyncresolver.zone_for_name(parent, resolver=resolver)
    found = []
    for server in list(await resolver.resolve(zone, "NS"))[:_MOST_SERVERS]:
        answer = await resolver.resolve(server.target, "A", raise_on_no_answer=False)
        found += [record.address for record in answer.rrset or ()][:1]
    return found


async def _ask(name: str, server: str) -> list[str] | None:
    """Ask one server; None if it gives no certain answer."""
    import dns.asyncquery
    import dns.flags
    import dns.message
    import dns.rcode
    import dns.rdatatype

    found: list[str] = []
    for kind in ("A", "AAAA"):
        query = dns.message.make_query(name, kind)
        query.flags &= ~dns.flags.RD
        answer, _ = await dns.asyncquery.udp_with_fallback(query, server, timeout=_PATIENCE, port=_PORT)
        if answer.rcode() == dns.rcode.NXDOMAIN:
            return []
        if answer.rcode() != dns.rcode.NOERROR or not answer.flags & dns.flags.AA:
            return None
        for records in answer.answer:
            if records.rdtype == dns.rdatatype.CNAME:
                return None  # it leads into another zone, which the system's resolver follows
            if records.rdtype == dns.rdatatype.from_text(kind):
                found += [record.address for record in records]
    return found
