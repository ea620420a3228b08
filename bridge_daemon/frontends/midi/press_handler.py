"""What a press does: the actions of the bindings, and the parameters that knobs have set.

A press makes one request with one id. Whatever can spend money passes the stage first; what costs nothing (set, cancel,
deliver, disarm, panic) never asks it.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from bridge_daemon.actions.bridge import Actions
from bridge_daemon.clock.musical import Musical, musical
from bridge_daemon.clock.transport import Clock
from bridge_daemon.domain import parameters
from bridge_daemon.domain.job import Job
from bridge_daemon.domain.models import Model, known
from bridge_daemon.domain.sound_files import is_render
from bridge_daemon.errors import Paused, WrongState
from bridge_daemon.frontends.midi.arming import Arming
from bridge_daemon.frontends.midi.gestures import Gesture, GestureKind
from bridge_daemon.frontends.osc.server import OscServer
from bridge_daemon.journal import Journal
from bridge_daemon.settings.load import Settings
from bridge_daemon.settings.sections import Binding
from bridge_daemon.spending.pause import PauseGate

#: Actions that may spend: they need an armed stage, with the free sketch engine too, so that a rehearsal is the show.
SPENDING: Final = frozenset({"preset"})
#: A render that was written to so lately may not be whole yet, s.
_SETTLED: Final = 1.0
#: How long the id of a request that a client was asked for is watched over, s.
_EXPECTED: Final = 600.0
_WHOLE: Final = frozenset({*parameters.names(kind="whole"), "bars"})
_BARS: Final = (1.0, 999.0)
_MOST_VARIATIONS: Final = 8


class NotTaken(Exception):
    """A press that did nothing."""

    def __init__(self, reason: str, text: str = "") -> None:
        """A short reason to count under, and a sentence if there is more to say."""
        super().__init__(text or reason)
        self.reason = reason
        self.text = text


class PressHandler:
    """The actions."""

    def __init__(
        self,
        *,
        actions: Actions,
        clock: Clock,
        journal: Journal,
        stage: Arming,
        pause: PauseGate,
        settings: Callable[[], Settings],
        osc: Callable[[], OscServer | None],
        mine: Callable[[str, str], None],
        whole_render: Callable[[str], Awaitable[Path | None]],
    ) -> None:
        """``mine`` is told the binding and the id of each request before it is made.

        ``whole_render`` returns the newest render in a watched folder that is known to be whole.
        """
        self._whole_render = whole_render
        self._actions = actions
        self._clock = clock
        self._journal = journal
        self._stage = stage
        self._pause = pause
        self._settings = settings
        self._osc = osc
        self._mine = mine
        #: What knobs have set: parameter, and the preset that it is for (None: all).
        self.knobs: dict[tuple[str, str | None], float] = {}

    async def do(self, binding: Binding, gesture: Gesture, at: float) -> str:
        """Do what a press at ``at`` (monotonic) is for; return what was done, in words.

        Raises NotTaken, or the BridgeError that the daemon answered with; both did nothing.
        """
        action = binding.action
        if action == "preset":
            if binding.source == "selection":
                return await self._ask_client(binding, gesture, at)
            return await self._request(binding, gesture, at)
        if action == "cancel":
            return await self._cancel(binding)
        if action == "deliver":
            return await self._deliver(binding, at)
        if action == "arm":
            await self.arm()
            return "armed"
        if action == "disarm":
            return "disarmed"  # done before this was called, see MidiIntake
        assert action == "panic", action
        held = (await self._actions.pause("panic"))["held"]
        return f"panic: everything was stopped, {held} held"

    async def arm(self) -> None:
        """Arm the stage. Raises Paused while sending is paused: armed pads would promise too much."""
        pause = self._pause.current
        if pause is not None:
            raise Paused(f"Sending is paused ({pause['text']}), so the pads were not armed. Nothing was sent.")
        await self._stage.arm()

    # Knobs

    def turn(self, binding: Binding, gesture: Gesture) -> None:
        """Set the parameter of a knob."""
        name = binding.parameter or ""
        low, high = self._ends(binding, name)
        if gesture.kind is GestureKind.STEP:
            before = self.knobs.get((name, binding.preset), self._usual(name, binding.preset, (low + high) / 2))
            value = before + gesture.value * (high - low) / gesture.most
        else:
            value = low + gesture.fraction(binding.low, binding.high) * (high - low)
        self.knobs[name, binding.preset] = min(max(value, min(low, high)), max(low, high))

    def _ends(self, binding: Binding, name: str) -> tuple[float, float]:
        low, high = _range(name, self._model(binding.preset), None)
        return (low if binding.min is None else binding.min), (high if binding.max is None else binding.max)

    def _usual(self, name: str, preset: str | None, middle: float) -> float:
        """Return the value from which an encoder that was not turned yet goes on."""
        settings = self._settings()
        found = getattr(settings.presets.get(preset or ""), name, None)
        if found is None:
            found = {"strength": settings.defaults.strength, "duration": settings.defaults.duration}.get(name, middle)
        return float(found)

    def _model(self, preset: str | None) -> Model:
        settings = self._settings()
        found = settings.presets.get(preset or "")
        return known((found.model if found is not None else None) or settings.engine.model)

    def _parameters(self, binding: Binding, gesture: Gesture, action: str) -> dict[str, float]:
        """Return what knobs and the velocity say about a press, each in the range of the model."""
        values = {name: value for (name, preset), value in self.knobs.items() if preset is None}
        values |= {name: value for (name, preset), value in self.knobs.items() if preset == binding.preset}
        if binding.velocity_to is not None:
            low, high = self._ends(binding, binding.velocity_to)
            values[binding.velocity_to] = low + gesture.fraction(binding.low, binding.high) * (high - low)
        table = parameters.by_name()
        values = {name: value for name, value in values.items() if name == "bars" or action in table[name].actions}
        model, found = self._model(binding.preset), {}
        for name, value in values.items():
            low, high = _range(name, model, action)
            value = min(max(value, low), high)
            found[name] = round(value) if name in _WHOLE else round(value, 4)
        return found

    # Requests

    async def _request(self, binding: Binding, gesture: Gesture, at: float) -> str:
        preset = self._settings().presets.get(binding.preset or "")
        made_from = binding.source or (preset.source if preset is not None else None)
        action = (preset.action if preset is not None else None) or ("transform" if made_from else "generate")
        values = self._parameters(binding, gesture, action)
        request: dict[str, Any] = {"version": 1, "id": str(uuid.uuid4()), "action": action, "preset": binding.preset}
        request |= {"again": True}  # a pad has repeat_ms instead of the question about a second press
        client = binding.client or self.last_playing()
        if client is not None:
            request["client"] = client
        request["place"] = self._place(binding, client, int(values.pop("bars", binding.bars or 0)), at)
        request |= values
        if binding.source is not None:
            request["source"] = {"path": await self._source(binding)}
        self._mine(binding.name, request["id"])
        answer, _ = await self._actions.admit(request, guard=self._stage.guard())
        return f"{len(answer['jobs'])} job(s), ${answer['usd']:.2f}: {', '.join(answer['jobs'])}"

    def _place(self, binding: Binding, client: str | None, bars: int, at: float) -> dict[str, Any]:
        place: dict[str, Any] = {"when": binding.when} | ({"bars": bars} if bars else {})
        place = self._heard(binding, client, bars, at).place | place
        if binding.track is not None:
            place["track"] = binding.track
        if binding.launch != "none":
            place["launch"] = binding.launch
        return place

    def _heard(self, binding: Binding, client: str | None, bars: int, at: float) -> Musical:
        """Return where the press stands on the time line: at the time when it was pressed, not when it is admitted."""
        return musical(self._clock.best(client), at, when=binding.when, bars=bars or None)

    def last_playing(self) -> str | None:
        """Return the connected client whose transport last played; None: there is none, the library gets the take."""
        osc = self._osc()
        here = osc.clients.connected() if osc is not None else []
        transport = self._clock.last_playing(among=here)
        return transport.client if transport is not None else None

    async def _source(self, binding: Binding) -> str:
        source = binding.source or ""
        if source == "newest_take":
            job = await self._journal.read(lambda tx: tx.newest_take(client=binding.client))
            if job is None or job.take is None:
                raise NotTaken("no take yet", "There is no take yet that could be the source.")
            return job.take.file
        name = source.removeprefix("folder:")
        folder = next((one for one in self._settings().folders if one.name == name), None)
        if folder is None:
            raise NotTaken("no such folder", f'There is no [[folders]] with name = "{name}".')
        latest = await asyncio.to_thread(newest_render, folder.path, time.time())
        whole = await self._whole_render(name)
        if whole is None or not await asyncio.to_thread(latest.samefile, whole):
            raise NotTaken("still being written", f"{latest.name} is not whole yet. Press again in a moment.")
        return str(latest)

    async def _ask_client(self, binding: Binding, gesture: Gesture, at: float) -> str:
        """Ask a DAW client to send what is selected there, under an id of ours, so that the stage watches over it."""
        osc = self._osc()
        client = binding.client or self.last_playing() or self._only_client()
        values = self._parameters(binding, gesture, "transform")
        bars = int(values.pop("bars", binding.bars or 0))
        if osc is None or client is None or osc.clients.port(client) is None:
            raise NotTaken("no client", f"{client or 'A DAW'} is not connected, so there is no selection to send.")
        request_id = str(uuid.uuid4())
        pairs: dict[str, Any] = {"id": request_id, "preset": binding.preset, "again": True, "when": binding.when}
        pairs |= {name: value if name in _WHOLE else str(value) for name, value in values.items()}
        pairs |= {"bars": bars} if bars else {}
        pairs |= {"track": binding.track} if binding.track is not None else {}
        pairs |= {"launch": binding.launch} if binding.launch != "none" else {}
        expected = self._actions.expected
        expected[request_id] = self._stage.guard()
        asyncio.get_running_loop().call_later(_EXPECTED, expected.pop, request_id, None)
        self._mine(binding.name, request_id)
        if not osc.do(client, "transform_selection", **pairs):
            expected.pop(request_id, None)
            raise NotTaken("no client", f"{client} cannot be reached.")
        return f"{client} was asked to send its selection"

    def _only_client(self) -> str | None:
        osc = self._osc()
        here = osc.clients.connected() if osc is not None else []
        return here[0] if len(here) == 1 else None

    # What costs nothing

    async def _cancel(self, binding: Binding) -> str:
        """Cancel the request that came last and is on its way: all of its jobs."""

        def look(tx: Any) -> list[Job]:
            newest = tx.newest_on_its_way(client=binding.client, preset=binding.preset)
            return tx.jobs_of(newest.request_id) if newest is not None else []

        told = []
        for job in await self._journal.read(look):
            with suppress(WrongState):  # it came to its end by itself: nothing to cancel any more
                told.append(f"{job.id}: {(await self._actions.cancel(job.id))['message']}")
        if not told:
            raise NotTaken("nothing to cancel")
        return " ".join(told)

    async def _deliver(self, binding: Binding, at: float) -> str:
        """Bring a take that there is: where it belongs, or, if the binding says so, to where it is pressed."""
        if binding.job is not None:
            name: str | None = binding.job
            client = (await self._journal.read(lambda tx: tx.job(binding.job or ""))).client
        else:
            job = await self._journal.read(lambda tx: tx.newest_take(client=binding.client, preset=binding.preset))
            name, client = (job.id, job.client) if job is not None else (None, None)
        if name is None:
            raise NotTaken("no take yet", "There is no take yet that could be delivered.")
        if self._pause.panic:
            raise NotTaken("panic", "Deliveries are stopped since the panic. daw-bridge resume")
        place: dict[str, Any] = {}
        if "when" in binding.model_fields_set:
            heard = self._heard(binding, client, 0, at).place
            place |= {key: heard[key] for key in ("position", "beats", "tempo", "time_signature") if key in heard}
            place["when"] = binding.when
        if binding.track is not None:
            place["track"] = binding.track
        if "launch" in binding.model_fields_set:
            place["launch"] = binding.launch
        return f"{name}: {(await self._actions.deliver(name, place))['message']}"

    def about(self) -> list[dict[str, Any]]:
        """Return what knobs have set, for the status."""
        return [
            {"parameter": name, "preset": preset, "value": round(value, 4)}
            for (name, preset), value in sorted(self.knobs.items(), key=str)
        ]


def _range(name: str, model: Model, action: str | None) -> tuple[float, float]:
    """Return what a knob may set."""
    if name == "bars":
        return _BARS
    low, high = model.range(name, action) or _BARS
    return (low, high - _MOST_VARIATIONS) if name == "seed" else (low, high)  # variations count on from it


def newest_render(path: str, now: float) -> Path:
    """Return the audio file of a folder that was written last. Blocks; ``now`` is UTC.

    Raises NotTaken if there is none, or if it may still be written to: half a render would be paid for.
    """
    newest: tuple[float, Path] | None = None
    folder = Path(path).expanduser()
    try:
        for file in folder.iterdir():
            if is_render(file.name) and not file.is_symlink():
                written = file.stat().st_mtime
                if newest is None or written > newest[0]:
                    newest = (written, file)
    except OSError as error:
        raise NotTaken("folder cannot be read", f"{folder} cannot be read: {error.strerror or error}.") from error
    if newest is None:
        raise NotTaken("no render yet", f"There is no render in {folder}.")
    if abs(now - newest[0]) < _SETTLED:
        raise NotTaken("still being written", f"{newest[1].name} was written to just now. Press again in a moment.")
    return newest[1]
