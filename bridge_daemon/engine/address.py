"""URLs of others, asked for byte by byte as they were given.

A store signs a URL over its exact bytes, and yarl, which aiohttp uses, rewrites them: it decodes ``%7E`` and ``%2F``,
drops dot segments and the case of hex digits. So a URL is taken apart here and given to yarl as one that is encoded.
Only what cannot travel in a request line is changed: a fragment stays here, a space and letters beyond ASCII are
percent-encoded as UTF-8, and a host beyond ASCII is written as IDNA.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote, urljoin

if TYPE_CHECKING:
    from yarl import URL  # loaded with aiohttp, which no start waits for

#: RFC 3986, appendix B, with the authority that every URL here must have.
_PARTS: Final = re.compile(r"(?s)([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^#]*)(?:#.*)?")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")


def exact(text: str) -> URL:
    """Return a URL that is asked for as ``text`` says it. Raises ValueError if it is no URL with a host."""
    found = _PARTS.fullmatch(text)
    if found is None or _CONTROL.search(text):
        raise ValueError("it has no scheme and host, or control characters")
    from yarl import URL

    scheme, authority, target = found.groups()
    target = _sendable(target if target.startswith("/") else f"/{target}")
    # in the path, where yarl leaves all of it alone: of an empty query it would drop the question mark
    return URL.build(scheme=scheme.lower(), authority=_authority(scheme.lower(), authority), path=target, encoded=True)


@lru_cache(maxsize=64)
def _authority(scheme: str, text: str) -> str:
    """Return user, host and port; a host that hides another character (``%2f``, a backslash) is none."""
    from yarl import URL

    user, at, place = text.rpartition("@")
    try:
        read = URL(f"{scheme}://{place}")  # the host in IDNA, the port as a number
        host, port = read.raw_host or "", read.explicit_port
    except (ValueError, UnicodeError) as error:
        raise ValueError("its host or port cannot be read") from error
    if not _HOST.fullmatch(host):
        raise ValueError("its host has characters that no host has")
    if host.isascii() and place.isascii() and ":" not in host:
        host = place.partition(":")[0]  # with its own capital letters, over which a store may have signed
    host = f"[{host}]" if ":" in host else host
    return f"{user}{at}{host}" + (f":{port}" if port is not None else "")


def _sendable(target: str) -> str:
    """Percent-encode what a request line cannot hold, and nothing else."""
    if all("!" <= c <= "~" for c in target):
        return target
    return "".join(c if "!" <= c <= "~" else quote(c.encode("utf-8", "surrogateescape"), safe="") for c in target)


def next_hop(url: URL, location: str) -> URL:
    """Return where a redirect from ``url`` leads. Raises ValueError if that is no URL."""
    location = location.strip(" \t")
    if _SCHEME.match(location):
        return exact(location)
    origin = f"{url.scheme}://{url.raw_authority}"
    if location.startswith("//"):
        return exact(f"{url.scheme}:{location}")
    if location.startswith("/"):
        return exact(origin + location)
    target = url.raw_path_qs
    if location.startswith("?"):
        return exact(origin + target.partition("?")[0] + location)
    return exact(urljoin(origin + target, location))


def same(one: str, other: str | None) -> bool:
    """Return whether two URLs name one thing, however each is written."""
    return other is not None and (one == other or unquote(one) == unquote(other))
