"""``daw-bridge jobs``: look at jobs, and act on one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from bridge_daemon.cli import format, terminal
from bridge_daemon.cli import options as o
from bridge_daemon.cli.connection import talk
from bridge_daemon.cli.sending import asking, new_id

app = typer.Typer(help="Look at jobs, and act on one.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_jobs(
    state: Annotated[list[str] | None, typer.Option(help="Only jobs in this state; may be given again.")] = None,
    q: Annotated[str | None, typer.Option("--q", help="Only jobs with this text in the prompt.")] = None,
    client: Annotated[str | None, typer.Option(help="Only jobs of this client.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many, the newest.")] = 20,
    offline: Annotated[bool, typer.Option("--offline", help="Read the journal itself, without the daemon.")] = False,
    json: o.Json = False,
) -> None:
    """List jobs, newest first."""
    if offline:
        from bridge_daemon.cli.offline import read_jobs

        found = read_jobs(states=state or [], text=q, client=client, limit=limit)
    else:
        found = talk(lambda bridge: bridge.jobs(state=state or [], q=q, client=client, limit=limit))
    if json:
        terminal.dump(found)
    elif not found:
        terminal.note("There are no jobs like that." if state or q or client else "There are no jobs yet.")
    else:
        _print_list(found)


def _print_list(jobs: list[dict[str, Any]]) -> None:
    names = ("JOB", "PRESSED", "STATE", "MONEY", "CLIENT", "PROMPT")
    rows = [
        (
            job["job"],
            format.when(job["created_at"]),
            format.state_of(job) + (" !" if job.get("problem") else ""),
            format.money_of(job),
            job["client"] or "-",
            job["prompt"],
        )
        for job in jobs
    ]
    terminal.table(names, rows, crop=5)
    if any(job.get("problem") for job in jobs):
        terminal.note("! has a problem: daw-bridge jobs show JOB", "yellow")


@app.command("show")
def show_job(job: o.JobId, json: o.Json = False) -> None:
    """Show everything about a job, and all that happened to it."""
    found = talk(lambda bridge: bridge.job(job))
    if json:
        terminal.dump(found)
        return
    from bridge_daemon.cli.one_job import print_job

    print_job(found)


@app.command("cancel")
def cancel_job(job: o.JobId, json: o.Json = False) -> None:
    """Cancel a job. One that was sent already is paid: its take is kept, and not placed."""
    _tell(talk(lambda bridge: bridge.act(job, "cancel")), json)


@app.command("deliver")
def deliver_job(job: o.JobId, json: o.Json = False) -> None:
    """Bring the take of a job once more. Costs nothing."""
    _tell(talk(lambda bridge: bridge.act(job, "deliver")), json)


@app.command("retry")
def retry_job(job: o.JobId, confirm_usd: o.ConfirmUsd = None, again: o.Again = False, json: o.Json = False) -> None:
    """Try a job again, as cheaply as it can be done; whether it costs is said."""
    data: dict[str, Any] = {"id": new_id()} | ({"again": True} if again else {})
    if confirm_usd is not None:
        data["confirm_usd"] = confirm_usd
    _tell(asking(data, lambda body: talk(lambda bridge: bridge.act(job, "retry", body))), json)


@app.command("resolve")
def resolve_job(
    job: o.JobId,
    submit_again: Annotated[
        bool, typer.Option("--submit-again", help="Ask for the same in a new job; it may cost again.")
    ] = False,
    attach: Annotated[
        str | None, typer.Option(metavar="ID", help="The job's id at the service, where you found it in your account.")
    ] = None,
    dismiss: Annotated[bool, typer.Option("--dismiss", help="Close it; say whether it was charged.")] = False,
    charged: Annotated[
        bool | None, typer.Option("--charged/--not-charged", help="With --dismiss: what your account says.")
    ] = None,
    confirm_usd: o.ConfirmUsd = None,
    json: o.Json = False,
) -> None:
    """Decide about an unknown job: one that was sent, and whose answer was lost."""
    if [submit_again, attach is not None, dismiss].count(True) != 1:
        raise typer.BadParameter("give one of --submit-again, --attach ID and --dismiss")
    if dismiss != (charged is not None):
        raise typer.BadParameter("--dismiss needs --charged or --not-charged, and nothing else does")
    if submit_again:
        data: dict[str, Any] = {"action": "submit_again", "id": new_id()}
        if confirm_usd is not None:
            data["confirm_usd"] = confirm_usd
    elif dismiss:
        data = {"action": "dismiss", "charged": charged}
    else:
        data = {"action": "attach", "remote_id": attach}
    _tell(asking(data, lambda body: talk(lambda bridge: bridge.act(job, "resolve", body))), json)


@app.command("rebuild")
def rebuild_journal(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be made again.")] = False,
    json: o.Json = False,
) -> None:
    """Make a journal that is gone or damaged again from sent.jsonl, the record of what was sent. Sends nothing."""
    from bridge_daemon.cli.offline import rebuild

    plan = rebuild(dry_run=dry_run)
    if json:
        terminal.dump({"whole": plan.whole, "why": plan.why, "jobs": list(plan.jobs), "done": not dry_run})
        return
    if plan.whole:
        terminal.say("The journal can be used as it is. Nothing was changed.")
        return
    terminal.say(plan.why, "yellow")
    names = ("JOB", "STATE", "MONEY", "CLIENT", "AT THE SERVICE", "PROMPT")
    rows = [
        (one["job"], one["state"], format.money_of(one), one["client"] or "-", one["remote_id"] or "-", one["prompt"])
        for one in plan.jobs
    ]
    terminal.table(names, rows, crop=5)
    if dry_run:
        terminal.note(f"{len(plan.jobs)} job(s) can be made again. Nothing was changed. Next: daw-bridge jobs rebuild")
    else:
        terminal.say(f"{len(plan.jobs)} job(s) were made again. Next: daw-bridge start, look, daw-bridge resume")


def _tell(answer: dict[str, Any], json: bool) -> None:
    if json:
        terminal.dump(answer)
    else:
        terminal.say(f"{answer['job']} is {answer['state']}. {answer.get('message', '')}")
