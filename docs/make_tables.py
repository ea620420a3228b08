"""Writes the pages of the docs that are tables of the code: errors.md and settings.md. `make docs` runs it.

A test compares the pages with what this makes, so they cannot rot.
"""

from __future__ import annotations

from pathlib import Path

from bridge_daemon.errors import CODES
from bridge_daemon.settings.load import describe

HERE = Path(__file__).parent
_GROUPS = {
    "Refusal": "Refused before anything was sent: nothing was spent",
    "Trouble": "After a request was taken: why a job is where it is",
    "Setup": "The bridge cannot run as it is set up",
    "Door": "A request did not pass the door of the HTTP API",
}


def errors() -> str:
    """Return the page of all error codes."""
    lines = [
        "# Errors",
        "",
        "Every error says what happened, what is known of the money, and one next step. The codes are stable: scripts may",
        'rely on them. Over HTTP each comes as `{"error": {"code", "message", "charge", "next"}}` with the status named',
        "here; on a job it stands as its `problem`.",
    ]
    for group, title in _GROUPS.items():
        lines += ["", f"## {title}", "", "| code | HTTP | what happened | what next |", "|---|---|---|---|"]
        for code, kind in CODES.items():
            if any(base.__name__ == group for base in kind.__mro__):
                told = " ".join((kind.__doc__ or "").split())
                lines.append(f"| `{code}` | {kind.status} | {told} | {kind.next} |")
    return "\n".join(lines) + "\n"


def settings() -> str:
    """Return the page of all settings."""
    lines = [
        "# Settings",
        "",
        "`config.toml` in the home; it is written with comments at the first start. `daw-bridge config path` tells where",
        "it is, `config check` names every fault at once, `config show` prints what holds. The environment beats the file:",
        "`DAW_BRIDGE_<SECTION>__<KEY>`, lists as JSON, for example `DAW_BRIDGE_SPEND__PER_DAY_USD=5`.",
        "",
        "The API key is never in this file: `daw-bridge key set` keeps it in the keyring of the system, or in a file that",
        "only you can read; `EMPIRIOLABS_API_KEY` beats both.",
        "",
        "Which way of `[publish]` to choose: [publishing](publishing.md).",
    ]
    section = None
    for one in describe():
        if one.section != section:
            section = one.section
            lines += ["", f"## {section}", "", "| key | default | allowed | meaning |", "|---|---|---|---|"]
        default = "" if one.default is None else f"`{one.default}`"
        lines.append(f"| `{one.key}` | {default} | {one.allowed} | {one.description} |".replace("  ", " "))
    return "\n".join(lines) + "\n"


PAGES = {"errors.md": errors, "settings.md": settings}

if __name__ == "__main__":
    for name, make in PAGES.items():
        (HERE / name).write_text(make(), encoding="utf-8")
