"""Checks of what is beside the bridge: the cloud service and its key, the DAWs, the supervisor of the system."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from bridge_daemon.care.finding import Examined, fail, ok, warn
from bridge_daemon.domain.finding import Finding
from bridge_daemon.errors import KeyTrouble

_SOON: Final = 0.9  # of a limit


def scripts(it: Examined) -> Finding:
    """Check that what is installed in DAWs is of this version."""
    from bridge_daemon import __version__
    from bridge_daemon.install.daws import targets
    from bridge_daemon.install.machine import Machine
    from bridge_daemon.install.target import states

    there = 0
    for target in targets():
        for state in states(target, Machine.this(), it.home):
            if state.version is None:
                continue
            there += 1
            if state.outdated:
                return warn(
                    f"{state.place.title} has version {state.version}, and this is {__version__}.",
                    f"daw-bridge install {target.name}",
                )
    return ok(
        f"{there} installation(s) in DAWs, all of version {__version__}" if there else "Nothing is installed in a DAW"
    )


def service(it: Examined) -> Finding:
    """Check the service, where one is installed."""
    from bridge_daemon.install import service as services

    found = services.state(services.supervisor(it.home), services.spec_of(it.home))
    if not found.installed:
        return ok("The bridge does not start at login (daw-bridge service install)")
    if found.running is False:
        return warn(f"The service is installed and does not run ({found.detail}).", "daw-bridge service restart")
    if not found.current:
        return warn("The service has other settings than this terminal.", "daw-bridge service install")
    return ok(f"The service is installed ({found.kind})")


def key(it: Examined) -> Finding:
    """Check that the key, if there is one, can be read."""
    from bridge_daemon.home.api_key import KeyStore

    try:
        found = KeyStore(it.home).get()
    except KeyTrouble as error:
        return fail(error.message, error.next_step)
    if found is not None:
        return ok(f"There is a key ({found.where})")
    if it.settings.engine.name == "empiriolabs":
        return fail("There is no API key, and [engine] name asks for the cloud.", "daw-bridge key set")
    return warn("There is no API key: the sketch engine makes the takes, free of charge.", "daw-bridge key set")


async def engine(it: Examined) -> Finding:
    """Ask the service for its model, which is free: this tries name, line, certificate and key."""
    from bridge_daemon.engine.client import PollSession
    from bridge_daemon.home.api_key import KeyStore

    settings = it.settings.engine
    try:
        found = await asyncio.to_thread(KeyStore(it.home).get)
    except KeyTrouble as error:
        return fail(error.message, error.next_step)
    if settings.name == "sketch" or (settings.name == "auto" and found is None):
        return ok("The built-in sketch engine needs no service")
    polls = PollSession()
    try:
        answer = await polls.model(settings.base_url, settings.model, found.value if found else None)
    finally:
        await polls.close()
    if isinstance(answer, Exception):
        return fail(
            f"{settings.base_url} cannot be reached: {type(answer).__name__}. Nothing is sent meanwhile.",
            "Check the line, the proxy and [engine] base_url",
        )
    if answer.status in (401, 403):
        return fail("The service does not accept the key.", "daw-bridge key set")
    if answer.status != 200:
        return warn(f"The service answers HTTP {answer.status} when asked for {settings.model}.", "Try again later")
    return ok(f"{settings.base_url} answers and accepts the key")


def sources(it: Examined) -> Finding:
    """Tell whether transforms can reach the service with their source."""
    told: dict[str, Any] | None = (it.status or {}).get("publish")
    if told is None or it.status is None:
        return warn("Not known: the bridge does not run.", "daw-bridge start")
    if it.status["engine"]["name"] == "sketch":
        return ok("Nothing has to be published for the sketch engine")
    if told["problem"]:
        return warn(told["problem"]["message"], told["problem"]["next"])
    return ok(f"Sources go out by {told['method']}")


def spending(it: Examined) -> Finding:
    """Tell whether a limit is near, and whether jobs need a person."""
    if it.status is None:
        return warn("Not known: the bridge does not run.", "daw-bridge start")
    for word in ("today", "month"):
        spent, limit = it.status[f"spent_{word}_usd"], it.status[f"limit_{word}_usd"]
        if limit and spent >= _SOON * limit:
            return warn(f"${spent:.2f} of ${limit:.2f} are spent ({word}).", "Raise [spend] in config.toml, or wait")
    if count := len(it.status["problems"]):
        return warn(f"{count} job(s) need you.", "daw-bridge status")
    return ok("Within the limits")
