"""The log: readable lines, whatever goes wrong in them, no secret in them."""

from __future__ import annotations

import asyncio
import logging
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bridge_daemon.home import logs as module
from bridge_daemon.home.logs import Logs, log_loop_errors, setup_logging
from bridge_daemon.home.paths import Home
from bridge_daemon.util.redact import HIDDEN, redact, redact_command

KEY = "sk-empiriolabs-0123456789abcdef"
LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d [A-Z]+ +[\w.]+: ")
log = logging.getLogger("bridge_daemon.test")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "Zoë's home")
    home.prepare()
    return home


@pytest.fixture
def set_up(home: Home) -> Iterator[Callable[..., Logs]]:
    made: list[Logs] = []

    def make(**options: object) -> Logs:
        made.append(setup_logging(home, **({"console": False} | options)))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in reversed(made):
        one.close()


def written(home: Home) -> str:
    return home.log_file.read_text(encoding="utf-8")


class TestLines:
    def test_a_line_with_context(self, home: Home, set_up: Callable[..., Logs]) -> None:
        set_up()
        log.info("Zoë pressed %s", "a pad", extra={"job": "j1", "state": "queued", "charge": "none"})
        (line,) = written(home).splitlines()
        assert LINE.match(line)
        assert line.endswith("bridge_daemon.test: Zoë pressed a pad [job=j1 state=queued charge=none]")

    def test_others_are_heard_from_warnings_on(self, home: Home, set_up: Callable[..., Logs]) -> None:
        set_up()
        logging.getLogger("aiohttp.access").info("GET /")
        logging.getLogger("aiohttp.server").warning("heard")
        log.debug("not heard")
        assert [line.rpartition(": ")[2] for line in written(home).splitlines()] == ["heard"]

    def test_debug(self, home: Home, set_up: Callable[..., Logs]) -> None:
        set_up(level="debug")
        log.debug("heard")
        assert "heard" in written(home)

    def test_unknown_level(self, home: Home) -> None:
        with pytest.raises(ValueError, match="'loud' is no level"):
            setup_logging(home, level="loud", console=False)

    def test_nobody_writes_a_line_in_our_name(self, home: Home, set_up: Callable[..., Logs]) -> None:
        set_up()
        log.info("prompt: %s", "x\n2026-01-01T00:00:00.000+00:00 INFO     bridge_daemon: paid\r\x1b[2Jgone\x9b")
        lines = written(home).splitlines()
        assert [bool(LINE.match(line)) for line in lines] == [True, False]
        assert "\\x0d\\x1b[2Jgone\\x9b" in lines[1]

    def test_text_that_is_no_unicode(self, home: Home, set_up: Callable[..., Logs]) -> None:
        set_up()
        # past the logger: pytest would carry such text into its own report, which is UTF-8
        (handler,) = [one for one in logging.getLogger().handlers if isinstance(one, module.Rotating)]
        handler.handle(logging.makeLogRecord({"msg": "file caf\udce9.wav"}))
        assert r"caf\udce9.wav" in written(home)

    def test_console(self, home: Home, set_up: Callable[..., Logs], capsys: pytest.CaptureFixture[str]) -> None:
        set_up(console=True)
        log.warning("key %s", KEY)
        assert "sk-[hidden]" in capsys.readouterr().err

    def test_close_puts_everything_back(self, home: Home) -> None:
        root = logging.getLogger()
        before = list(root.handlers), root.level, log.parent and log.parent.level, sys.excepthook
        logs = setup_logging(home, level="debug", console=True)
        logs.close()
        logs.close()
        assert (list(root.handlers), root.level, log.parent and log.parent.level, sys.excepthook) == before


