"""A daemon in a process of its own that is told what to do and, by a failpoint, where to die.

It is given home, key, settings, and ops: a list of [verb, arguments]. A sender that got no answer repeats what it sent,
so an op that was done before a crash is done again after it. The processes are forked from one that has everything
imported already: they die as hard as any, and start in milliseconds.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.domain.job import State
from bridge_daemon.errors import BridgeError
from bridge_daemon.home.api_key import KeyStore
from bridge_daemon.home.paths import Home
from bridge_daemon.pipeline import pace
from bridge_daemon.settings.load import Settings
from bridge_daemon.util.failpoints import arm
from tests import postgres
from tests.faults import renders, scripts
from tests.support import settings

_MOVING = {State.QUEUED, State.PREPARING, State.SUBMITTING, State.GENERATING, State.FETCHING}


async def perform(daemon: Daemon, ops: list[list[Any]]) -> None:
    """Do each op; what the daemon refuses (it was done already) is not done."""
    for verb, given in ops:
        try:
            await _op(daemon, verb, given)
        except BridgeError as error:
            sys.stderr.write(f"{verb}: {error.code}\n")


async def _op(daemon: Daemon, verb: str, given: Any) -> None:
    actions = daemon.actions
    if verb == "admit":
        await actions.admit(given)
    elif verb == "rest":
        await rest(daemon, given)
    elif verb in ("pause", "resume"):
        await getattr(actions, verb)()
    elif verb in renders.VERBS:
        await renders.VERBS[verb](daemon, given)
    elif verb in ("script", "answered", "confirm"):
        await getattr(scripts, verb)(daemon.home.path, given)
    elif verb == "agree":
        await actions.agree_price(given)
    else:  # cancel, deliver, retry, resolve: of the newest job of a state
        jobs = await daemon.journal.read(lambda tx: tx.find(states=[given["state"]]))
        if jobs:
            arguments = [given["data"]] if "data" in given else []
            await getattr(actions, verb)(jobs[0].id, *arguments)


async def rest(daemon: Daemon, seconds: float = 60.0) -> None:
    """Wait until nothing moves by itself any more."""
    async with asyncio.timeout(seconds):
        while await daemon.journal.read(lambda tx: any(_moves(daemon, job) for job in tx.find(limit=500))):
            await asyncio.sleep(0.02)


def _moves(daemon: Daemon, job: Any) -> bool:
    if job.state is State.STORED:
        return job.wanted and (job.client is None or job.delivery == 0) and job.problem is None
    return job.state in _MOVING and not (job.state is State.QUEUED and daemon.actions._pause.current)


async def _live(given: dict[str, Any]) -> None:
    home = Home(Path(given["home"]))
    home.prepare()
    keys = KeyStore(home, {"EMPIRIOLABS_API_KEY": given["key"]})
    daemon = Daemon(home, Settings.model_validate(given["settings"]), keys=keys)
    await daemon.start()
    await perform(daemon, given["ops"])
    await daemon.stop()


def _main(given: dict[str, Any], failpoint: str | None, log: str | None) -> None:
    os.dup2(os.open(given["told"], os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    arm(failpoint, log)
    pace.FIRST = 0.1
    asyncio.run(_live(given))


def given(home: Path, service: Any, ops: list[list[Any]], **sections: Any) -> dict[str, Any]:
    """Return what :func:`run` takes: a daemon of this home, whose journal is where this test has them."""
    return {
        "home": str(home),
        "key": service.key,
        "settings": settings(service, **sections, **postgres.sections(home)).model_dump(mode="json"),
        "ops": ops,
        "told": str(home.parent / "told.txt"),
    }


async def run(given: dict[str, Any], *, failpoint: str | None = None, log: str | None = None) -> int:
    """Run a victim to its end, and return the exit code of its process."""
    context = multiprocessing.get_context("spawn" if sys.platform == "win32" else "forkserver")
    if sys.platform != "win32":
        context.set_forkserver_preload(["tests.faults.victim"])
    process = context.Process(target=_main, args=(given, failpoint, log), name="victim")
    # not in a thread: start() also polls every other child, and of two threads that read one exit code one gets 255
    process.start()
    while process.is_alive():  # not a thread that joins it: the fake service needs the threads of the loop
        await asyncio.sleep(0.02)
    process.join()
    code = process.exitcode
    process.close()
    return int(code or 0)
