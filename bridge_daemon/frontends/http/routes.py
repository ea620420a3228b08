"""What each route does: read the query, ask the desk, write the answer. Nothing is decided here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from aiohttp import web

from bridge_daemon.domain import ids
from bridge_daemon.domain.job import State
from bridge_daemon.domain.render import RenderState
from bridge_daemon.domain.sound_files import MOST_BUCKETS
from bridge_daemon.errors import Fault, InvalidRequest, NoToken
from bridge_daemon.frontends.http.access import Call, Handler, Key
from bridge_daemon.frontends.http.answers import answer
from bridge_daemon.frontends.http.desk import Desk
from bridge_daemon.frontends.http.download import send_file
from bridge_daemon.frontends.http.events import EventHub, stream
from bridge_daemon.frontends.http.sessions import SESSION_LIFE, Sessions
from bridge_daemon.home.proof import NONCE, NONCE_HEADER, PROOF_HEADER, prove

DEFAULT_LIMIT: Final = 50
MOST_JOBS: Final = 500
DEFAULT_BUCKETS: Final = 800
_JOBS_KEYS: Final = ("state", "q", "client", "limit", "before")
_LONGEST: Final = 200  # characters of a search or a reason
_WHOLE: Final = r"[1-9][0-9]{0,8}"


class Routes:
    """The handlers of every route."""

    def __init__(self, desk: Desk, hub: EventHub, sessions: Sessions, token: str) -> None:
        self._desk = desk
        self._hub = hub
        self._sessions = sessions
        self._token = token

    def table(self) -> Mapping[Key, Handler]:
        """Return every route with its handler; the door has a rule for each."""
        return {
            ("GET", "/healthz"): self.health,
            ("POST", "/api/session"): self.open_session,
            ("POST", "/api/session/code"): self.session_code,
            ("DELETE", "/api/session"): self.end_session,
            ("GET", "/api/status"): self.status,
            ("POST", "/api/requests"): self.admit,
            ("GET", "/api/jobs"): self.jobs,
            ("GET", "/api/jobs/{job}"): self.job,
            ("POST", "/api/jobs/{job}/cancel"): self.cancel,
            ("POST", "/api/jobs/{job}/retry"): self.retry,
            ("POST", "/api/jobs/{job}/deliver"): self.deliver,
            ("POST", "/api/jobs/{job}/resolve"): self.resolve,
            ("GET", "/api/jobs/{job}/audio"): self.audio,
            ("GET", "/api/jobs/{job}/source"): self.source,
            ("GET", "/api/jobs/{job}/peaks"): self.peaks,
            ("POST", "/api/pause"): self.pause,
            ("POST", "/api/resume"): self.resume,
            ("GET", "/api/spend"): self.spend,
            ("GET", "/api/presets"): self.presets,
            ("GET", "/api/events"): self.events,
            ("GET", "/api/prices"): self.prices,
            ("POST", "/api/prices/agree"): self.agree_price,
            ("POST", "/api/key/reload"): self.reload_key,
            ("GET", "/api/key/check"): self.check_key,
            ("POST", "/api/settings/reload"): self.reload_settings,
            ("POST", "/api/midi/arm"): self.arm_pads,
            ("POST", "/api/midi/disarm"): self.disarm_pads,
            ("POST", "/api/midi/listen"): self.listen_midi,
            ("GET", "/api/folders"): self.folders,
            ("GET", "/api/folders/renders"): self.renders,
            ("POST", "/api/folders/send"): self.send_render,
            ("POST", "/api/folders/forget"): self.forget_render,
        }

    # --- who is there

    async def health(self, call: Call) -> web.StreamResponse:
        """Say that we are here, and, to whoever asks for a proof, that we are we."""
        response = answer({"ok": True})
        nonce = call.request.headers.get(NONCE_HEADER, "")
        if NONCE.fullmatch(nonce):
            response.headers[PROOF_HEADER] = prove(self._token, nonce, call.port)
        return response

    async def session_code(self, call: Call) -> web.StreamResponse:
        """Make the code with which a browser is opened."""
        return answer({"code": self._sessions.new_code()})

    async def open_session(self, call: Call) -> web.StreamResponse:
        """Open a session for a code, and give it to the browser where no script can read it."""
        code = call.data.get("code")
        session = self._sessions.redeem(code) if isinstance(code, str) else None
        if session is None:
            raise NoToken("The code is unknown, was used, or is older than 30 s.", next="daw-bridge open")
        response = answer({"ok": True})
        response.set_cookie(call.cookie, session, max_age=int(SESSION_LIFE), path="/", httponly=True, samesite="Strict")
        return response

    async def end_session(self, call: Call) -> web.StreamResponse:
        """End the session that the request came with."""
        ended = call.session is not None and self._sessions.end(call.session)
        response = answer({"ended": ended})
        response.del_cookie(call.cookie, path="/", httponly=True, samesite="Strict")
        return response

    # --- the state of things

    async def status(self, call: Call) -> web.StreamResponse:
        """Answer with the status."""
        return answer(await self._desk.status())

    async def spend(self, call: Call) -> web.StreamResponse:
        """Answer with what was spent."""
        return answer(await self._desk.spend())

    async def presets(self, call: Call) -> web.StreamResponse:
        """Answer with the presets."""
        return answer(self._desk.presets())

    async def events(self, call: Call) -> web.StreamResponse:
        """Answer with events, for as long as the session lasts."""
        session = call.session
        return await stream(call.request, self._hub, lambda: session is None or self._sessions.holds(session))

    async def pause(self, call: Call) -> web.StreamResponse:
        """Stop all sending."""
        reason = call.data.get("reason", "person")
        if not isinstance(reason, str) or not 1 <= len(reason) <= _LONGEST:
            raise InvalidRequest([Fault("reason", reason, f"must be text of 1 to {_LONGEST} characters")])
        return answer(await self._desk.pause(reason))

    async def resume(self, call: Call) -> web.StreamResponse:
        """Go on sending."""
        return answer(await self._desk.resume())

    # --- requests and jobs

    async def admit(self, call: Call) -> web.StreamResponse:
        """Take a request: 202 for a new one, 200 for one that was accepted before."""
        data, repeated = await self._desk.admit(call.data)
        return answer(data, 200 if repeated else 202)

    async def jobs(self, call: Call) -> web.StreamResponse:
        """Answer with jobs, newest first."""
        query = _Query(call.request, _JOBS_KEYS)
        states = query.states()
        q = query.text("q", rf"(?s)^.{{0,{_LONGEST}}}$", f"must have at most {_LONGEST} characters")
        client = query.text("client", f"^{ids.CLIENT}$", "1 to 40 of a-z, 0-9 and -")
        before = query.text("before", f"^{ids.JOB}$", "must be the id of a job")
        limit = query.whole("limit", DEFAULT_LIMIT, MOST_JOBS)
        query.check()
        found = await self._desk.jobs(states=states, q=q, client=client, before=before, limit=limit)
        return answer({"jobs": found})

    async def job(self, call: Call) -> web.StreamResponse:
        """Answer with one job."""
        return answer(await self._desk.job(call.job))

    async def cancel(self, call: Call) -> web.StreamResponse:
        """Cancel a job."""
        return answer(await self._desk.cancel(call.job))

    async def retry(self, call: Call) -> web.StreamResponse:
        """Retry a job."""
        return answer(await self._desk.retry(call.job, call.data))

    async def deliver(self, call: Call) -> web.StreamResponse:
        """Deliver a take once more."""
        return answer(await self._desk.deliver(call.job))

    async def resolve(self, call: Call) -> web.StreamResponse:
        """Resolve an unknown job."""
        return answer(await self._desk.resolve(call.job, call.data))

    async def audio(self, call: Call) -> web.StreamResponse:
        """Answer with the take."""
        return await send_file(call.request, *await self._desk.stored_take(call.job))

    async def source(self, call: Call) -> web.StreamResponse:
        """Answer with the source."""
        return await send_file(call.request, await self._desk.source_file(call.job))

    async def peaks(self, call: Call) -> web.StreamResponse:
        """Answer with the wave form of the take."""
        query = _Query(call.request, ("buckets",))
        buckets = query.whole("buckets", DEFAULT_BUCKETS, MOST_BUCKETS)
        query.check()
        return answer(await self._desk.peaks(call.job, buckets))

    # --- prices, key, settings

    async def prices(self, call: Call) -> web.StreamResponse:
        """Answer with the prices."""
        return answer({"prices": await self._desk.prices()})

    async def agree_price(self, call: Call) -> web.StreamResponse:
        """Accept a price."""
        return answer(await self._desk.agree_price(call.data))

    async def reload_key(self, call: Call) -> web.StreamResponse:
        """Read the key again."""
        return answer(await self._desk.reload_key())

    async def check_key(self, call: Call) -> web.StreamResponse:
        """Ask the service about the key."""
        return answer(await self._desk.check_key())

    async def reload_settings(self, call: Call) -> web.StreamResponse:
        """Read the settings again."""
        return answer(await self._desk.reload_settings())

    # --- MIDI

    async def arm_pads(self, call: Call) -> web.StreamResponse:
        """Let pads spend money."""
        return answer(await self._desk.arm_pads())

    async def disarm_pads(self, call: Call) -> web.StreamResponse:
        """Let pads spend nothing."""
        return answer(self._desk.disarm_pads())

    async def listen_midi(self, call: Call) -> web.StreamResponse:
        """Answer with what came in over MIDI."""
        return answer(await self._desk.listen_midi(call.data))

    # --- watched folders

    async def folders(self, call: Call) -> web.StreamResponse:
        """Answer with the watched folders."""
        return answer(self._desk.watched_folders())

    async def renders(self, call: Call) -> web.StreamResponse:
        """Answer with renders, newest first."""
        query = _Query(call.request, ("folder", "state", "limit", "before"))
        folder = query.text("folder", rf"(?s)^.{{1,{_LONGEST}}}$", f"must have at most {_LONGEST} characters")
        states = query.states(RenderState)
        before = query.text("before", _WHOLE, "must be the number of a render")
        limit = query.whole("limit", DEFAULT_LIMIT, MOST_JOBS)
        query.check()
        last = int(before) if before else None
        return answer({"renders": await self._desk.renders(folder=folder, states=states, before=last, limit=limit)})

    async def send_render(self, call: Call) -> web.StreamResponse:
        """Make a job of a render."""
        return answer(await self._desk.send_render(call.data), 202)

    async def forget_render(self, call: Call) -> web.StreamResponse:
        """Take a render off the list."""
        return answer(await self._desk.forget_render(call.data))


class _Query:
    """The query of an address; collects every fault in it, so that all of them are told at once."""

    def __init__(self, request: web.BaseRequest, known: tuple[str, ...]) -> None:
        self._query = request.query
        unknown = [key for key in dict.fromkeys(self._query) if key not in known]
        # the values are not repeated: people do put secrets there
        self._faults = [Fault(key[:40], None, f"is not one of {', '.join(known)}") for key in unknown]

    def text(self, key: str, pattern: str, allowed: str) -> str | None:
        values = [value for value in self._query.getall(key, []) if value]
        if not values:
            return None
        if len(values) > 1 or not re.fullmatch(pattern, values[0]) or "\0" in values[0]:
            self._faults.append(Fault(key, values[0], allowed))
        return values[0]

    def whole(self, key: str, default: int, most: int) -> int:
        allowed = f"must be a whole number, 1 to {most}"
        text = self.text(key, _WHOLE, allowed)
        value = int(text) if text and re.fullmatch(_WHOLE, text) else default
        if value > most:
            self._faults.append(Fault(key, value, allowed))
        return value

    def states(self, kind: type[StrEnum] = State) -> list[str]:
        named = ",".join(self._query.getall("state", [])).split(",")
        states = list(dict.fromkeys(name.strip() for name in named if name.strip()))
        known: list[Any] = [str(state) for state in kind]
        self._faults += [
            Fault("state", state, f"must be one of {', '.join(known)}") for state in states if state not in known
        ]
        return states

    def check(self) -> None:
        """Raise InvalidRequest when there was a fault."""
        if self._faults:
            raise InvalidRequest(self._faults)
