"""``daw-bridge key``: the API key of the service, and other secrets. None stands in argv, a log or on the screen."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from bridge_daemon.cli import options as o
from bridge_daemon.cli import problems, terminal
from bridge_daemon.cli.connection import talk, tell
from bridge_daemon.errors import Fault, InvalidRequest, NotRunning
from bridge_daemon.home.paths import Home

app = typer.Typer(help="The API key of the cloud service.", no_args_is_help=True,
                  rich_markup_mode=None)  # fmt: skip


@app.command("set")
def set_key(
    check: Annotated[
        bool | None, typer.Option("--check/--no-check", help="Ask the service whether it accepts it (free), or do not.")
    ] = None,
) -> None:
    """Keep the API key: typed unseen, or read from stdin. In the keyring, or in a closed file if there is none."""
    from bridge_daemon.home.api_key import VARIABLE, KeyStore, mask

    home = Home.locate()
    home.prepare()
    value = read_unseen()
    store = KeyStore(home)
    try:
        where = store.set(value)
    except ValueError as error:
        raise InvalidRequest([Fault("key", None, f"this is no API key: {error}")]) from None
    terminal.say(f"The key {mask(value.strip())} is kept in {place_of(where, home.key_file)}.")
    found = store.get()
    if found is not None and found.where == "environment":
        terminal.note(f"{VARIABLE} is set in the environment, and beats it here.", "yellow")
    if _reload() and _wants_check(check):
        raise typer.Exit(_check())


@app.command("studio")
def set_studio_password(
    clear: Annotated[bool, typer.Option("--clear", help="Forget it instead.")] = False,
) -> None:
    """Keep the password of the studio's database: typed unseen, or read from stdin. PGPASSFILE is heeded as well."""
    from bridge_daemon.studio import password

    home = Home.locate()
    home.prepare()
    store = password.store(home)
    if clear:
        _say_cleared(store.clear())
        return
    value = read_unseen("Password of the database (not shown): ").rstrip("\r\n")
    if not value:
        raise InvalidRequest([Fault("password", None, "there is none")])
    where = store.set(value)
    terminal.say(f"The password is kept in {place_of(where, store.file)}. It is used from the next start on.")


def place_of(where: str, file: Path) -> str:
    """Return where a secret is kept, for people."""
    return f"the file {file}, which only you can read" if where == "file" else "the keyring of this machine"


def _say_cleared(places: Sequence[str], nothing: str = "There was nothing to remove.") -> None:
    terminal.say(f"Removed from the {' and the '.join(places)}." if places else nothing)


def read_unseen(ask: str = "API key (not shown): ") -> str:
    """Return a secret that a person types, or the first line of what is piped in."""
    if sys.stdin is not None and sys.stdin.isatty():
        return getpass.getpass(ask, stream=sys.stderr)
    return sys.stdin.readline() if sys.stdin is not None else ""


def _reload() -> bool:
    """Let a running daemon read the key again; return whether there is one."""
    answer = tell(lambda bridge: bridge.reload_key())
    if answer is None:
        terminal.note("The bridge is not running; it reads the key when it starts.  Next: daw-bridge start")
        return False
    terminal.say("The running bridge uses it now." + (" Sending goes on." if answer.get("resumed") else ""))
    return True


def _wants_check(check: bool | None) -> bool:
    if check is None and terminal.is_person():
        return terminal.ask("Ask the service whether it accepts the key? It is free.", default=True)
    return bool(check)


@app.command("s3")
def set_s3_key(
    clear: Annotated[bool, typer.Option("--clear", help="Forget them instead.")] = False,
) -> None:
    """Keep the credentials of the bucket for sources: typed, the secret unseen, or two lines from stdin."""
    from bridge_daemon.home.s3_key import ID_VARIABLE, S3KeyStore
    from bridge_daemon.util.redact import mask

    home = Home.locate()
    home.prepare()
    store = S3KeyStore(home)
    if clear:
        _say_cleared(store.clear())
        return
    name, secret = _read_s3()
    try:
        where = store.set(name, secret)
    except ValueError as error:
        raise InvalidRequest([Fault("s3 key", None, str(error))]) from None
    kept = place_of(where, home.s3_key_file)
    terminal.say(f"The credentials {mask(name.strip())} are kept in {kept}. They are used from the next transform on.")
    found = store.get()
    if found is not None and found.where == "environment":
        terminal.note(f"{ID_VARIABLE} is set in the environment, and beats it here.", "yellow")


def _read_s3() -> tuple[str, str]:
    if sys.stdin is not None and sys.stdin.isatty():
        sys.stderr.write("Access key id: ")
        sys.stderr.flush()
        return sys.stdin.readline(), getpass.getpass("Secret access key (not shown): ", stream=sys.stderr)
    return (sys.stdin.readline(), sys.stdin.readline()) if sys.stdin is not None else ("", "")


@app.command("check")
def check_key(json: o.Json = False) -> None:
    """Ask the service whether it accepts the key. Costs nothing. The bridge must be running."""
    raise typer.Exit(_check(json=json))


def _check(*, json: bool = False) -> int:
    answer: dict[str, Any] = talk(lambda bridge: bridge.check_key())
    valid = answer.get("valid")
    if json:
        terminal.dump(answer)
    elif valid:
        terminal.say(f"The service accepts the key (from the {answer['where']}).", "green")
    elif valid is None:
        terminal.note(f"The key could not be checked: {answer['text']}", "yellow")
    else:
        terminal.note(f"The service does not accept the key: {answer['text']}  Next: daw-bridge key set", "red")
    return problems.DONE if valid else problems.FAILED


@app.command("clear")
def clear_key() -> None:
    """Forget the API key."""
    import os

    from bridge_daemon.home.api_key import VARIABLE, KeyStore

    _say_cleared(KeyStore(Home.locate()).clear(), nothing="There was no key to remove.")
    if os.environ.get(VARIABLE):
        terminal.note(f"{VARIABLE} is still set in the environment.", "yellow")
    try:
        talk(lambda bridge: bridge.reload_key())
    except NotRunning:
        return
    terminal.say("The running bridge has forgotten it too.")
