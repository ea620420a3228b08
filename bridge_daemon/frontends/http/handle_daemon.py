"""The daemon as a whole: how it is, what it spent, its prices, its key, events, pads and watched folders."""

from __future__ import annotations

from aiohttp import web

from bridge_daemon.frontends.http.answers import answer
from bridge_daemon.frontends.http.routing import Call
from bridge_daemon.frontends.http.streaming import stream


async def status(call: Call) -> web.StreamResponse:
    """Answer with the status."""
    return answer(await call.api.actions.status())


async def log(call: Call) -> web.StreamResponse:
    """Answer with the end of the log."""
    return answer(await call.api.actions.log_end(call.query["lines"]))


async def spend(call: Call) -> web.StreamResponse:
    """Answer with what was spent."""
    return answer(await call.api.actions.spend())


async def events(call: Call) -> web.StreamResponse:
    """Answer with events, for as long as the session lasts."""
    session, sessions = call.session, call.api.sessions
    return await stream(call.request, call.api.hub, lambda: session is None or sessions.holds(session))


async def pause(call: Call) -> web.StreamResponse:
    """Stop all sending."""
    return answer(await call.api.actions.pause(call.data.get("reason", "person")))


async def resume(call: Call) -> web.StreamResponse:
    """Go on sending."""
    return answer(await call.api.actions.resume())


async def prices(call: Call) -> web.StreamResponse:
    """Answer with the prices."""
    return answer({"prices": await call.api.actions.prices(call.query["model"])})


async def agree_price(call: Call) -> web.StreamResponse:
    """Accept a price."""
    return answer(await call.api.actions.agree_price(call.data))


async def reload_key(call: Call) -> web.StreamResponse:
    """Read the key again."""
    return answer(await call.api.actions.reload_key())


async def check_key(call: Call) -> web.StreamResponse:
    """Ask the service about the key."""
    return answer(await call.api.actions.check_key())


async def try_sources(call: Call) -> web.StreamResponse:
    """Try the way for sources."""
    return answer(await call.api.actions.try_sources())


async def arm_pads(call: Call) -> web.StreamResponse:
    """Let pads spend money."""
    return answer(await call.api.actions.arm_pads())


async def disarm_pads(call: Call) -> web.StreamResponse:
    """Let pads spend nothing."""
    return answer(call.api.actions.disarm_pads())


async def listen_midi(call: Call) -> web.StreamResponse:
    """Answer with what came in over MIDI."""
    return answer(await call.api.actions.listen_midi(call.data))


async def folders(call: Call) -> web.StreamResponse:
    """Answer with the watched folders."""
    return answer(call.api.actions.watched_folders())


async def renders(call: Call) -> web.StreamResponse:
    """Answer with renders, newest first."""
    query = call.query
    found = await call.api.actions.renders(
        folder=query["folder"], states=query["state"], before=query["before"], limit=query["limit"]
    )
    return answer({"renders": found})


async def send_render(call: Call) -> web.StreamResponse:
    """Make a job of a render."""
    return answer(await call.api.actions.send_render(call.data), 202)


async def forget_render(call: Call) -> web.StreamResponse:
    """Take a render off the list."""
    return answer(await call.api.actions.forget_render(call.data))
