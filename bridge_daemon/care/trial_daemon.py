"""A daemon with the sketch engine alone: a process of its own on a throw-away home, ended whatever happens."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import bridge_daemon
from bridge_daemon.errors import NotRunning
from bridge_daemon.util import ourselves, stopping

if TYPE_CHECKING:
    from bridge_daemon.client.client import BridgeClient

_START: Final = 30.0  # s that a slow machine may take
_END: Final = 8.0  # s until it is not asked any more
_SETTINGS: Final = {
    "DAW_BRIDGE_HTTP__PORT": "0",
    "DAW_BRIDGE_PUBLISH__SOURCE_PORT": "0",
    "DAW_BRIDGE_OSC__PORT": "0",
    "DAW_BRIDGE_ENGINE__NAME": "sketch",
    "DAW_BRIDGE_MIDI__ENABLED": "false",
    "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
}


class TrialDaemon:
    """A context manager: the daemon runs while it is entered."""

    def __init__(self, folder: Path) -> None:
        """``folder`` becomes its home."""
        self.home = folder
        self._output = folder / "demo.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = ourselves.command("run")
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                env=_environment(self.home),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                **ourselves.apart(),  # a Ctrl-C is ours: it is passed on once, in order
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        try:
            stopping.ask_to_stop(process.pid, self.home)
        except OSError:  # on Windows: it has not come so far that it could be asked
            process.terminate()
        try:
            process.wait(_END)
        except subprocess.TimeoutExpired:
            pass
        finally:  # too slow, or a second Ctrl-C
            if process.poll() is None:
                process.kill()
                process.wait()

    async def ready(self, client: BridgeClient) -> None:
        """Wait until the daemon answers.

        Raises:
            NotRunning: it ended, or does not answer.
        """
        assert self._process is not None
        deadline = time.monotonic() + _START
        while True:
            if self._process.poll() is not None:
                raise NotRunning(f"The bridge of this trial did not start:\n{self._said()}", next="Mend what is named.")
            try:
                await client.status()
            except NotRunning:
                if time.monotonic() > deadline:
                    raise NotRunning(f"The bridge of this trial does not answer:\n{self._said()}") from None
            else:
                return
            await asyncio.sleep(0.05)

    def _said(self) -> str:
        return self._output.read_text("utf-8", errors="replace")[-2000:].strip()


def _environment(home: Path) -> dict[str, str]:
    """Return an environment in which nothing of this person's own bridge is left."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith("DAW_BRIDGE_") and name.upper() != "EMPIRIOLABS_API_KEY"
    }
    package = str(Path(bridge_daemon.__file__).parent.parent)
    kept["PYTHONPATH"] = os.pathsep.join(part for part in (package, kept.get("PYTHONPATH", "")) if part)
    return kept | _SETTINGS | {"DAW_BRIDGE_HOME": str(home)}
