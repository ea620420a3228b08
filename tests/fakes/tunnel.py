"""A stand-in of a tunnel program: prints a URL in the manner of cloudflared, and leads what comes there to the bridge.

A real program, with faults by word. Like a real tunnel it puts another Host into the request, and its URL is another
one each time. Every start is written to ``--told`` as one line of JSON: pid, url, arguments.

    python tests/fakes/tunnel.py --told told.jsonl [--mode …] http://127.0.0.1:9132
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

HOST = "stand-in.trycloudflare.com"
BOX = "+-----------------------------------------------------------------------------+"


class Proxy(BaseHTTPRequestHandler):
    """Leads GET and HEAD to where the tunnel ends."""

    protocol_version = "HTTP/1.1"
    to = ""
    mode = ""
    answers = 0  # that it may still give before it dies; 0: any number

    def do_GET(self) -> None:
        if self.mode == "elsewhere":
            self._answer(200, {"Content-Type": "text/html"}, b"<html>somebody else's page</html>")
            return
        if self.mode == "redirects":
            self._answer(302, {"Location": f"http://{self.to}{self.path}"}, b"")
            return
        connection = http.client.HTTPConnection(self.to, timeout=10)
        try:
            headers = {
                name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")
            }
            connection.request(self.command, self.path, headers=headers | {"Host": HOST, "X-Forwarded-For": "8.8.8.8"})
            answer = connection.getresponse()
            names = ("Content-Type", "Content-Range", "Content-Length")
            kept = {name: value for name in names if (value := answer.headers.get(name)) is not None}
            self._answer(answer.status, kept, answer.read())
        except OSError:
            self._answer(502, {}, b"the origin cannot be reached")
        finally:
            connection.close()

    do_HEAD = do_GET  # noqa: N815 - the name that http.server asks for

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        if Proxy.answers:
            Proxy.answers -= 1
            if not Proxy.answers:
                self.wfile.flush()
                os._exit(3)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ')} INF {text}\n")
    sys.stderr.flush()


def leave(given: argparse.Namespace) -> None:
    """Start a program that leaves the process group, as a service does."""
    words = [sys.executable, __file__, "--told", str(given.told), "--mode", "stubborn", given.to]
    if given.mode == "double fork":
        words = ["sh", "-c", '"$@" & exit 0', "sh", *words]
    subprocess.Popen(words, start_new_session=True)
    time.sleep(3600)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--told", type=Path, required=True)
    parser.add_argument("--mode", default="ok")  # dies, silent, elsewhere, redirects, stubborn, child, stubborn child
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="answers after which it dies when started the first time")
    parser.add_argument("--token", default="")
    parser.add_argument("--tries", type=int, default=0, help="how often it says that it is trying, 0.3 s each")
    parser.add_argument("to")
    given = parser.parse_args()
    Proxy.to, Proxy.mode = urlsplit(given.to).netloc, given.mode
    server = ThreadingHTTPServer(("127.0.0.1", given.port), Proxy)
    url = f"http://127.0.0.1:{server.server_port}"
    if not given.told.exists():
        Proxy.answers = given.first
    with given.told.open("a", encoding="utf-8") as told:
        told.write(
            json.dumps(
                {
                    "pid": os.getpid(),
                    "parent": os.getppid(),
                    "url": url,
                    "arguments": sys.argv[1:],
                    "env": dict(os.environ),
                }
            )
            + "\n"
        )
    if given.mode == "dies":
        say(f"failed to request quick Tunnel with --token {given.token}: context deadline exceeded")
        sys.exit(1)
    if given.mode == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if given.mode in ("child", "stubborn child"):  # the tunnel is a child of the program, as with a wrapper script
        mode = "stubborn" if given.mode == "stubborn child" else "ok"
        sys.exit(subprocess.call([sys.executable, __file__, "--told", str(given.told), "--mode", mode, given.to]))
    if given.mode in ("session", "double fork"):
        leave(given)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for _ in range(given.tries):  # cloudflared 617: what it says where no UDP gets out, until it falls back
        say('ERR Failed to dial a quic connection error="timeout: no recent network activity" connIndex=0')
        say("INF Retrying connection in up to 2s connIndex=0")
        time.sleep(0.3)
    say(f"Settings: map[url:{given.to}]")
    if given.mode != "silent":
        say("Thank you for trying a stand-in. Its terms: (https://stand-in.invalid/terms/)")
        for line in (BOX, "|  Your quick Tunnel has been created! Visit it at:  |", f"|  {url}  |", BOX):
            say(line)
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main()
