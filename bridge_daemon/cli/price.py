"""``daw-bridge price``: what a generation costs, and agreeing to a price that went up."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from bridge_daemon.cli import format, problems, terminal
from bridge_daemon.cli import options as o
from bridge_daemon.cli.connection import talk
from bridge_daemon.errors import Fault, InvalidRequest

app = typer.Typer(
    help="What a generation costs.",
    invoke_without_command=True,
    rich_markup_mode=None,
)


@app.callback()
def price(context: typer.Context, model: o.NewModel = None, json: o.Json = False) -> None:
    """What a generation costs.

    By our table, by the service's catalogue, and which of them counts.
    """
    if context.invoked_subcommand is not None:
        return
    prices = talk(lambda bridge: bridge.prices(model))
    if json:
        terminal.dump(prices)
        return
    rows = [
        (
            one["model"],
            format.usd(one["usd"]),
            format.usd(one["table_usd"]) if one["table_usd"] is not None else "-",
            format.usd(one["catalogue_usd"]) if one["catalogue_usd"] is not None else "-",
            format.when(one["catalogue_read_at"]) or "never",
        )
        for one in prices
    ]
    terminal.table(("MODEL", "COUNTS", "OUR TABLE", "CATALOGUE", "CATALOGUE READ"), rows)
    for one in prices:
        if one["new"]:
            terminal.say(
                f"{one['model']} is new, so paid requests for it are refused until you agree to its price.  "
                f"Next: daw-bridge price agree --model {one['model']}",
                "yellow",
            )
        elif one["dearer"]:
            terminal.say(
                f"{one['model']} became dearer, so paid requests are refused until you agree.  "
                "Next: daw-bridge price agree",
                "yellow",
            )


@app.command("agree")
def agree(
    usd: Annotated[float | None, typer.Option(help="The price that you agree to; left out: you are asked.")] = None,
    model: o.Model = None,
    json: o.Json = False,
) -> None:
    """Agree to the price that the service's catalogue names now."""
    if usd is None:
        usd = _ask(model)
    data: dict[str, Any] = {"usd": usd} | ({"model": model} if model else {})
    answer = talk(lambda bridge: bridge.agree_price(data))
    if json:
        terminal.dump(answer)
    else:
        terminal.say(f"Agreed: {answer['model']} costs {format.usd(answer['usd'])} a generation.")


def _ask(model: str | None) -> float:
    async def look(bridge: Any) -> tuple[str, list[dict[str, Any]]]:
        return model or (await bridge.status())["engine"]["model"], await bridge.prices(model)

    name, prices = talk(look)
    asked = next((one["catalogue_usd"] for one in prices if one["model"] == name), None)
    if asked is None:
        terminal.note(f"The service's catalogue has not told a price of {name} yet.")
        raise typer.Exit(problems.FAILED)
    if problems.CliOutput.json or not terminal.is_person():
        raise InvalidRequest([Fault("usd", None, f"give the price that you agree to: --usd {asked:.2f}")])
    if not terminal.ask(f"{name} costs {format.usd(asked)} a generation at the service. Agree?"):
        raise typer.Exit(problems.FAILED)
    return float(asked)
