"""Who is there: the proof that we are we, and the sessions of browsers."""

from __future__ import annotations

from aiohttp import web

from bridge_daemon.errors import NoToken
from bridge_daemon.frontends.http.answers import answer
from bridge_daemon.frontends.http.routing import Call
from bridge_daemon.frontends.http.sessions import CODE_LIFE, SESSION_LIFE
from bridge_daemon.home.proof import NONCE, NONCE_HEADER, PROOF_HEADER, prove


async def health(call: Call) -> web.StreamResponse:
    """Say that we are here, and, to whoever asks for a proof, that we are we."""
    response = answer({"ok": True})
    nonce = call.request.headers.get(NONCE_HEADER, "")
    if NONCE.fullmatch(nonce):
        response.headers[PROOF_HEADER] = prove(call.api.token, nonce, call.api.port)
    return response


async def make_code(call: Call) -> web.StreamResponse:
    """Make the code with which a browser is opened."""
    return answer({"code": call.api.sessions.new_code(), "seconds": CODE_LIFE})


async def open_session(call: Call) -> web.StreamResponse:
    """Open a session for a code, and give it to the browser so that no script can read it."""
    code = call.data.get("code")
    session = call.api.sessions.redeem(code) if isinstance(code, str) else None
    if session is None:
        raise NoToken(f"The code is unknown, was used, or is older than {CODE_LIFE:g} s.", next="daw-bridge open")
    await call.api.sessions.save(call.api.token)
    response = answer({"ok": True})
    response.set_cookie(call.api.cookie, session, max_age=int(SESSION_LIFE), path="/", httponly=True, samesite="Strict")
    return response


async def end_session(call: Call) -> web.StreamResponse:
    """End the session that the request came with."""
    ended = call.session is not None and call.api.sessions.end(call.session)
    if ended:
        await call.api.sessions.save(call.api.token)
    response = answer({"ended": ended})
    response.del_cookie(call.api.cookie, path="/", httponly=True, samesite="Strict")
    return response