class TestRotation:
    def test_rotated_at_start(self, home: Home, set_up: Callable[..., Logs]) -> None:
        for number in range(7):
            set_up().close()  # an empty log is not worth a file
            logs = set_up()
            log.info("run %s", number)
            logs.close()
        kept = {p.name: re.findall(r"run (\d)", p.read_text(encoding="utf-8")) for p in home.logs.iterdir()}
        assert kept == {
            "daemon.log": ["6"],
            "daemon.log.1": ["5"],
            "daemon.log.2": ["4"],
            "daemon.log.3": ["3"],
            "daemon.log.4": ["2"],
        }

    def test_rotated_when_full(self, home: Home, set_up: Callable[..., Logs], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "FILE_BYTES", 500)
        set_up()
        for number in range(40):
            log.info("line %02d", number)
        files = sorted(home.logs.iterdir())
        assert len(files) == 5
        assert all(file.stat().st_size <= 500 for file in files)
        assert "line 39" in written(home)

    def test_a_file_that_cannot_be_moved_is_written_on(
        self, home: Home, set_up: Callable[..., Logs], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        set_up()
        log.info("first")
        monkeypatch.setattr(module, "FILE_BYTES", 10)

        def held(*_: object) -> None:
            raise PermissionError(13, "held by another program")

        monkeypatch.setattr("bridge_daemon.util.files.os.replace", held)
        set_up().close()
        set_up()
        for number in range(5):
            log.info("line %s", number)
        assert "first" in written(home)
        assert "line 4" in written(home)
        assert [p.name for p in home.logs.iterdir()] == ["daemon.log"]


class TestSecrets:
    def test_in_message_arguments_context_and_traceback(self, home: Home, set_up: Callable[..., Logs]) -> None:
        logs = set_up(secrets=["first-plain-secret"])
        logs.add_secret("späteres Geheimnis/+")
        log.info("first-plain-secret %s", home.read_token(), extra={"url": "https://x.test/?a=sp%C3%A4teres"})
        log.info("%s %s", "späteres Geheimnis/+", "sp%C3%A4teres%20Geheimnis%2F%2B")
        try:
            raise ValueError(f"GET https://cdn.test/take.wav?X-Amz-Signature=abcdef with {home.read_token()}")
        except ValueError:
            log.exception("failed")
        text = written(home)
        for secret in ("first-plain", home.read_token(), "Geheimnis", "X-Amz", "abcdef"):
            assert secret not in text
        assert "https://cdn.test/take.wav?[hidden]" in text
        assert "ValueError" in text

    @pytest.mark.parametrize(
        ("text", "left"),
        [
            ("Authorization: Bearer abc.def-1", "Authorization: [hidden]"),
            ("{'Authorization': 'Bearer abc'}", "{'Authorization': '[hidden]'}"),
            ('{"authorization":"Basic YTpi"}', '{"authorization":"[hidden]"}'),
            ("(b'Authorization', b'Bearer abc')", "(b'Authorization', b'[hidden]')"),
            ("x-api-key=abc", "x-api-key=[hidden]"),
            ("Cookie: a=b; c=d", "Cookie: [hidden]"),
            ("with bearer abcdefgh1234.", "with bearer [hidden]"),
            (f"the key {KEY}, and", "the key sk-[hidden], and"),
            ("disk-abcdefghij task-1234567890", "disk-abcdefghij task-1234567890"),
            ("https://u:p@h.test/x", "https://[hidden]@h.test/x"),
            ("see https://h.test/a/b.wav?sig=1&x=2 now", "see https://h.test/a/b.wav?[hidden] now"),
            ("http://127.0.0.1:9131/#code", "http://127.0.0.1:9131/#[hidden]"),
            ("https://h.test/plain and ? alone", "https://h.test/plain and ? alone"),
            ("/source/AbCdEf0123456789_-", "/source/[hidden]"),
            ("GET /api/jobs?limit=5", "GET /api/jobs?limit=5"),
            ("AWS AKIAIOSFODNN7EXAMPLE", "AWS [hidden]"),
            ("aws_secret_access_key = wJalrXUt/K7", "aws_secret_access_key = [hidden]"),
            ('"api_key": "x1"', '"api_key": "[hidden]"'),
            ("E-KEY: no API key is set", "E-KEY: no API key is set"),
        ],
    )
    def test_patterns(self, text: str, left: str) -> None:
        assert redact(text) == left
        assert redact(left) == left

    def test_what_is_too_short_to_be_secret_blanks_nothing(self) -> None:
        assert redact("a take", ["", "a", "take"]) == "a take"

    @pytest.mark.parametrize(
        "text", ["a", "http://", "authorization: ", "_token", "a.b+", "sk-", "bearer ", "secret  ", "://a", "cookie = "]
    )
    def test_the_text_of_others_cannot_keep_us_busy(self, text: str) -> None:
        started = time.perf_counter()
        redact(text * (20_000 // len(text)))
        assert time.perf_counter() - started < 1  # s; a careless pattern takes half a minute

    @pytest.mark.parametrize(
        ("command", "left"),
        [
            ("cloudflared tunnel run --token eyJh.bc", "cloudflared tunnel run --token [hidden]"),
            ("ngrok http 9132 --authtoken=2abC", "ngrok http 9132 --authtoken=[hidden]"),
            (
                "NGROK_AUTHTOKEN=2a bore local 9132 --to bore.pub",
                "NGROK_AUTHTOKEN=[hidden] bore local 9132 --to bore.pub",
            ),
            ("x --basic-auth 'me:pw' http://u:p@h/", "x --basic-auth [hidden] http://[hidden]@h/"),
            ("frp 0a1b2c3d4e5f6a7b8c9d0e1f2a3b", f"frp {HIDDEN}"),
            ("ssh -R 80:localhost:9132 me@host.test", "ssh -R 80:localhost:9132 me@host.test"),
        ],
    )
    def test_commands(self, command: str, left: str) -> None:
        assert redact_command(command) == left


class TestWhateverGoesWrong:
    def test_everything_ends_in_the_log(self, home: Home) -> None:
        code = (
            "import sys, threading, warnings; from pathlib import Path\n"
            "from bridge_daemon.home.paths import Home; from bridge_daemon.home.logs import setup_logging\n"
            "setup_logging(Home(Path(sys.argv[1])), console=False)\n"
            "warnings.warn('a warning', stacklevel=1)\n"
            "thread = threading.Thread(target=lambda: 1 / 0, name='worker'); thread.start(); thread.join()\n"
            f"raise ValueError('the end {KEY}')"
        )
        done = subprocess.run(
            [sys.executable, "-W", "default", "-c", code, str(home.path)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=30,
            check=False,
        )
        text = written(home)
        assert done.returncode == 1
        assert done.stderr == "Unexpected error (ValueError); the log has the details: daw-bridge logs\n"
        assert "UserWarning: a warning" in text
        assert "Unexpected error in worker" in text
        assert "ZeroDivisionError" in text
        assert "CRITICAL" in text
        assert "ValueError: the end sk-[hidden]" in text

    async def test_the_event_loop(self, home: Home, set_up: Callable[..., Logs]) -> None:
        set_up()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(log_loop_errors)

        def fails() -> None:
            raise KeyError("in a callback")

        loop.call_soon(fails)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task = asyncio.create_task(asyncio.sleep(0))
        await task  # from Python 3.12 on the handler runs in the task's own context, which must not be entered already
        loop.call_exception_handler({"message": "a task died", "task": task})
        text = written(home)
        assert "KeyError: 'in a callback'" in text
        assert f"a task died in {task.get_name()}" in text
