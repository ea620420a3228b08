"""Prove first, then the secret: what a ping is answered, and that the example in the docs does what it says."""

from __future__ import annotations

import asyncio
import hmac
import re
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.frontends.osc.caller import caller, message
from tests.support import running

DOCS = Path(__file__).parents[3] / "docs" / "osc.md"


async def test_a_ping_with_a_nonce_is_answered_with_a_proof(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None) as daemon, caller(daemon, secret="") as osc:
        for nonce in ("0123456789abcdef", "f" * 64):
            osc.raw(message("/bridge/ping", "nonce", nonce))
            told = await osc.until("/bridge/pong", count=1)
            text = f"daw-bridge/{daemon.osc_port}/{nonce}"
            wanted = hmac.new(daemon.home.read_token().encode(), text.encode(), "sha256").hexdigest()
            assert told["proof"] == wanted
            assert told["version"]
            osc.got.clear()


@pytest.mark.parametrize("nonce", ["", "f" * 15, "f" * 65, "F" * 16, "g" * 16, None])
async def test_what_is_no_nonce_is_answered_without_one(tmp_path: Path, nonce: object) -> None:
    async with running(tmp_path / "home", None) as daemon, caller(daemon, secret="") as osc:
        osc.raw(message("/bridge/ping", *([] if nonce is None else ["nonce", nonce])))
        assert set(await osc.until("/bridge/pong")) == {"version"}


async def test_the_answer_goes_to_the_port_that_is_named(tmp_path: Path) -> None:
    """Max sends from another port than it listens on."""
    async with running(tmp_path / "home", None) as daemon, caller(daemon, secret="") as osc:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            other.setblocking(False)
            osc.raw(message("/bridge/ping", "nonce", "f" * 16, "port", other.getsockname()[1]))
            async with asyncio.timeout(10):
                assert b"/bridge/pong" in await asyncio.get_running_loop().sock_recv(other, 4096)
        osc.raw(message("/bridge/ping", "port", daemon.osc_port))  # never to itself
        osc.raw(message("/bridge/ping", "port", 70_000))
        await osc.quiet()
        assert osc.got == []


def test_the_example_in_the_docs_works(tmp_path: Path) -> None:
    (block,) = re.findall(r"^    import hashlib.*?(?=^\S)", DOCS.read_text("utf-8"), re.S | re.M)
    example = textwrap.dedent(block)

    async def run() -> subprocess.CompletedProcess[str]:
        async with running(tmp_path / "home", None):
            return await asyncio.to_thread(_example, example, tmp_path / "home")

    done = asyncio.run(run())
    assert done.returncode == 0, done.stderr
    assert "/bridge/welcome" in done.stdout
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as impostor:
        impostor.bind(("127.0.0.1", 0))
        home = tmp_path / "home"
        (home / "runtime.json").write_text(f'{{"osc_port": {impostor.getsockname()[1]}}}')
        done = _example(example, home)
        assert done.returncode != 0
        impostor.setblocking(False)
        assert (home / "token").read_bytes() not in impostor.recv(8192)
        with pytest.raises(BlockingIOError):
            impostor.recv(8192)


def _example(example: str, home: Path) -> subprocess.CompletedProcess[str]:
    code = example.replace('Path("~/.local/share/daw-bridge").expanduser()', f"Path({str(home)!r})")
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
