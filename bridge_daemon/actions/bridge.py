"""What a person or a script can do, whatever way in they use: the HTTP API, OSC, MIDI and inboxes all end here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, Unpack

from bridge_daemon import __version__
from bridge_daemon.actions.jobs import JobActions, said
from bridge_daemon.actions.renders import RenderActions
from bridge_daemon.actions.settings import SettingsActions
from bridge_daemon.actions.setup import SetupActions
from bridge_daemon.actions.sources import SourceActions
from bridge_daemon.actions.takes import TakeActions
from bridge_daemon.domain.again import request_of
from bridge_daemon.domain.job import MICRO, RESERVED, Job, Problem, State
from bridge_daemon.domain.models import models
from bridge_daemon.domain.search import JobSearch
from bridge_daemon.engine.choice import SKETCH, Engines
from bridge_daemon.errors import KeyTrouble, NotFound, Paused, invalid
from bridge_daemon.home.logs import end_of_log
from bridge_daemon.home.paths import Home
from bridge_daemon.journal import Journal, Transaction
from bridge_daemon.pipeline import confirm
from bridge_daemon.pipeline.conveyor import Conveyor
from bridge_daemon.settings.load import Settings
from bridge_daemon.spending.admit import Admit
from bridge_daemon.spending.catalogue import Catalogue
from bridge_daemon.spending.chain import in_order
from bridge_daemon.spending.estimate import estimate
from bridge_daemon.spending.offers import region_of, stranger
from bridge_daemon.spending.pause import PANIC, PauseGate
from bridge_daemon.spending.prices import price_facts
from bridge_daemon.util.redact import redact
from bridge_daemon.util.times import Times

_PAUSE_TEXTS = {"person": "paused by you", PANIC: "panic: everything was stopped"}
_SEND_HELD = "daw-bridge resume, and then: daw-bridge jobs retry JOB sends it, daw-bridge jobs cancel JOB ends it."


class Pads(Protocol):
    """What is asked of the MIDI intake."""

    async def arm(self) -> dict[str, Any]:
        """Let pads spend money, for a time and a sum."""
        ...

    def disarm(self) -> dict[str, Any]:
        """Let them spend nothing."""
        ...

    async def listen(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return what came in over MIDI."""
        ...


