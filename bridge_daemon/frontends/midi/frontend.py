"""The MIDI intake: controllers whose pads and knobs ask for takes, and the clock that comes over MIDI.

Messages come from the MIDI thread, stamped; here each is read by the bindings of its port, presses are counted and
judged, and what is left does something. A press that does nothing is counted under its reason, and told.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bridge_daemon.actions.bridge import Actions
from bridge_daemon.clock.transport import MIDI_CLOCK, Clock
from bridge_daemon.domain.job import OPEN, RESERVED, Job, State
from bridge_daemon.errors import BridgeError
from bridge_daemon.frontends.midi.arming import Arming, OverBudget
from bridge_daemon.frontends.midi.counts import Counts
from bridge_daemon.frontends.midi.driver import matches
from bridge_daemon.frontends.midi.gestures import Gesture, GestureKind
from bridge_daemon.frontends.midi.lights import Lights
from bridge_daemon.frontends.midi.monitor import Listening, Question
from bridge_daemon.frontends.midi.pad import ALWAYS, Verdict
from bridge_daemon.frontends.midi.port_types import Incoming, PortsState, Wanted
from bridge_daemon.frontends.midi.ports import MidiPorts
from bridge_daemon.frontends.midi.press_handler import SPENDING, NotTaken, PressHandler
from bridge_daemon.frontends.midi.slot import Slot
from bridge_daemon.frontends.osc.server import OscServer
from bridge_daemon.journal import Journal
from bridge_daemon.settings.load import Settings
from bridge_daemon.spending.pause import PauseGate
from bridge_daemon.util.loading import load
from bridge_daemon.util.tasks import Tasks
from bridge_daemon.util.times import Times

if TYPE_CHECKING:
    import mido

    from bridge_daemon.clock.midi import MidiClockSource

log = logging.getLogger(__name__)

#: Presses that are being worked on; what is pressed then does nothing.
MOST_AT_ONCE: Final = 32
_REMEMBERED: Final = 2000  # requests of pads whose jobs light them
_ON_ITS_WAY: Final = RESERVED | OPEN
_FAILURES: Final = frozenset({State.REFUSED, State.FAILED, State.UNKNOWN, State.HELD})


class MidiIntake:
    """Controllers, from their ports to the daemon's actions."""

    name = "midi"

    def __init__(
        self,
        actions: Actions,
        *,
        journal: Journal,
        clock: Clock,
        settings: Callable[[], Settings],
        osc: Callable[[], OscServer | None],
        pause: PauseGate,
        times: Times,
        whole_render: Callable[[str], Awaitable[Path | None]],
    ) -> None:
        """Nothing is opened before :meth:`start`. ``whole_render`` is that of the watched folders."""
        self._settings = settings
        self._journal = journal
        self._clock = clock
        self._pause = pause
        self._times = times
        self._counts = Counts()
        self._ports = MidiPorts(self._take, self._ports_changed)
        self._lights = Lights(self._ports.send, times.monotonic)
        self.stage = Arming(journal, lambda: settings().midi, times, self._armed)
        self._acts = PressHandler(
            actions=actions,
            clock=clock,
            journal=journal,
            stage=self.stage,
            pause=pause,
            settings=settings,
            osc=osc,
            mine=self._mine,
            whole_render=whole_render,
        )
        self.listening = Listening(self._open)
        self._slots: dict[str, Slot] = {}
        self._of_port: dict[str, list[Slot]] = {}
        self._clock_source: MidiClockSource | None = None
        self._clock_from: str | None = None  # the port that sends it
        self._requests: dict[str, str] = {}  # request id: binding
        self._tasks = Tasks("midi")
        self._heard: Counter[str] = Counter()  # messages of each port
        self._malformed = 0
        self._closed = False

    # Opening and closing

    async def start(self) -> None:
        """Open the ports that are named. None attached, or no MIDI at all, is no error."""
        settings = self._settings().midi
        if settings.enabled and settings.arm_at_start and not self._pause.panic:
            await self.stage.arm(at_start=True)
        await self.configure()

    async def configure(self) -> None:
        """Apply the settings. Bindings that did not change, and ports that are still named, are not touched."""
        settings = self._settings().midi
        bindings = {binding.name: binding for binding in settings.bindings} if settings.enabled else {}
        if settings.enabled and (bindings or settings.clock_port):
            await load("mido", *(["bridge_daemon.clock.midi"] if settings.clock_port else []))
        for name in [name for name, slot in self._slots.items() if bindings.get(name) != slot.binding]:
            self._slots.pop(name).let_go()
            self._lights.remove(name)
        for name, binding in bindings.items():
            if name not in self._slots:
                self._slots[name] = Slot(binding, self._lights.add(binding))
        self._slots = {name: self._slots[name] for name in bindings}
        self._of_port.clear()
        port = settings.clock_port if settings.enabled else ""
        if not port:
            self._clock_source = None
        elif self._clock_source is None or (self._clock_from is not None and not matches(port, self._clock_from)):
            from bridge_daemon.clock.midi import MidiClockSource  # loads numpy, which no start waits for

            self._clock_source, self._clock_from = MidiClockSource(self._clock, MIDI_CLOCK), None
        if not settings.enabled:
            self.stage.disarm("MIDI was switched off")
        self._armed(self.stage.armed)
        self._show_panic()
        self._open()

    def _open(self) -> None:
        settings = self._settings().midi
        bindings = [slot.binding for slot in self._slots.values()]
        self._of_port.clear()
        self._ports.want(
            Wanted(
                inputs=frozenset(binding.port for binding in bindings) | self.listening.patterns,
                outputs=frozenset(binding.port for binding in bindings if binding.light is not None),
                clock=settings.clock_port if settings.enabled else "",
            )
        )

    async def close(self) -> None:
        """Close every port; presses that are being worked on are finished first."""
        self._closed = True
        self.listening.close()
        for slot in self._slots.values():
            slot.let_go()
        self.stage.disarm("the bridge ends")
        self._lights.off()
        await self._ports.close()
        await self._tasks.close(patience=2.0)
        self._counts.close()

    # What comes in

    def _take(self, incoming: Incoming) -> None:
        if self._closed:
            return
        self._heard[incoming.port] += 1
        import mido  # loaded before a port was opened

        try:
            message = mido.Message.from_bytes(incoming.data)
        except ValueError:
            self._malformed += 1
            self.listening.take(incoming, None)
            return
        if self._clock_source is not None and self._clock_from in (None, incoming.port):
            self._hear_clock(self._clock_source, incoming, message)
        self.listening.take(incoming, message)
        self._read(incoming, message)

    def _hear_clock(self, source: MidiClockSource, incoming: Incoming, message: mido.Message) -> None:
        """Follow the clock of one port: where the pattern fits several, of the first that sends one."""
        if hasattr(message, "channel") or not matches(self._settings().midi.clock_port, incoming.port):
            return
        self._clock_from = incoming.port
        source.take(message, incoming.at)

    def _read(self, incoming: Incoming, message: mido.Message) -> None:
        """Let every binding of the port read a message."""
        slots = self._of_port.get(incoming.port)
        if slots is None:
            slots = [slot for slot in self._slots.values() if matches(slot.binding.port, incoming.port)]
            self._of_port[incoming.port] = slots
        found = [(slot, gesture) for slot in slots if (gesture := slot.decode(incoming.port, message)) is not None]
        acting = [one for one in found if one[1].kind not in (GestureKind.RELEASE, GestureKind.OUTSIDE)]
        if acting and self._lights.is_echo(incoming.data):
            for slot, _ in acting:
                self._counts.press(slot.binding.name)
                self._counts.miss(slot.binding.name, "echo of a light")
            return
        for slot, gesture in found:
            if gesture.kind is GestureKind.OUTSIDE and not acting:  # of all bindings of the pad none takes it
                self._counts.press(slot.binding.name)
                self._counts.miss(slot.binding.name, "velocity left out")
            elif gesture.kind is GestureKind.RELEASE:
                self._released(slot, incoming.port)
            elif gesture.kind in (GestureKind.VALUE, GestureKind.STEP):
                self._acts.turn(slot.binding, gesture)
            elif gesture.kind is GestureKind.PRESS:
                self._pressed(slot, gesture, incoming)

    def _released(self, slot: Slot, port: str) -> None:
        if slot.held is not None and slot.held[0] == port and slot.let_go():
            self._counts.miss(slot.binding.name, "let go too early")

    def _pressed(self, slot: Slot, gesture: Gesture, incoming: Incoming) -> None:
        binding = slot.binding
        self._counts.press(binding.name)
        slot.lamp.pressed(gesture.channel, gesture.number)
        if binding.action not in ALWAYS and self.listening.is_muted(incoming.port):
            self._counts.miss(binding.name, "midi learn listens")
            return
        verdict = slot.pad.press(incoming.at)
        if verdict is Verdict.GO:
            self._go(slot, gesture, incoming.at)
        elif verdict is Verdict.HOLD:
            if slot.let_go():
                self._counts.miss(binding.name, "pressed anew while held")
            seconds = max(0.0, binding.hold_ms / 1000 - (self._times.monotonic() - incoming.at))
            timer = self._tasks.after(seconds, self._was_held, slot, gesture, incoming.at)
            slot.held = (incoming.port, timer) if timer is not None else None
        else:
            self._counts.miss(binding.name, verdict.value)

    def _was_held(self, slot: Slot, gesture: Gesture, at: float) -> None:
        slot.held = None
        self._go(slot, gesture, at)

    def _go(self, slot: Slot, gesture: Gesture, at: float) -> None:
        """Do what a press is for."""
        binding = slot.binding
        if binding.action in ("disarm", "panic"):  # at once, whatever is being worked on
            self.stage.disarm(f"{binding.action} was pressed")
        elif len(self._tasks) >= MOST_AT_ONCE:
            self._missed(slot, "too many at once")
            return
        if binding.action in SPENDING and not self.stage.armed:
            self._missed(slot, "not armed", f"The pads are not armed: {self.stage.why}.")
            return
        self._tasks.start(self._act(slot, gesture, at), f"pad {binding.name}")

    def _missed(self, slot: Slot, reason: str, text: str = "") -> None:
        self._counts.miss(slot.binding.name, reason, text)
        slot.lamp.flash("refused")

    async def _act(self, slot: Slot, gesture: Gesture, at: float) -> None:
        try:
            self._counts.take(slot.binding.name, await self._acts.do(slot.binding, gesture, at))
        except NotTaken as error:
            self._missed(slot, error.reason, error.text)
        except BridgeError as error:
            if isinstance(error, OverBudget):
                self.stage.disarm("the budget of this arming is used up")
            self._missed(slot, error.code, f"{error.message} {error.next_step}")
        except Exception as error:
            log.exception("A fault of ours at the pad %s", slot.binding.name)
            self._missed(slot, "a fault of the bridge", f"{type(error).__name__}: {error}")

    # What goes out

    def _armed(self, armed: bool) -> None:
        for slot in self._slots.values():
            slot.lamp.armed(armed and slot.binding.action in (*SPENDING, "arm", "disarm"))

    def paused(self, _: dict[str, Any] | None) -> None:
        """Show whether sending is paused."""
        if self._pause.panic:
            self.stage.disarm("panic")
        self._show_panic()

    def _show_panic(self) -> None:
        for slot in self._slots.values():
            if slot.binding.action == "panic":
                slot.lamp.working("panic", self._pause.panic)

    def _mine(self, binding: str, request: str) -> None:
        self._requests[request] = binding
        if len(self._requests) > _REMEMBERED:
            del self._requests[next(iter(self._requests))]

    def job_changed(self, job: Job) -> None:
        """Handle a committed change of a job."""
        binding = self._requests.get(job.request_id)
        if binding is None:
            return
        self.stage.take(job)
        slot = self._slots.get(binding)
        if slot is None or self._closed:
            return
        if slot.lamp.is_working(job.id):  # how it ends is shown before it is taken away: nothing shows in between
            if job.state in _FAILURES:
                slot.lamp.flash("refused")
            elif job.state in (State.STORED, State.PLACED) and job.wanted:
                slot.lamp.flash("done")
        slot.lamp.working(job.id, job.state in _ON_ITS_WAY and job.wanted)

    def _ports_changed(self, state: PortsState) -> None:
        self._of_port.clear()
        if self._clock_from is not None and self._clock_from not in state.open_inputs:
            self._clock_from = None
        for name, slot in self._slots.items():
            for port in [port for port in slot.ports if port not in state.open_inputs]:
                if slot.forget(port):
                    self._counts.miss(name, "unplugged while held")
        self._lights.ports(state.open_outputs)

    # For the API

    async def arm(self) -> dict[str, Any]:
        """Arm the pads, as the pad that arms does. Raises Paused while sending is paused."""
        await self._acts.arm()
        return self.stage.about()

    def disarm(self) -> dict[str, Any]:
        """Disarm the pads."""
        self.stage.disarm("you disarmed them")
        return self.stage.about()

    async def listen(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return what came in at the ports that were named, and wait for it for a while. Raises InvalidRequest."""
        question = Question.read(data)
        heard = await self.listening.ask(question)
        opened = [name for name in self._ports.state.open_inputs if matches(question.port, name)]
        return heard | {"problem": self._ports.problem, "open": opened}

    def about(self) -> dict[str, Any]:
        """Return its facts for the status."""
        settings, state = self._settings().midi, self._ports.state
        taken = sum(self._counts.taken.values())
        return {
            "enabled": settings.enabled,
            "problem": self._ports.problem,
            "inputs": list(state.inputs),
            "outputs": list(state.outputs),
            "open": list(state.open_inputs),
            "lit": list(state.open_outputs),
            "trouble": state.trouble,
            "twins": {name: list(ports) for name, ports in state.twins.items()},
            "clock_port": settings.clock_port or None,
            "stage": self.stage.about(),
            "knobs": self._acts.about(),
            "presses": {"taken": taken, "not_taken": self._counts.missed()},
            "messages": {name: self._heard[name] for name in state.open_inputs},
            "messages_lost": self._ports.lost,
            "messages_malformed": self._malformed,
            "bindings": [self._about(slot) for slot in self._slots.values()],
        }

    def _about(self, slot: Slot) -> dict[str, Any]:
        binding, state = slot.binding, self._ports.state
        return {
            "name": binding.name,
            "port": binding.port,
            "action": binding.action,
            "preset": binding.preset,
            "attached": any(map(partial(matches, binding.port), state.open_inputs)),
            "light": slot.lamp.state if binding.light is not None else None,
            **self._counts.of(binding.name),
        }
