"""The settings: config.toml read and written, presets, bindings and folders among them."""

from __future__ import annotations

from dataclasses import asdict, replace

from aiohttp import web

from bridge_daemon.domain.models import models, widest
from bridge_daemon.domain.parameters import REGION, TABLE, Parameter
from bridge_daemon.frontends.http.answers import answer
from bridge_daemon.frontends.http.openapi import description
from bridge_daemon.frontends.http.routing import Call


async def presets(call: Call) -> web.StreamResponse:
    """Answer with the presets."""
    return answer(call.api.actions.presets())


async def parameters(call: Call) -> web.StreamResponse:
    """Answer with the table of parameters, without what no model takes here."""
    replacing = await call.api.actions.replaces()
    rows = [
        _row(one)
        for one in TABLE
        if (replacing if one.name in REGION else any(model.takes(one.name) for model in models().values()))
    ]
    return answer({"parameters": rows})


def _row(one: Parameter) -> dict[str, object]:
    """Return a parameter with what the widest of all models allows; the model with the names that are known."""
    span = widest(one.name) if one.by_model else None
    one = one if span is None else replace(one, low=span[0], high=span[1])
    names = {"known": list(models())} if one.name == "model" else {}
    return asdict(one) | {"range": one.range} | names


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
