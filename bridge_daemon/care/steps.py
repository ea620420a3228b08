"""What the steps of the first run do, for the command line and the page alike. Each says in a sentence what is so now.

All functions may block.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import Collection
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge_daemon.care import first_run, trial
from bridge_daemon.care.trial_daemon import TrialDaemon
from bridge_daemon.errors import KeyTrouble, NotRunning
from bridge_daemon.home.api_key import KeyStore
from bridge_daemon.home.paths import Home
from bridge_daemon.settings.load import Settings
from bridge_daemon.util import ourselves

if TYPE_CHECKING:
    from bridge_daemon.install.target import InstallOutcome

Data = dict[str, Any]


def keep_key(home: Home, value: str) -> str:
    """Ask the service, free of charge, whether it accepts a key, and keep it in the keyring.

    Raises:
        InvalidRequest: it cannot be a key.
        KeyTrouble: the service does not accept it, or the keyring does not take it.
    """
    settings, value = Settings.load(home), first_run.proved_form(value)
    valid, text = asyncio.run(first_run.ask_service(settings, value))
    if valid is False:
        raise KeyTrouble(f"The service does not accept the key: {text}. It was not kept.", next="Copy it once more.")
    where = KeyStore(home).set(value)
    kept = "kept in the keyring" if where == "keyring" else f"kept in {home.key_file}, which only you can read"
    checked = "the service accepts it" if valid else f"not checked: {text}"
    return f"{kept}; {checked}. From now on a take costs {first_run.price_text(settings)}, within your limits"


def found_daws(home: Home) -> list[Data]:
    """Return the DAWs of this machine that something can be installed into: {key, title, places, version}."""
    from bridge_daemon.install.machine import Machine
    from bridge_daemon.install.target import states

    told = []
    for target in first_run.targets():
        found = states(target, Machine.this(), home)
        told.append(
            {
                "key": target.name,
                "title": target.title,
                "places": [state.place.title for state in found],
                "current": bool(found) and not any(one.version is None or one.outdated for one in found),
                "missing": None if found else target.missing(Machine.this()).next_step,
            }
        )
    return told


def install(home: Home, only: Collection[str] | None = None) -> list[InstallOutcome]:
    """Install into the DAWs that are found, or into some of them. Raises InstallTrouble."""
    from bridge_daemon.install import target as installing
    from bridge_daemon.install.machine import Machine

    done: list[InstallOutcome] = []
    for target in first_run.targets():
        if (only is None or target.name in only) and installing.states(target, Machine.this(), home):
            done += installing.install(target, Machine.this(), home, path=None, dry_run=False)
    return done


def test_takes(follow: trial.Follow | None = None) -> str:
    """Make two takes through the whole way, which cannot cost anything. Raises NotRunning."""
    folder = Path(tempfile.mkdtemp(prefix="daw-bridge-test-"))
    try:
        with TrialDaemon(folder) as daemon:
            jobs = asyncio.run(trial.two_takes(daemon, follow or (lambda _: nullcontext(lambda _: None))))
        wrong = [f"{job['state']}: {job.get('text') or ''}" for job in jobs if job["state"] != "placed"]
        if wrong:
            raise NotRunning(
                f"A take of the test was not made ({'; '.join(wrong)}). Nothing was spent.", next="daw-bridge doctor"
            )
        takes = [trial.read_back(job) for job in jobs]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    lengths = " and ".join(f"{take['seconds']:.0f} s" for take in takes)
    return f"two takes came through the whole way ({lengths}), and nothing was spent"


def begin_service() -> None:
    """Have the service installed by a process that outlives this one: the service takes the place of this daemon."""
    nothing = subprocess.DEVNULL
    command = ourselves.command("service", "install")
    subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing, **ourselves.apart("DETACHED_PROCESS"))
