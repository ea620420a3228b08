"""The log: one rotating file in the home that a person can read and send to somebody, without a secret in it.

Whatever goes wrong anywhere (a thread, the event loop, a warning) ends up in it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from bridge_daemon.errors import HomeUnsafe
from bridge_daemon.home.paths import Home
from bridge_daemon.util import files
from bridge_daemon.util.files import close_to_others, open_unheld, private
from bridge_daemon.util.redact import redact

__all__ = ["Logs", "end_of_log", "log_loop_errors", "redact", "setup_logging"]

FILE_BYTES: Final = 5 * 1024 * 1024
FILES: Final = 5  # the one that is written, and four older ones
_RETRY = 60.0  # s; how long a file that another program holds open is left alone before it is rotated
_OWN = "bridge_daemon"
#: What every record has; the rest came by ``extra``.
_LONG_LINE = 1000  # bytes: longer than most
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_CONTROL: Final = {
    code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F, *range(0x80, 0xA0)) if chr(code) not in "\n\t"
}

_log = logging.getLogger(__name__)


def end_of_log(file: Path, lines: int) -> list[str]:
    """Return the last lines of a log; none if there is no log yet."""
    try:
        with open_unheld(file) as log:  # held, it could not be rotated on Windows
            log.seek(max(0, log.seek(0, os.SEEK_END) - lines * _LONG_LINE))
            return log.read().decode("utf-8", "replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []


class LogFormatter(logging.Formatter):
    """One readable line: local time with its offset, level, logger, message, context.

    Secrets are taken out here and not in a ``logging.Filter``: a filter never sees the traceback, and the URL of a
    failed call stands in just that.
    """

    def __init__(self, secrets: set[str]) -> None:
        super().__init__()
        self._secrets = secrets

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        """Return e.g. ``2026-03-01T20:15:00.123+01:00``."""
        return datetime.fromtimestamp(record.created, tz=UTC).astimezone().isoformat(timespec="milliseconds")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line without a traceback."""
        extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        context = " [" + " ".join(f"{key}={value}" for key, value in extra.items()) + "]" if extra else ""
        return f"{self.formatTime(record)} {record.levelname:<8} {record.name}: {record.getMessage()}{context}"

    def usesTime(self) -> bool:  # noqa: N802 - logging's name
        """Tell that no ``asctime`` is needed; the line makes its own."""
        return False

    def format(self, record: logging.LogRecord) -> str:
        """Return the whole entry. What others wrote cannot look like a line of ours, or move the cursor."""
        text = redact(super().format(record), self._secrets).translate(_CONTROL)
        return text.replace("\n", "\n    ")


class Rotating(RotatingFileHandler):
    """A rotating file that goes on in the old one while another program holds it open (Windows), and loses nothing."""

    _not_before = 0.0

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=FILE_BYTES, backupCount=FILES - 1, encoding="utf-8", errors="backslashreplace")

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding=self.encoding, errors=self.errors, opener=private)

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 - logging's name
        """Return whether it is time, and not too soon after an attempt that failed."""
        return time.monotonic() >= self._not_before and bool(super().shouldRollover(record))

    def doRollover(self) -> None:  # noqa: N802 - logging's name
        """Rotate, the current file first: when that cannot be moved, the older ones stay where they are."""
        if self.stream is not None:
            self.stream.close()
        aside = Path(f"{self.baseFilename}.0")
        try:
            files.replace(Path(self.baseFilename), aside, patience=0)  # the loop waits; it is tried again later
            for number in range(self.backupCount - 1, 0, -1):
                with suppress(FileNotFoundError):
                    files.replace(self._numbered(number), self._numbered(number + 1), patience=0)
            files.replace(aside, self._numbered(1), patience=0)
        except OSError:
            self._not_before = time.monotonic() + _RETRY
        self.stream = self._open()

    def _numbered(self, number: int) -> Path:
        return Path(f"{self.baseFilename}.{number}")


class Logs:
    """The log as it was set up; :meth:`close` puts everything back as it was."""

    def __init__(self, handlers: list[logging.Handler], secrets: set[str]) -> None:
        self._handlers = handlers
        self._secrets = secrets
        self._root = logging.getLogger()
        self._levels = self._root.level, logging.getLogger(_OWN).level
        self._hooks = sys.excepthook, threading.excepthook

    def add_secret(self, value: str) -> None:
        """Never write this; for the API key as soon as it is known."""
        self._secrets.add(value)

    def install(self, level: int) -> None:
        """Start to write. Other libraries are heard from warnings on; at DEBUG, from INFO on."""
        for handler in self._handlers:
            self._root.addHandler(handler)
        self._root.setLevel(logging.INFO if level <= logging.DEBUG else max(level, logging.WARNING))
        logging.getLogger(_OWN).setLevel(level)
        sys.excepthook = _log_exception
        threading.excepthook = _log_thread
        logging.captureWarnings(True)

    def close(self) -> None:
        """Stop writing and free the files; may be called twice."""
        for handler in self._handlers:
            self._root.removeHandler(handler)
            handler.close()
        self._handlers = []
        self._root.setLevel(self._levels[0])
        logging.getLogger(_OWN).setLevel(self._levels[1])
        if sys.excepthook is _log_exception:
            sys.excepthook, threading.excepthook = self._hooks
        logging.captureWarnings(False)


def setup_logging(home: Home, *, level: int | str = "INFO", console: bool, secrets: Iterable[str] = ()) -> Logs:
    """Write the log of this process to the home, rotated now, and with ``console`` to stderr too.

    Call it with the home prepared and locked: two processes must not rotate one file. ``level`` is that of our own
    loggers. The token of the home is never written; give further ``secrets`` here or later.

    Raises:
        ValueError: there is no such level.
        OSError: the file cannot be written.
    """
    number = level if isinstance(level, int) else logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"{level!r} is no level; there are debug, info, warning, error and critical")
    hidden = set(secrets)
    with suppress(HomeUnsafe):  # told by whoever prepares the home
        hidden.add(home.read_token())
    home.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    close_to_others(home.log_file)
    file = Rotating(home.log_file)
    if home.log_file.stat().st_size:
        file.doRollover()
    handlers: list[logging.Handler] = [file]
    if console and sys.stderr is not None:  # a program without a console has none
        handlers.append(logging.StreamHandler())
    for handler in handlers:
        handler.setFormatter(LogFormatter(hidden))
    logs = Logs(handlers, hidden)
    logs.install(number)
    return logs


def log_loop_errors(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what no task of ours caught; for ``loop.set_exception_handler``."""
    error = context.get("exception")
    task = context.get("task") or context.get("future")
    name = f" in {task.get_name()}" if isinstance(task, asyncio.Task) else ""
    _log.error("%s%s", context.get("message", "Unhandled error in the event loop"), name, exc_info=error)


def _log_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    _log.critical("Unexpected error, the program ends", exc_info=(kind, error, trace))
    if sys.stderr is not None and not _has_console():
        sys.stderr.write(f"Unexpected error ({kind.__name__}); the log has the details: daw-bridge logs\n")


def _has_console() -> bool:
    return any(type(handler) is logging.StreamHandler for handler in logging.getLogger().handlers)


def _log_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is None or issubclass(args.exc_type, SystemExit):
        return
    name = args.thread.name if args.thread else "a thread"
    _log.error("Unexpected error in %s", name, exc_info=(args.exc_type, args.exc_value, args.exc_traceback))
