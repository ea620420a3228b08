"""The ports that are wanted, opened as long as they are there: the event loop's side of the MIDI thread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from bridge_daemon.frontends.midi.driver import MidiSystem
from bridge_daemon.frontends.midi.port_thread import Handover, PortThread
from bridge_daemon.frontends.midi.port_types import Incoming, PortsState, Wanted

log = logging.getLogger(__name__)

_END: Final = 5.0  # s that the end of the thread is waited for


class MidiPorts:
    """Opens the ports that are wanted, as long as they are there."""

    def __init__(
        self,
        on_message: Callable[[Incoming], None],
        on_change: Callable[[PortsState], None],
        *,
        system: Callable[[], MidiSystem] = MidiSystem,
    ) -> None:
        """``on_message`` and ``on_change`` are called on the event loop that first calls :meth:`want`."""
        self.state = PortsState()
        self._on_change = on_change
        self._make_system = system
        self._handover = Handover(on_message)
        self._thread: PortThread | None = None

    @property
    def lost(self) -> int:
        """How many messages came faster than they could be looked at."""
        return self._handover.lost

    @property
    def problem(self) -> str | None:
        """Why there is no MIDI; None if there is."""
        hangs = self._thread.hangs() if self._thread is not None else None
        return f"the MIDI driver has not answered for {hangs:.0f} s" if hangs is not None else self.state.system

    def want(self, wanted: Wanted) -> None:
        """Open what is wanted from now on; what is open and still wanted is not touched."""
        if self._thread is None:
            if not wanted:
                return
            self._thread = PortThread(self._handover, self._changed, self._make_system)
        self._thread.want(wanted)

    def send(self, port: str, data: bytes) -> None:
        """Send a message to an output that is open; if it is not, nothing is sent."""
        if self._thread is not None:
            self._thread.send(port, data)

    async def close(self) -> None:
        """Close every port, and end the thread."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        thread.end()
        try:
            async with asyncio.timeout(_END):
                await thread.ended.wait()
        except TimeoutError:
            log.error("A MIDI driver does not let go of its port; it is left to the end of the program.")
            return
        thread.join()
        self._handover.clear()

    def _changed(self, state: PortsState) -> None:
        self.state = state
        self._on_change(state)
