"""What the errors of a POST mean: each family that aiohttp has, made for real, and whether the headers went out.

The exception alone does not tell: the same bare TimeoutError stands for "never sent" and for "sent, perhaps charged".
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from bridge_daemon.engine import client
from bridge_daemon.engine.client import PollSession, Sent, classify_error
from bridge_daemon.engine.protocol import Answer, SubmitOutcome
from tests.util.wine import is_wine

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"job_id": "abc"}'


class Wire:
    """One end of a connection that does what a test says, once it has read the whole request."""

    def __init__(self, reply: bytes | None, ending: str, tls: ssl.SSLContext | None) -> None:
        self.reply, self.ending, self.tls = reply, ending, tls
        self.requests: list[bytes] = []
        self.port = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.ending == "mute":
            await reader.read()
            return
        if self.ending == "at once":
            await reader.read(1)
            writer.write(self.reply or b"")
            await writer.drain()
            return
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length")), 0
        )
        self.requests.append(head + await reader.readexactly(length))
        if self.reply is not None:
            writer.write(self.reply)
            await writer.drain()
        if self.ending == "silence":
            await reader.read()
        if self.ending == "reset":
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


@contextlib.asynccontextmanager
async def wire(
    reply: bytes | None = None, ending: str = "close", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Wire]:
    served = Wire(reply, ending, tls)
    tasks: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with (
            contextlib.closing(writer),
            contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError),
        ):
            await served(reader, writer)

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        writers.append(writer)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:  # what its client did not take is not waited for
            writer.transport.abort()
        await asyncio.sleep(0)


async def post(port: int, *, scheme: str = "http", host: str = "127.0.0.1") -> Sent:
    return await client.submit(f"{scheme}://{host}:{port}", "sk-test", {"prompt": "é"}, idempotency_key="job")


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    """A server's side of TLS with a certificate that nobody signed."""
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost"
    subprocess.run([*command.split(), "-keyout", str(key), "-out", str(chain)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return context


# Certainly not sent


def never(sent: Sent, error: type[BaseException]) -> None:
    assert isinstance(sent.error, error), repr(sent.error)
    assert sent.sent is False
    assert sent.outcome().kind is SubmitOutcome.NOT_SENT
    assert sent.as_event()["sent"] is False, "so also the next start knows"


@pytest.mark.fault(10)
async def test_a_refused_port() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # bound, and nobody listens
        never(await post(free.getsockname()[1]), aiohttp.ClientConnectorError)


@pytest.mark.fault(10)
async def test_a_name_that_nobody_knows() -> None:
    never(await post(80, host="no-such-host.invalid"), aiohttp.ClientConnectorDNSError)


async def test_a_name_that_is_looked_up_for_ever_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a network the system may take half a minute; no press and no end of the process waits for that."""
    release, threads = threading.Event(), []

    def hang(*_: object, **__: object) -> list[object]:
        threads.append(threading.current_thread())
        release.wait(30)
        return []

    monkeypatch.setattr(client, "_REACH", 0.3)
    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        never(await post(80, host="slow.invalid"), aiohttp.ConnectionTimeoutError)
        assert [thread.daemon for thread in threads] == [True]
    finally:
        release.set()


async def test_a_name_with_an_address() -> None:
    async with wire(OK) as service:
        assert (await post(service.port, host="localhost")).outcome().kind is SubmitOutcome.ACCEPTED


async def test_tls_to_a_port_that_speaks_none() -> None:
    async with wire(b"HTTP/1.1 400 Bad Request\r\n\r\n", "at once") as plain:
        sent = await post(plain.port, scheme="https")
    never(sent, aiohttp.ClientConnectorError)
    assert plain.requests == []


@pytest.mark.needs("openssl", "openssl")
@pytest.mark.fault(10)
async def test_a_certificate_that_nobody_signed_stops_everything(certificate: ssl.SSLContext) -> None:
    async with wire(OK, tls=certificate) as service:
        sent = await post(service.port, scheme="https", host="localhost")
    never(sent, aiohttp.ClientConnectorCertificateError)
    assert sent.outcome().pause == "certificate", "trying again would not mend it"
    assert service.requests == []


async def test_a_connection_that_is_not_made_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_CONNECT", 0.2)
    async with wire(ending="mute") as mute:  # takes the connection, never answers the handshake
        never(await post(mute.port, scheme="https"), aiohttp.ConnectionTimeoutError)


@pytest.mark.fault(14)
async def test_the_same_timeout_before_and_after_the_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Why the trace signal is needed: type and text of both errors are the same."""
    monkeypatch.setattr(client, "_SUBMIT", 0.4)
    async with wire(ending="mute") as mute, wire(ending="silence") as silent:
        before, after = await post(mute.port, scheme="https"), await post(silent.port)
    assert type(before.error) is type(after.error) is TimeoutError
    assert str(before.error) == str(after.error)
    assert (before.outcome().kind, after.outcome().kind) == (SubmitOutcome.NOT_SENT, SubmitOutcome.UNKNOWN)
    assert len(silent.requests) == 1


@pytest.mark.parametrize("url", ["http://", "http://a b", "nonsense", "http://[::1", "ftp://x"])
async def test_an_address_that_is_none(url: str) -> None:
    sent = await client.submit(url, "k", {}, idempotency_key="job")
    assert sent.outcome().kind is SubmitOutcome.NOT_SENT


async def test_stopped_before_it_left() -> None:
    async with wire(ending="mute") as mute:
        task = asyncio.create_task(post(mute.port, scheme="https"))
        await asyncio.sleep(0.1)
        task.cancel()
        never(await task, asyncio.CancelledError)


# Perhaps charged


def perhaps(sent: Sent, error: type[BaseException], service: Wire) -> None:
    assert isinstance(sent.error, error), repr(sent.error)
    assert sent.sent is True
    assert sent.outcome().kind is SubmitOutcome.UNKNOWN
    assert len(service.requests) == 1, "never a second one"


async def test_closed_without_an_answer() -> None:
    async with wire() as service:
        perhaps(await post(service.port), aiohttp.ServerDisconnectedError, service)


async def test_reset_after_the_request() -> None:
    async with wire(ending="reset") as service:
        # wine tells it as a close without an answer
        perhaps(
            await post(service.port), aiohttp.ClientConnectionError if is_wine() else aiohttp.ClientOSError, service
        )


@pytest.mark.parametrize(
    "reply",
    [
        b"GARBAGE\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    ],
)
async def test_an_answer_that_is_no_http(reply: bytes) -> None:
    async with wire(reply) as service:
        perhaps(await post(service.port), aiohttp.ClientResponseError, service)


@pytest.mark.parametrize(
    "reply",
    [
        b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"job_id": "abc"}',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n{"job_id": "abc"}\r\n',
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nabcde",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 5\r\n\r\nabcde",
    ],
)
async def test_an_answer_that_breaks_off_is_kept_as_evidence(reply: bytes) -> None:
    async with wire(reply) as service:
        sent = await post(service.port)
    assert sent.answer is not None
    assert not sent.answer.complete
    assert sent.outcome().kind is SubmitOutcome.UNKNOWN


async def test_a_body_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_MAX_BODY", 100_000)
    async with wire(b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n" + b" " * 900_000) as service:
        sent = await post(service.port)
    assert sent.answer is not None
    assert (sent.answer.complete, sent.outcome().kind) == (False, SubmitOutcome.UNKNOWN)


async def test_stopped_after_it_left() -> None:
    async with wire(ending="silence") as service:
        task = asyncio.create_task(post(service.port))
        async with asyncio.timeout(10):
            while not service.requests:
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


#: error, headers went out → kind, pause
FAMILIES = [
    (aiohttp.ServerDisconnectedError(), True, SubmitOutcome.UNKNOWN, None),
    (aiohttp.ClientOSError(104, "reset"), True, SubmitOutcome.UNKNOWN, None),
    (aiohttp.ClientConnectionResetError("closing"), True, SubmitOutcome.UNKNOWN, None),
    (aiohttp.SocketTimeoutError(), True, SubmitOutcome.UNKNOWN, None),
    (aiohttp.ClientPayloadError(), True, SubmitOutcome.UNKNOWN, None),
    (aiohttp.ServerTimeoutError(), True, SubmitOutcome.UNKNOWN, None),
    (TimeoutError(), True, SubmitOutcome.UNKNOWN, None),
    (ConnectionResetError(), True, SubmitOutcome.UNKNOWN, None),
    (RuntimeError("a fault of the library"), True, SubmitOutcome.UNKNOWN, None),
    (TimeoutError(), False, SubmitOutcome.NOT_SENT, None),
    (aiohttp.ClientOSError(101, "network unreachable"), False, SubmitOutcome.NOT_SENT, None),
    (aiohttp.ConnectionTimeoutError(), False, SubmitOutcome.NOT_SENT, None),
    (aiohttp.InvalidURL("x"), False, SubmitOutcome.NOT_SENT, None),
    (RuntimeError("a fault of the library"), False, SubmitOutcome.NOT_SENT, None),
    (ssl.SSLCertVerificationError("expired"), False, SubmitOutcome.NOT_SENT, "certificate"),
]


@pytest.mark.parametrize(("error", "sent", "kind", "pause"), FAMILIES)
def test_what_an_error_means(error: BaseException, sent: bool, kind: SubmitOutcome, pause: str | None) -> None:
    outcome = classify_error(error, sent=sent)
    assert (outcome.kind, outcome.pause) == (kind, pause)
    assert type(error).__name__ in outcome.text


# How it is sent


async def test_what_goes_over_the_wire_and_how_often() -> None:
    async with wire(OK) as service:
        assert (await post(service.port)).outcome().remote_id == "abc"
    (request,) = service.requests
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /v1/audio/generations HTTP/1.1"
    assert "Authorization: Bearer sk-test" in lines
    assert "Content-Type: application/json" in lines
    assert "Idempotency-Key: job" in lines
    assert not any(line.lower().startswith("cookie") for line in lines)
    assert body == '{"prompt": "é"}'.encode()


KEY = "sk-empiriolabs-a1B2+c3/d4="


@pytest.mark.parametrize(
    "echo", [KEY, KEY.replace("+", "%2B").replace("/", "%2f").replace("=", "%3D"), "sk\\u002d" + KEY[3:]]
)
async def test_a_key_that_is_echoed_is_kept_nowhere(echo: str) -> None:
    body = f'{{"error": {{"message": "no such key: Bearer {echo}", "code": "invalid_api_key"}}}}'
    for status, head in ((401, ""), (500, f"Retry-After: {echo}\r\n")):
        reply = f"HTTP/1.1 {status} x\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
        async with wire(reply) as service:
            url, polls = f"http://127.0.0.1:{service.port}", PollSession()
            sent = await client.submit(url, KEY, {}, idempotency_key="job")
            polled = await polls.job(url, "x", KEY)
            await polls.close()
        assert isinstance(polled, Answer)
        for told in (sent.as_event(), sent.outcome(), polled.as_event()):
            assert "a1B2" not in str(told)
            assert "[hidden]" in str(told)
    async with wire(b"HTTP/1.1 4x1 " + echo.encode() + b"\r\n\r\n") as service:
        sent = await client.submit(f"http://127.0.0.1:{service.port}", KEY, {}, idempotency_key="job")
    assert "a1B2" not in f"{sent.as_event()} {sent.outcome()}"


@pytest.mark.fault(15)
async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    async with wire(OK) as other:
        location = f"Location: http://127.0.0.1:{other.port}/v1/audio/generations".encode()
        async with wire(b"HTTP/1.1 307 x\r\nContent-Length: 0\r\n" + location + b"\r\n\r\n") as service:
            assert (await post(service.port)).outcome().kind is SubmitOutcome.REFUSED
    assert other.requests == []


async def test_the_environment_cannot_send_the_key_of_a_service_on_this_machine_through_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with wire(OK) as service, wire(OK) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        await post(service.port)
    assert (len(service.requests), len(proxy.requests)) == (1, 0)


@pytest.mark.parametrize(
    ("reply", "ending"),
    [
        (b"GARBAGE\r\n\r\n", "close"),
        (None, "close"),
        (None, "reset"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "close"),
    ],
)
async def test_a_poll_returns_its_error(reply: bytes | None, ending: str) -> None:
    polls = PollSession()
    try:
        async with wire(reply, ending) as service:
            answer = await polls.job(f"http://127.0.0.1:{service.port}", "../x", "k")
        assert isinstance(answer, Exception) or (isinstance(answer, Answer) and not answer.complete)
        assert service.requests[0].startswith(b"GET /v1/jobs/..%2Fx HTTP/1.1")
    finally:
        await polls.close()


@pytest.mark.parametrize("sent", [False, True])
def test_what_never_reached_the_service_was_not_sent_whatever_was_written_by_then(sent: bool) -> None:
    for error in (aiohttp.InvalidURL("x"), aiohttp.ConnectionTimeoutError()):
        assert classify_error(error, sent=sent).kind is SubmitOutcome.NOT_SENT


@pytest.mark.parametrize(("length", "complete"), [(1000, True), (1001, False)])
@pytest.mark.parametrize("header", [None, "7"])
async def test_what_is_read_of_an_answer(
    monkeypatch: pytest.MonkeyPatch, length: int, complete: bool, header: str | None
) -> None:
    async def blocks(_: int) -> AsyncIterator[bytes]:
        yield b"x" * length

    monkeypatch.setattr(client, "_MAX_BODY", 1000)
    headers = {} if header is None else {"Retry-After": header}
    response: Any = SimpleNamespace(status=200, headers=headers, content=SimpleNamespace(iter_chunked=blocks))
    expected = Answer(status=200, body=b"x" * length, complete=complete, retry_after=header)
    assert await client._read(response, "sk-test") == expected
