"""``daw-bridge folders``: the watched folders, and the renders in them that wait to be sent."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from bridge_daemon.cli import format, problems, terminal
from bridge_daemon.cli import options as o
from bridge_daemon.cli.connection import talk
from bridge_daemon.cli.problems import CliOutput
from bridge_daemon.cli.sending import asking, new_id
from bridge_daemon.errors import BridgeError, InvalidRequest, SourceRefused, WrongState

app = typer.Typer(help="Watched folders: look at the renders in them, and send one.", rich_markup_mode=None)

_PAGE: Final = 500
_DEFAULT: Final = 50
#: What is wrong with one render and says nothing of the next one.
_ONE_ALONE: Final = (WrongState, SourceRefused, InvalidRequest)

Entry = Annotated[str | None, typer.Argument(metavar="[RENDER]", help="Its number in the list, its path, or its name.")]
Folder = Annotated[str | None, typer.Option(help="Only renders of this folder.")]


@app.callback(invoke_without_command=True)
def folders(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_renders()


@app.command("list")
def list_renders(
    folder: Folder = None,
    state: Annotated[
        list[str] | None, typer.Option(help="Only renders in this state (waiting, sent, known, forgotten).")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=_PAGE, help="At most so many, the newest.")] = _DEFAULT,
    json: o.Json = False,
) -> None:
    """List the watched folders, and the renders in them, newest first."""
    told = talk(lambda bridge: bridge.folders())
    found = talk(lambda bridge: bridge.renders(folder=folder, state=state or [], limit=limit))
    if json:
        terminal.dump(told | {"renders": found})
        return
    if not told["folders"]:
        terminal.note("No folder is watched. [[folders]] in config.toml adds one; docs/folders.md shows how.")
    for one in told["folders"]:
        _print_folder(one)
    if found:
        terminal.say()
        _print_renders(found)
        waiting = sum(one["waiting"] for one in told["folders"])
        if waiting:
            terminal.note(f"{waiting} waiting: daw-bridge folders send NUMBER, or folders send --all", "yellow")


def _print_folder(folder: dict[str, Any]) -> None:
    spends = "spends by itself" if folder.get("spend") else "does not spend by itself"
    state = spends if folder["watching"] else "not watched"
    terminal.say(f"{folder['name']}  {folder['path']}  ({state}, {folder['waiting']} waiting)", "bold")
    if folder.get("problem"):
        terminal.say(f"  {folder['problem']}", "yellow")
    if folder.get("unsafe"):
        terminal.say(f"  Nothing in it is sent by itself: {folder['unsafe']}.", "yellow")
    if folder.get("no_events"):
        terminal.say(f"  The system tells of no changes ({folder['no_events']}); it is looked at every few seconds.")
    if folder.get("unreadable_names"):
        terminal.say(f"  {folder['unreadable_names']} file(s) have names that are no Unicode; rename them.", "yellow")


def _print_renders(found: list[dict[str, Any]]) -> None:
    rows = [
        (one["entry"], format.when(one["seen_at"]), one["folder"], one["state"], one["name"], _what_of(one))
        for one in found
    ]
    terminal.table(("NUMBER", "SEEN", "FOLDER", "STATE", "RENDER", "WHAT OF IT"), rows, crop=5)


def _what_of(render: dict[str, Any]) -> str:
    jobs = ", ".join(job["file"] or f"{job['job']} {job['state']}" for job in render["jobs"])
    return "; ".join(part for part in (jobs, render["text"]) if part)


@app.command("send")
def send(
    render: Entry = None,
    all_waiting: Annotated[bool, typer.Option("--all", help="Send all that wait, after asking.")] = False,
    folder: Folder = None,
    again: Annotated[
        bool, typer.Option("--again", help="Once more what was sent before, with a new seed; it costs again.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --all: do not ask.")] = False,
    confirm_usd: o.ConfirmUsd = None,
    json: o.Json = False,
) -> None:
    """Make a job of a render that waits, or of all that do."""
    if (render is None) == (not all_waiting) or (all_waiting and again) or (folder and not all_waiting):
        raise typer.BadParameter("give a RENDER (with --again, if you mean it), or --all (with --folder, if you like)")
    if render is not None:
        answer = _send(render, again=again, confirm_usd=confirm_usd)
        terminal.dump(answer) if json else _say(answer)
        return
    waiting = _all_waiting(folder)
    if not waiting:
        terminal.note("Nothing waits.")
        terminal.dump([]) if json else None
        return
    if not yes:
        _agree(len(waiting))
    sent, code = [], problems.DONE
    for one in waiting:
        try:
            sent.append(_send(str(one["entry"]), again=False, confirm_usd=confirm_usd))
        except _ONE_ALONE as error:
            code = problems.FAILED
            terminal.note(f"{one['name']}: {error.code}  {error.message}", "yellow")
        except BridgeError:
            terminal.note(f"{len(sent)} of {len(waiting)} were sent; the rest goes on waiting.", "yellow")
            raise
    terminal.dump(sent) if json else terminal.say(f"{len(sent)} of {len(waiting)} were sent.")
    raise typer.Exit(code)


def _send(entry: str, *, again: bool, confirm_usd: float | None) -> dict[str, Any]:
    data: dict[str, Any] = {"entry": entry, "id": new_id()} | ({"again": True} if again else {})
    if confirm_usd is not None:
        data["confirm_usd"] = confirm_usd
    return asking(data, lambda body: talk(lambda bridge: bridge.send_render(body)))


def _say(answer: dict[str, Any]) -> None:
    jobs = ", ".join(answer["jobs"])
    terminal.say(f"{jobs} accepted, {format.usd(answer['usd'])}. Its take goes to the results folder.")


def _all_waiting(folder: str | None) -> list[dict[str, Any]]:
    """Return all that wait, the oldest first."""
    found: list[dict[str, Any]] = []
    while True:
        before = found[-1]["entry"] if found else None
        page = talk(
            lambda bridge: bridge.renders(folder=folder, state=["waiting"], limit=_PAGE, before=before)  # noqa: B023
        )
        found += page
        if len(page) < _PAGE:
            return [one for one in reversed(found) if one["state"] == "waiting"]


def _agree(count: int) -> None:
    price = talk(lambda bridge: bridge.status())["price_usd"]
    sum_of = format.usd(price * count) if price is not None else "what the service's catalogue has not told yet"
    text = f"{count} render(s) wait. Sending them costs {sum_of} or more (variations cost each)."
    if CliOutput.json or not terminal.is_person():
        raise typer.BadParameter(f"{text} Say --yes if you agree")
    terminal.note(text, "yellow")
    if not terminal.ask("Send them all?"):
        raise typer.Exit(problems.FAILED)


@app.command("forget")
def forget(
    render: Entry = None,
    all_waiting: Annotated[bool, typer.Option("--all", help="All that wait.")] = False,
    folder: Folder = None,
    json: o.Json = False,
) -> None:
    """Remove a waiting render from the list. Its file is not touched, and what was paid for stays known."""
    if (render is None) == (not all_waiting) or (folder and not all_waiting):
        raise typer.BadParameter("give a RENDER, or --all (with --folder, if you like)")
    wanted = [render] if render is not None else [str(one["entry"]) for one in _all_waiting(folder)]
    done = [talk(lambda bridge, one=one: bridge.forget_render(one)) for one in wanted]  # type: ignore[misc]
    if json:
        terminal.dump(done)
    else:
        terminal.say(done[0]["message"] if render is not None else f"{len(done)} are off the list.")