class Actions(JobActions, RenderActions, TakeActions, SourceActions, SettingsActions, SetupActions):
    """The daemon's verbs. Each raises a BridgeError that says what happened, and whether money was spent."""

    def __init__(
        self,
        *,
        admit: Admit,
        journal: Journal,
        conveyor: Conveyor,
        pause: PauseGate,
        engines: Engines,
        catalogue: Catalogue,
        settings: Callable[[], Settings],
        reload_settings: Callable[[], Awaitable[dict[str, Any]]],
        times: Times,
        about: Callable[[], dict[str, Any]],
        home: Home,
    ) -> None:
        """``about`` tells where this daemon listens and keeps its files."""
        super().__init__(
            admit=admit, journal=journal, conveyor=conveyor, engines=engines, settings=settings, times=times
        )
        TakeActions.__init__(self)
        SettingsActions.__init__(self)
        SetupActions.__init__(self)
        self._home = home
        self._pause = pause
        self._catalogue = catalogue
        self._reload = reload_settings
        self._about = about
        self._started = time.monotonic()
        #: The MIDI intake, once it is there.
        self.pads: Pads | None = None
        #: Tells who is there, in a studio.
        self.studio: Callable[[], Awaitable[dict[str, Any]]] | None = None
        #: What tries the way for sources, once it is there.
        self.sources_trial: Callable[[], Awaitable[dict[str, Any]]] | None = None

    # Jobs

    async def jobs(self, **asked: Unpack[JobSearch]) -> list[dict[str, Any]]:
        """Return jobs, newest first; ``before`` is the job that the last page ended with."""
        return [job.as_dict() for job in await self._journal.read(lambda tx: tx.find(**asked))]

    async def job(self, job: str) -> dict[str, Any]:
        """Return a job with everything that happened to it, and a request that asks for the same once more."""
        found, events = await self._journal.read(lambda tx: (tx.job(job), tx.events_of(job)))
        told = [event | {"data": _without_source(event["data"])} for event in events]
        return found.as_dict() | {"again": request_of(found, placed=False), "events": told}

    # Deliveries

    async def placed(self, job: str, delivery: int) -> dict[str, Any]:
        """Record that a client has placed a take. Repeating it changes nothing."""
        return said(*await self._journal.write("confirm", lambda tx: confirm.placed(tx, job, delivery)))

    async def unplaced(self, job: str, delivery: int, code: str, message: str) -> dict[str, Any]:
        """Record that a client could not place a take, which is then kept and not delivered again by itself."""
        now = self._times.now()
        return said(
            *await self._journal.write("confirm", lambda tx: confirm.unplaced(tx, job, delivery, code, message, now))
        )

    async def undelivered(self, client: str) -> list[Job]:
        """Return the jobs whose take a client has not confirmed, oldest first."""
        found = await self._journal.read(lambda tx: tx.undelivered(client))
        return [job for job in found if confirm.is_due(job)]

    def bring(self, job: str) -> None:
        """Bring a take to its folder, if need be, and have it announced."""
        self._conveyor.drive(job)

    # MIDI

    def _pads(self) -> Pads:
        if self.pads is None:
            raise NotFound("MIDI is not open yet.", next="Try again in a moment.")
        return self.pads

    async def arm_pads(self) -> dict[str, Any]:
        """Let pads spend money, for a time and a sum. Raises Paused."""
        return await self._pads().arm()

    def disarm_pads(self) -> dict[str, Any]:
        """Let pads spend nothing."""
        return self._pads().disarm()

    async def listen_midi(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return what came in over MIDI, or wait for it for a while."""
        return await self._pads().listen(data)

    # The whole

    async def pause(self, reason: str = "person") -> dict[str, Any]:
        """Stop all sending; what is charged already goes on. A panic stops deliveries too, and holds what waits."""
        if reason == PANIC:
            return await self._panic()
        kind = reason if reason in _PAUSE_TEXTS else "person"  # no words of a person name a pause that ends by itself
        return {"paused": await self._pause.close(kind, _PAUSE_TEXTS.get(reason, f"paused by you: {reason}"))}

    async def _panic(self) -> dict[str, Any]:
        """Stop all sending and all deliveries, and hold what is not sent: each of those waits for a person from now."""
        held: list[Job] = []
        trouble = Paused("Panic: everything was stopped. Nothing was sent for this one.", next=_SEND_HELD)
        problem = Problem(code=trouble.code, text=trouble.message, since=self._times.now(), next=trouble.next_step)

        def hold(tx: Transaction) -> None:
            held.extend(
                tx.move(job, State.HELD, event=problem.as_dict(), problem=problem, text="waits for you")
                for job in tx.jobs_in(RESERVED)
            )

        fact = await self._pause.close(PANIC, _PAUSE_TEXTS[PANIC], hold)
        for job in held:
            self._conveyor.drive(job.id)  # whoever drives it looks, and leaves it
        return {"paused": fact, "held": len(held)}

    async def resume(self) -> dict[str, Any]:
        """Send again, whatever the reason of the pause was."""
        self._engines.reload_key()
        return {"paused": None, "was_paused": await self._pause.open()}

    async def spend(self) -> dict[str, Any]:
        """Return what is spent and what the limits are."""
        spend = self._settings().spend
        spent = await self._journal.read(lambda tx: tx.spent())
        return {
            "spent_today_usd": spent.day / MICRO,
            "spent_month_usd": spent.month / MICRO,
            "reserved_usd": spent.reserved / MICRO,
            "limit_today_usd": spend.per_day_usd,
            "limit_month_usd": spend.per_month_usd,
            "confirm_above_usd": spend.confirm_above_usd,
        }

    def presets(self) -> dict[str, Any]:
        """Return the presets."""
        return {name: preset.model_dump(exclude_none=True) for name, preset in self._settings().presets.items()}

    def preset_models(self) -> dict[str, list[str]]:
        """Return the models of the takes that a press of each preset makes, in their order."""
        settings = self._settings()
        each = settings.presets
        return {name: [each[one].model or settings.engine.model for one in in_order(name, each)] for name in each}

    async def examine(self) -> dict[str, Any]:
        """Return what the doctor finds."""
        from bridge_daemon.care import doctor  # loads what no start waits for

        found = await doctor.examine(self._home, status=await self.status())
        return {"findings": [one.as_dict() for one in found]}

    async def log_end(self, lines: int) -> dict[str, Any]:
        """Return the last lines of the log. There are no secrets in it."""
        return {
            "file": str(self._home.log_file),
            "lines": await asyncio.to_thread(end_of_log, self._home.log_file, lines),
        }

    async def status(self) -> dict[str, Any]:
        """Return how the daemon is: the first thing to look at."""
        counts, problems = await self._journal.read(lambda tx: (tx.count(), tx.with_problems(limit=20)))
        engine, about = await self._engine_status(), self._about()
        studio = await self.studio() if self.studio is not None else None
        return {
            "version": __version__,
            **about,
            **_transforms(engine, about["publish"], (studio or {}).get("store")),
            "uptime_s": round(time.monotonic() - self._started, 1),
            "engine": engine,
            "price_usd": (await self.model_prices(engine["name"])).get(engine["model"]),
            "paused": self._pause.current,
            **await self.spend(),
            "studio": studio,
            "jobs": counts,
            "problems": [job.as_dict() for job in problems],
        }

    async def _engine_status(self) -> dict[str, Any]:
        settings = self._settings().engine
        try:
            choice = await self._engines.current()
        except KeyTrouble as error:
            return {"name": settings.name, "base_url": settings.base_url, "model": settings.model, "ready": False} | {
                "problem": error.as_dict()
            }
        return {"name": choice.name, "base_url": choice.base_url, "model": settings.model, "ready": True}

    async def model_prices(self, engine: str) -> dict[str, float]:
        """Return what one generation of each model costs at an engine, in dollars, the default model first."""
        settings, each = self._settings().engine, models()
        names = sorted(each, key=lambda name: name != settings.model)
        if engine == SKETCH:
            return dict.fromkeys(names, 0.0)
        return await self._journal.read(
            lambda tx: {name: price_facts(tx, settings.base_url, each[name]).shown(None) / MICRO for name in names}
        )

    async def replacing(self, engine: str) -> list[str]:
        """Return the models that replace a region of a source at an engine."""
        return [name for name, model in models().items() if region_of(model, paid=engine != SKETCH) is not None]

    async def replaces(self) -> bool:
        """Return whether some model replaces a region of a source at the engine that is set."""
        return bool(await self.replacing((await self._engine_status())["name"]))

    async def prices(self, model: str | None = None) -> list[dict[str, Any]]:
        """Return the table's, the catalogue's and the agreed price of each model; one is asked for, if it is new."""
        found = await self._catalogue.prices(model)
        if model is not None and model not in models():
            raise stranger(model, self._catalogue.meet(model))
        return found

    async def agree_price(self, data: dict[str, Any]) -> dict[str, Any]:
        """Agree to what the service's catalogue says a model costs now."""
        model = data.get("model", self._settings().engine.model)
        if not isinstance(model, str) or model not in models():
            raise invalid("model", model, f"must be one of {', '.join(models())}")
        return await self._catalogue.agree(model, data.get("usd"))

    async def reload_key(self) -> dict[str, Any]:
        """Read the API key again; a pause for its sake ends."""
        self._engines.reload_key()
        key = await self._engines.key()
        ended = await self._pause.open(only="401") if key is not None else False
        self._catalogue.look_again()
        return {"key": key is not None, "resumed": ended}

    async def check_key(self) -> dict[str, Any]:
        """Ask the service, free of charge, whether it accepts the key."""
        return await self._catalogue.check_key()

    async def try_sources(self) -> dict[str, Any]:
        """Try, free of charge, whether the service could fetch a source. Raises NotPublished."""
        if self.sources_trial is None:
            raise NotFound("The bridge is still starting.", next="Try again in a moment.")
        return await self.sources_trial()

    async def estimate(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return what a request would cost, which may be unfinished. Nothing is sent."""
        return await estimate(data, journal=self._journal, settings=self._settings(), engines=self._engines)

    async def reload_settings(self) -> dict[str, Any]:
        """Read config.toml again. Wrong settings keep the old ones."""
        done = await self._reload()
        await self._catalogue.remember()
        self._catalogue.look_again()
        self.announce("settings", {name: done[name] for name in ("changed", "after_restart")})
        return done


def _transforms(engine: dict[str, Any], publish: dict[str, Any], store: dict[str, Any] | None) -> dict[str, Any]:
    """Return whether a source can reach the engine that is set, and what is in the way."""
    trouble = store["problem"] if store is not None else None  # of a studio
    able = engine["ready"] and (engine["name"] == "sketch" or (publish["ready"] and trouble is None))
    problem = engine.get("problem") or publish["problem"] or trouble or {}
    return {"can_transform": able, "why_not": None if able else problem.get("message")}


def _without_source(data: dict[str, Any]) -> dict[str, Any]:
    """Return what an event holds without the URL of the source: whoever has that has the audio."""
    body = data.get("body")
    if not isinstance(body, dict) or not isinstance(body.get("audio_url"), str):
        return data
    return data | {"body": body | {"audio_url": redact(body["audio_url"])}}
