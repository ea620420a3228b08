"""``daw-bridge demo``: the whole way from a press to a take, without key, network or money.

A real daemon is started as a process of its own, on a throw-away home, and spoken to as any other client does. What is
told of the takes in the end is read back from the files.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from bridge_daemon.cli import format, problems, terminal
from bridge_daemon.cli import options as o
from bridge_daemon.cli.demo_daemon import DemoDaemon
from bridge_daemon.cli.progress import Follow
from bridge_daemon.home.paths import Home

if TYPE_CHECKING:
    from bridge_daemon.client.client import BridgeClient

_SOURCE_SECONDS: Final = 30.0
_REGION: Final = (8.0, 16.0)
_RATE: Final = 48_000
_POSITIONS: Final = (4.0, 8.0)  # s on the timeline


def demo(
    keep: Annotated[bool, typer.Option("--keep/--no-keep", help="Keep the takes, or remove all in the end.")] = True,
    json: o.Json = False,
) -> None:
    """Show the whole way, free of charge.

    Two takes are made with the built-in sketch engine. It needs no key, no network and no money. It runs
    the real bridge on a home of its own, and touches none of your settings.
    """
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="daw-bridge-demo-"))
    try:
        with DemoDaemon(folder) as daemon:
            terminal.note("Starting a bridge of its own (sketch engine, throw-away home) ...")
            source = folder / "source.wav"
            _write_source(source)
            jobs = asyncio.run(_play(daemon, source))
        if any(job["state"] != "placed" for job in jobs):
            for job in jobs:
                problems.show_problem(job)
            raise typer.Exit(problems.FAILED)
        takes = [_read_back(job) for job in jobs]
        told = {"folder": str(folder), "kept": keep, "seconds": round(time.monotonic() - began, 2), "engine": "sketch"}
        if json:
            terminal.dump(told | {"cloud_usd": round(sum(take["cloud_usd"] for take in takes), 2), "takes": takes})
        else:
            _print(told, takes)
    except BaseException:
        if keep:
            terminal.note(f"What there is lies in {folder}")
        raise
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


async def _play(daemon: DemoDaemon, source: Path) -> list[dict[str, Any]]:
    """Press twice, and wait for both takes."""
    from bridge_daemon.client.client import BridgeClient

    async with BridgeClient(Home(daemon.home)) as client:
        await daemon.ready(client)
        generate = await _press(
            client, "generate", "tight drums and deep bass, 120 bpm", {"duration": 8.0}, position=_POSITIONS[0]
        )
        region = {"path": str(source), "start": _REGION[0], "end": _REGION[1]}
        transform = await _press(
            client, "transform", "warm strings, slow, 120 bpm", {"source": region}, position=_POSITIONS[1]
        )
        with Follow({generate: "text to audio ", transform: "audio to audio"}) as follow:
            return await client.wait([generate, transform], follow.change)


async def _press(client: BridgeClient, action: str, prompt: str, more: dict[str, Any], *, position: float) -> str:
    from bridge_daemon.cli.sending import new_id

    place = {"position": position, "sample_rate": _RATE, "tempo": 120.0}
    body = {"version": 1, "id": new_id(), "action": action, "prompt": prompt, "seed": 7, "place": place}
    answer = await client.submit(body | more)
    return str(answer["jobs"][0])


def _write_source(path: Path) -> None:
    """Synthesise a recording to transform: 30 s of a four-chord arpeggio at 120 bpm."""
    import numpy as np
    import soundfile

    step = int(_RATE * 0.25)  # an eighth note at 120 bpm
    time_line = np.arange(step) / _RATE
    chords = ((57, 60, 64, 69), (53, 57, 60, 65), (48, 55, 60, 64), (55, 59, 62, 67))
    notes = []
    for number in range(int(_SOURCE_SECONDS * _RATE) // step):
        pitch = chords[number // 8 % 4][number % 4]
        tone = 2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time_line
        notes.append((np.sin(tone) + 0.4 * np.sin(2 * tone)) * np.exp(-6 * time_line) * 0.3)
    soundfile.write(path, np.repeat(np.concatenate(notes)[:, None], 2, axis=1), _RATE, subtype="PCM_24")


def _read_back(job: dict[str, Any]) -> dict[str, Any]:
    """Return what a take is, by its file and not by what the daemon says."""
    import soundfile

    from bridge_daemon.audio.wav import read_bext
    from bridge_daemon.domain.models import models

    path = Path(job["file"])
    about, bext = soundfile.info(str(path)), read_bext(path)
    stamp = bext.time_reference if bext else None
    return {
        "action": job["action"],
        "job": job["job"],
        "file": str(path),
        "seconds": about.frames / about.samplerate,
        "rate": about.samplerate,
        "bits": int(about.subtype.removeprefix("PCM_")),
        "channels": about.channels,
        "time_reference": stamp,
        "position": stamp / about.samplerate if stamp is not None else None,
        "prompt": job["prompt"],
        "cloud_usd": models()[job["model"]].price(None) / 1_000_000,
    }


def _print(told: dict[str, Any], takes: list[dict[str, Any]]) -> None:
    where = f" They lie in {Path(takes[0]['file']).parent}" if told["kept"] else ""
    terminal.say(f"Two takes in {told['seconds']:.1f} s.{where}", "bold green")
    terminal.say()
    rows = [
        (
            "text to audio" if take["action"] == "generate" else "audio to audio",
            f"{take['seconds']:.3f} s",
            f"{take['rate']} Hz",
            f"{take['bits']} bit",
            take["channels"],
            f"{take['position']:.3f} s" if take["position"] is not None else "none",
            format.usd(take["cloud_usd"]),
        )
        for take in takes
    ]
    terminal.table(("TAKE", "LENGTH", "RATE", "DEPTH", "CHANNELS", "BWF TIME STAMP", "CLOUD MODEL"), rows)
    terminal.say()
    if told["kept"]:
        for take in takes:
            terminal.path(take["file"])
        terminal.say()
    total = format.usd(sum(take["cloud_usd"] for take in takes))
    terminal.say(f"Nothing was spent; the cloud model would have cost {total}.")
    terminal.say("These are sketches, put together by rules to show the way: not the model's work.", "yellow")
    terminal.say(f"All files of this demo: {told['folder']}" + ("" if told["kept"] else " (removed now)"), "dim")
    terminal.say("Next: daw-bridge run", "dim")
