"""``daw-bridge transform``: audio from audio and text."""

from __future__ import annotations

import typer

from bridge_daemon.cli import options as o
from bridge_daemon.cli.sending import body_of, press


def transform(
    context: typer.Context,
    source: o.Source,
    prompt: o.Prompt = None,
    start: o.Start = None,
    end: o.End = None,
    strength: o.Strength = None,
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
    """Make audio from audio and text.

    Waits, and prints the path of the take. Without --start and --end the whole file is the region.
    Exit codes as those of generate.
    """
    press(body_of("transform", context.params), wait=not no_wait)
