"""Options that several commands have, with the same name and meaning in each."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from bridge_daemon.cli.problems import CliOutput
from bridge_daemon.domain import parameters
from bridge_daemon.domain.parameters import Parameter, number_of


def _json(wanted: bool) -> bool:
    CliOutput.json = CliOutput.json or wanted
    return wanted


Json = Annotated[bool, typer.Option("--json", help="Write JSON to stdout, errors too.", callback=_json, is_eager=True)]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="The id of a job, as jobs list shows it.")]
ConfirmUsd = Annotated[
    float | None, typer.Option("--confirm-usd", help="Agree to this price of the whole request, in dollars.")
]

Again = Annotated[bool, typer.Option("--again", help="Mean it: the same as a few seconds ago, once more.")]
Track = Annotated[str | None, typer.Option(help="Name of the track that gets the take.")]
Client = Annotated[str | None, typer.Option(help="The client that gets the take; left out: the library only.")]
Model = Annotated[str | None, typer.Option(help="The model, if not the one of config.toml.")]
NewModel = Annotated[
    str | None,
    typer.Option("--model", help="Ask the service's catalogue for this model first, if it is not known yet."),
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait; print the ids of the jobs.")]


@dataclass(frozen=True, slots=True)
class Option:
    """One option of ``generate`` and ``transform``, and where it stands in a request."""

    name: str
    annotation: Any
    inside: str = ""  #: "place" or "source": the object of the request that it belongs to
    key: str = ""  #: its key there, if it is another than its name
    actions: tuple[str, ...] = parameters.BOTH


def _of_parameter(one: Parameter) -> Option:
    words = one.meaning
    if one.kind == "choice":
        option = typer.Option(help=f"{words.removesuffix('.')} ({one.range}).", metavar="CHOICE", parser=one.read)
        return Option(one.name, Annotated[str | None, option], actions=one.actions)
    if one.low is not None and one.high is not None and not one.low_excluded:
        words = f"{words.removesuffix('.')} ({number_of(one.low)} to {number_of(one.high)})."
    if one.name == "prompt":
        argument = typer.Argument(metavar="PROMPT", help="What is to be heard; may be left out with a preset.")
        return Option(one.name, Annotated[str | None, argument])
    return Option(one.name, Annotated[one.type | None, typer.Option(help=words)], actions=one.actions)


_SOURCE: Final = typer.Option(
    "--source", metavar="FILE", exists=True, dir_okay=False, help="The audio file that is made into something else."
)
_FOLDER: Final = "A folder of your DAW's project (with an .rpp or .als in it); the take is copied there too."


def _number(words: str) -> Any:
    return Annotated[float | None, typer.Option(help=words)]


def _text(words: str) -> Any:
    return Annotated[str | None, typer.Option(help=words)]


#: Everything that a request may say on the command line.
REQUEST: Final = (
    Option("source", Annotated[Path, _SOURCE], "source", "path", ("transform",)),
    Option("start", _number("Where the region in the file starts, in seconds."), "source", actions=("transform",)),
    Option("end", _number("Where it ends, in seconds."), "source", actions=("transform",)),
    Option("replace", _text("Replace this region only: FROM:TO, in seconds of the source."), actions=("transform",)),
    *map(_of_parameter, parameters.TABLE),
    Option("preset", _text("A preset of config.toml; what is given here beats it.")),
    Option("position", _number("Place of the take on the timeline, in seconds."), "place"),
    Option("length", _number("Length of the place, in seconds."), "place"),
    Option("track", Track, "place"),
    Option("project", _text("Name of the project."), "place"),
    Option("folder", Annotated[Path | None, typer.Option(help=_FOLDER)], "place"),
    Option(
        "sample_rate",
        Annotated[int | None, typer.Option(help="Sample rate of the take, e.g. 48000; left out: as it came.")],
        "place",
    ),
    Option("tempo", _number("Tempo of the project, in beats a minute."), "place"),
    Option("client", Client),
    Option("confirm_usd", ConfirmUsd),
    Option("again", Again),
)


def takes_request(action: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of a request with an action, and those of how it is waited for."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        flags = {"again": False, "no_wait": False, "json": False}
        given = {one.name: one.annotation for one in REQUEST if action in one.actions}
        found = {"context": typer.Context} | given | {"no_wait": NoWait, "json": Json}
        command.__annotations__ = {**found, "return": None}
        required = ("context", "source")
        command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [
                inspect.Parameter(
                    name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=inspect.Parameter.empty if name in required else flags.get(name),
                    annotation=kind,
                )
                for name, kind in found.items()
            ]
        )
        return command

    return decorate
