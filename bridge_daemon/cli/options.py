"""Options that several commands have, with the same name and meaning in each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bridge_daemon.cli.problems import CliOutput


def _json(wanted: bool) -> bool:
    CliOutput.json = CliOutput.json or wanted
    return wanted


Json = Annotated[bool, typer.Option("--json", help="Write JSON to stdout, errors too.", callback=_json, is_eager=True)]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="The id of a job, as jobs list shows it.")]
ConfirmUsd = Annotated[
    float | None, typer.Option("--confirm-usd", help="Agree to this price of the whole request, in dollars.")
]

Prompt = Annotated[
    str | None, typer.Argument(metavar="PROMPT", help="What is to be heard; may be left out with a preset.")
]
Duration = Annotated[float | None, typer.Option(help="Length of the take, in seconds (1 to 190).")]
Steps = Annotated[int | None, typer.Option(help="Steps of the model: more is finer and slower.")]
CfgScale = Annotated[float | None, typer.Option(help="How strictly the prompt is followed (1 to 25).")]
Strength = Annotated[float | None, typer.Option(help="How strongly the source counts (0 to 1).")]
Seed = Annotated[int | None, typer.Option(help="The same seed makes the same take again; left out: a new one.")]
Variations = Annotated[int | None, typer.Option(help="Takes at once, 1 to 8; each one costs.")]
Preset = Annotated[str | None, typer.Option(help="A preset of config.toml; what is given here beats it.")]
Model = Annotated[str | None, typer.Option(help="The model, if not the one of config.toml.")]
Position = Annotated[float | None, typer.Option(help="Place of the take on the timeline, in seconds.")]
Length = Annotated[float | None, typer.Option(help="Length of the place, in seconds.")]
Track = Annotated[str | None, typer.Option(help="Name of the track that gets the take.")]
Project = Annotated[str | None, typer.Option(help="Name of the project.")]
Folder = Annotated[
    Path | None,
    typer.Option(help="A folder of your DAW's project (with an .rpp or .als in it); the take is copied there too."),
]
SampleRate = Annotated[int | None, typer.Option(help="Sample rate of the take, e.g. 48000; left out: as it came.")]
Tempo = Annotated[float | None, typer.Option(help="Tempo of the project, in beats a minute.")]
Client = Annotated[str | None, typer.Option(help="The client that gets the take; left out: the library only.")]
Again = Annotated[bool, typer.Option("--again", help="Mean it: the same as a few seconds ago, once more.")]
ValidFor = Annotated[float | None, typer.Option(help="Seconds after which it is not sent any more by itself.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait; print the ids of the jobs.")]
Source = Annotated[
    Path,
    typer.Option(
        "--source", metavar="FILE", exists=True, dir_okay=False, help="The audio file that is made into something else."
    ),
]
Start = Annotated[float | None, typer.Option(help="Where the region in the file starts, in seconds.")]
End = Annotated[float | None, typer.Option(help="Where it ends, in seconds.")]
