"""The settings: config.toml read and written, presets, bindings and folders among them."""

from __future__ import annotations

from dataclasses import asdict

from aiohttp import web

from bridge_daemon.domain.models import models
from bridge_daemon.domain.parameters import TABLE
from bridge_daemon.frontends.http.answers import answer
from bridge_daemon.frontends.http.openapi import description
from bridge_daemon.frontends.http.routing import Call


async def presets(call: Call) -> web.StreamResponse:
    """Answer with the presets."""
    return answer(call.api.actions.presets())


async def parameters(call: Call) -> web.StreamResponse:
    """Answer with the table of parameters, without what no model takes here."""
    taken = frozenset().union(*(model.listed for model in models().values()))
    rows = [asdict(one) | {"range": one.range} for one in TABLE if not one.listed or one.name in taken]
    return answer({"parameters": rows})


async def doctor(call: Call) -> web.StreamResponse:
    """Answer with what the doctor finds."""
    return answer(await call.api.actions.examine())


async def settings(call: Call) -> web.StreamResponse:
    """Answer with the settings."""
    return answer(await call.api.actions.read_settings())


async def change_settings(call: Call) -> web.StreamResponse:
    """Write settings into config.toml, and heed them."""
    revision = call.request.headers.get("If-Match")
    by_session = call.session is not None
    return answer(await call.api.actions.change_settings(call.data, by_session=by_session, revision=revision))


async def reload_settings(call: Call) -> web.StreamResponse:
    """Read the settings again."""
    return answer(await call.api.actions.reload_settings())


async def setup(call: Call) -> web.StreamResponse:
    """Answer with the steps of the first run."""
    return answer(await call.api.actions.setup())


async def set_up(call: Call) -> web.StreamResponse:
    """Do a step of the first run."""
    return answer(await call.api.actions.set_up(call.data, by_session=call.session is not None))


async def openapi(call: Call) -> web.StreamResponse:
    """Answer with the description of the API."""
    return answer(description(call.api.routes))
