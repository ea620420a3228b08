"""Sessions for what goes out: no cookies, names looked up by our resolver, and the proxy of the environment.

``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``, also in small letters, mean what curl takes them for.
What is on this machine is never asked for through a proxy. The environment alone is read: asking the system for its
settings blocks, and a press waits for this. aiohttp's own ``trust_env`` knows no ``ALL_PROXY``, sends loopback through
the proxy, and reads ``.netrc``.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from typing import Any, Final
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from bridge_daemon.engine.resolver import Resolver
from bridge_daemon.settings.sections import is_loopback

_KINDS: Final = ("http", "https")
#: Looked for first: a press waits for this, and urllib goes through all of the environment.
_NAMES: Final = tuple(name for kind in (*_KINDS, "all") for name in (f"{kind}_proxy", f"{kind}_proxy".upper()))


class ProxyUnusable(OSError):
    """The environment names a proxy that cannot be used. Nothing was sent."""


def session(
    timeout: aiohttp.ClientTimeout,
    *,
    resolver: AbstractResolver | None = None,
    keep: bool = False,
    traces: Sequence[aiohttp.TraceConfig] = (),
    **options: Any,
) -> aiohttp.ClientSession:
    """Return a session; with ``keep`` its connections are used again."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=not keep, resolver=resolver or Resolver()),
        timeout=timeout,
        trace_configs=list(traces),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        **options,
    )


def through(url: URL) -> dict[str, Any]:
    """Return what a request for ``url`` needs to go through the proxy of the environment, if there is one for it.

    Raises ProxyUnusable.
    """
    proxy = proxy_for(url.scheme, (url.host or "").lower(), url.port)
    if proxy is None:
        return {}
    if proxy.user is None:
        return {"proxy": proxy}
    sign = aiohttp.encode_basic_auth(proxy.user, proxy.password or "", encoding="utf-8")
    return {"proxy": proxy.with_user(None), "proxy_headers": {"Proxy-Authorization": sign}}


def proxy_for(scheme: str, host: str, port: int | None) -> URL | None:
    """Return the proxy that the environment names for a host; None: it is asked directly. Raises ProxyUnusable."""
    if not any(name in os.environ for name in _NAMES):
        return None
    proxies = getproxies_environment()
    text = proxies.get(scheme) or proxies.get("all")
    if not text or on_this_machine(host) or _excluded(host, port, proxies.get("no", "")):
        return None
    try:
        found = URL(text if "://" in text else f"http://{text}")
        usable = found.scheme in _KINDS and bool(found.host)
    except ValueError:
        usable = False
    if not usable:
        raise ProxyUnusable(
            "HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names a proxy that is not http:// or https://, and the bridge "
            f"knows no other kind; with {host} in NO_PROXY it is not used"
        )
    return found


def on_this_machine(host: str) -> bool:
    """Return whether a host is this machine by its name."""
    name = host.lower().rstrip(".")
    return is_loopback(name) or name.endswith(".localhost")


def _excluded(host: str, port: int | None, rules: str) -> bool:
    """Return whether NO_PROXY names a host: names and their subdomains, with or without a port, ``*``, networks."""
    name = host.rstrip(".")
    place = f"{name}:{port}" if port is not None and ":" not in name else name
    names = ",".join(rule if rule.strip() == "*" else rule.strip().removeprefix("*") for rule in rules.split(","))
    if proxy_bypass_environment(place, {"no": names}):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return any(_in_network(address, rule.strip().strip("[]")) for rule in rules.split(","))


def _in_network(address: ipaddress.IPv4Address | ipaddress.IPv6Address, rule: str) -> bool:
    try:
        return address in ipaddress.ip_network(rule, strict=False)
    except ValueError:
        return False
