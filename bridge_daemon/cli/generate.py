"""``daw-bridge generate``: audio from text."""

from __future__ import annotations

import typer

from bridge_daemon.cli import options as o
from bridge_daemon.cli.sending import body_of, press


def generate(
    context: typer.Context,
    prompt: o.Prompt = None,
    duration: o.Duration = None,
    steps: o.Steps = None,
    cfg_scale: o.CfgScale = None,
    seed: o.Seed = None,
    variations: o.Variations = None,
    preset: o.Preset = None,
    model: o.Model = None,
    position: o.Position = None,
    length: o.Length = None,
    track: o.Track = None,
    project: o.Project = None,
    folder: o.Folder = None,
    sample_rate: o.SampleRate = None,
    tempo: o.Tempo = None,
    client: o.Client = None,
    confirm_usd: o.ConfirmUsd = None,
    again: o.Again = False,
    valid_for: o.ValidFor = None,
    no_wait: o.NoWait = False,
    json: o.Json = False,
) -> None:
    """Make audio from text.

    Waits, and prints the path of the take. Nothing but paths goes to stdout.
    Exit code 0: the take is there; 1: it is not; 3: the bridge is not running.
    """
    press(body_of("generate", context.params), wait=not no_wait)
