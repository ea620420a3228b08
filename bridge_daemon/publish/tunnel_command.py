"""The command line of a tunnel program, and how its output tells the URL that leads to us.

``cloudflared``, ``ngrok`` and ``tailscale`` alone stand for a whole command line. In any other, ``{port}`` and
``{url}`` stand for where sources are served on this machine.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final
from urllib.parse import urlsplit

from bridge_daemon.errors import NotPublished
from bridge_daemon.settings.sections import is_loopback

#: Any URL in a line; what may follow it in a sentence, a box or JSON does not belong to it.
_URL: Final = re.compile(r"https?://[^\s\"'<>|\\()\[\]{},;]{1,300}")
_ANSI: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Program:
    """What is known of a tunnel program."""

    arguments: tuple[str, ...]  #: of a tunnel to ``{url}``, after the name of the program
    hosts: str  #: pattern of the hosts that it prints and that lead to us
    line: str = ""  #: pattern of the lines that count
    connected: str | None = None  #: pattern of the line that says that the URL works
    get: str = ""  #: where it is told how to install it


#: From the documentation of each; nobody here has run them.
PROGRAMS: Final[dict[str, Program]] = {
    # https URL in a box on stderr; https://api.trycloudflare.com in its errors is not ours. Asking for the name before
    # it is connected may leave "no such name" in the caches of resolvers for minutes.
    # http2 is TCP: its default, QUIC, needs more than a minute to fall back in a network that lets no UDP out.
    "cloudflared": Program(
        ("tunnel", "--no-autoupdate", "--protocol", "http2", "--url", "{url}"),
        r"(?!api\.)[a-z0-9-]+\.trycloudflare\.com",
        connected=r"[Rr]egistered (tunnel )?connection|Connection [0-9a-f-]+ registered",
        get="https://developers.cloudflare.com/cloudflare-one/connections/connect-networks/downloads/",
    ),
    # draws a screen of its own and prints nothing unless it is told to log to stdout
    "ngrok": Program(
        ("http", "127.0.0.1:{port}", "--log", "stdout", "--log-format", "logfmt"),
        r"[^/:]+",
        line=r"started tunnel.*\burl=",
        get="https://ngrok.com/download",
    ),
    "tailscale": Program(("funnel", "{url}"), r"[a-z0-9.-]+\.ts\.net", get="https://tailscale.com/download"),
}


@dataclass(frozen=True, slots=True)
class TunnelCommand:
    """A command line that is ready to be started."""

    argv: tuple[str, ...]
    program: Program | None  #: None: one that is not known; each URL that it prints is tried
    port: int

    @property
    def name(self) -> str:
        """The program's name, for people."""
        return _stem(self.argv[0])

    def urls(self, line: str) -> Iterator[str]:
        """Yield the URLs in a line of output that may lead to us."""
        line = _ANSI.sub("", line)
        if self.program is not None and not re.search(self.program.line, line):
            return
        for found in _URL.findall(line):
            try:
                parts = urlsplit(found.rstrip(".:/"))
                host, port = parts.hostname or "", parts.port
            except ValueError:
                continue
            if parts.query or parts.fragment or parts.username is not None or not host:
                continue
            if parts.scheme == "http" and (not is_loopback(host) or port == self.port):
                continue  # not what a service out there may be told, or only the echo of where it leads to
            if self.program is not None and not re.fullmatch(self.program.hosts, host):
                continue
            yield f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"

    def connected(self, line: str) -> bool:
        """Return whether a line says that the URL works now; always, if the program has no such line."""
        pattern = self.program.connected if self.program is not None else None
        return pattern is None or re.search(pattern, line) is not None


def tunnel_command(text: str, port: int) -> TunnelCommand:
    """Return the command line that a setting stands for, with the whole path of its program.

    Raises NotPublished if it cannot be read or the program is not installed; nothing was started.
    """
    words = _split(text)
    known = PROGRAMS.get(_stem(words[0])) if words else None
    if known is not None and len(words) == 1:
        words += known.arguments
    if not words:
        raise NotPublished("[publish] tunnel_command is empty. Nothing was sent and nothing was spent.")
    program = shutil.which(os.path.expanduser(words[0]))  # noqa: PTH111 - a name without a folder stays one
    if program is None:
        where = f", {known.get}" if known is not None else ""
        raise NotPublished(
            f"The tunnel program {words[0]} is not installed, or not on the PATH of the bridge. "
            "Nothing was sent and nothing was spent.",
            next=f"Install it{where}, or write its whole path in [publish] tunnel_command; docs/publishing.md.",
        )
    fill = {"{port}": str(port), "{url}": f"http://127.0.0.1:{port}"}
    return TunnelCommand((program, *(_fill(word, fill) for word in words[1:])), known, port)


def _fill(word: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(name, value)
    return word


def _split(text: str, *, windows: bool = os.name == "nt") -> list[str]:
    """Split a command line as a shell would, and no more than that: nothing in it is expanded or run."""
    try:
        words = shlex.split(text, posix=not windows)  # with posix rules the \ of a path would be taken away
    except ValueError as error:
        raise NotPublished(
            f"[publish] tunnel_command cannot be read: {error}. Nothing was sent and nothing was spent.",
            next="Put words with spaces into quotes, each closed; docs/publishing.md.",
        ) from error
    if windows:
        words = [w[1:-1] if len(w) > 1 and w[0] == w[-1] and w[0] in "\"'" else w for w in words]
    return words


def _stem(program: str) -> str:
    name = PurePath(program.replace("\\", "/")).name.lower()
    return name.removesuffix(".exe")
