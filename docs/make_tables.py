"""Writes what is made of tables in the code: pages of the docs, and the parameters for the scripts. `make docs` runs it.

A test compares the files with what this makes, so they cannot rot.
"""

from __future__ import annotations

import json
from pathlib import Path

from bridge_daemon.domain.models import table
from bridge_daemon.domain.parameters import TABLE, Parameter, number_of
from bridge_daemon.errors import CODES
from bridge_daemon.frontends.http.openapi import description
from bridge_daemon.frontends.http.route_table import ROUTES
from bridge_daemon.settings.load import describe

ROOT = Path(__file__).parents[1]
_GROUPS = {
    "Refusal": "Refused before anything was sent: nothing was spent",
    "Trouble": "After a request was taken: why a job is where it is",
    "Setup": "The bridge cannot run as it is set up",
    "AccessRefused": "A request did not pass the access checks of the HTTP API",
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


def parameters() -> str:
    """Return the page of all parameters of a request."""
    lines = [
        "# Parameters",
        "",
        "Every parameter of a request, under the same name over HTTP, OSC and in the inbox, as an option of the commands",
        "(`cfg_scale` is `--cfg-scale`), and in `[presets.<name>]`. The range is the widest of all models; a model may allow",
        "less, and a refusal names what it allows. What counts first: the request, then the preset, then `[defaults]`.",
        "",
        "| parameter | allowed | for | set by, besides a request | left out | meaning |",
        "|---|---|---|---|---|---|",
    ]
    people = {"preset": "a preset", "knob": "a knob", "form": "the form in REAPER"}
    for one in TABLE:
        by = ", ".join(people[name] for name in one.set_by)
        what = " and ".join(one.actions)
        lines.append(f"| `{one.name}` | {one.range} | {what} | {by} | {one.default} | {one.meaning} |")
    return "\n".join(lines) + "\n"


def _for_scripts(one: Parameter) -> dict[str, object]:
    """Return what a script needs to know of a parameter."""
    label = f"{one.label} {one.hint}".strip() or one.name
    facts: dict[str, object] = {"key": one.name, "label": label, "kind": one.kind}
    facts |= {
        name: bound for name, bound in (("low", one.low), ("high", one.high), ("start", one.start)) if bound is not None
    }
    if one.name == "strength":  # every model has the same direction, or its maker would have to be asked for each
        (facts["one_means"],) = {model.strength_one_means for model in table().values()}
    if one.choices:
        facts["choices"] = one.choices
    return facts | {"form": "form" in one.set_by, "sound": one.shapes_sound, "on": one.actions}


def _literal(value: object) -> str:
    """Return a value as both Lua and JavaScript write it; a tuple as Lua does."""
    if isinstance(value, tuple):
        return f"{{ {', '.join(map(_literal, value))} }}"
    return number_of(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=True)


def lua() -> str:
    """Return the parameters as a module of the REAPER scripts."""
    rows = []
    for one in TABLE:
        facts = _for_scripts(one)
        told = [f"{key} = {_literal(value)}" for key, value in facts.items()]
        rows += ["  {", *(f"    {pair}," for pair in told), "  },"]
    head = [
        "-- The parameters of a request. Made by docs/make_tables.py; change bridge_daemon/domain/parameters.py.",
    ]
    return "\n".join([*head, "", "return {", *rows, "}"]) + "\n"


def javascript() -> str:
    """Return the parameters as a module of the Live devices."""
    rows = []
    for one in TABLE:
        facts = _for_scripts(one) | {"on": list(one.actions)}
        told = [f"{key}: {_literal(value)}" for key, value in facts.items() if key in ("key", "kind", "on")]
        rows.append(f"  {{ {', '.join(told)} }}")
    head = "/** The parameters of a request. Made by docs/make_tables.py; change bridge_daemon/domain/parameters.py. */"
    return f"{head}\nvar Parameters = [\n" + ",\n".join(rows) + "\n];\n"


_ROUTES_BEGIN, _ROUTES_END = "<!-- routes: made by make docs -->\n", "<!-- end of routes -->\n"


def http() -> str:
    """Return the page of the HTTP API: as it is, with the table of its routes."""
    page = (ROOT / "docs/http.md").read_text(encoding="utf-8")
    before, _, rest = page.partition(_ROUTES_BEGIN)
    after = rest.partition(_ROUTES_END)[2]
    who = {"open": "anybody", "token": "token", "session": "token, session"}
    rows = ["| route | who | answers |", "|---|---|---|"]
    for route in ROUTES:
        query = "".join(f"{'&' if number else '?'}{one.name}=" for number, one in enumerate(route.query))
        rows.append(f"| `{route.name}{query}` | {who[route.access.value]} | {route.summary} |")
    return before + _ROUTES_BEGIN + "\n".join(rows) + "\n" + _ROUTES_END + after


def openapi() -> str:
    """Return the OpenAPI description."""
    return json.dumps(description(ROUTES), indent=1, ensure_ascii=False) + "\n"


FILES = {
    "docs/http.md": http,
    "docs/openapi.json": openapi,
    "docs/errors.md": errors,
    "docs/settings.md": settings,
    "docs/parameters.md": parameters,
    "reaper_scripts/lib/parameters.lua": lua,
    "max_for_live/js/parameters.js": javascript,
}

if __name__ == "__main__":
    for name, make in FILES.items():
        (ROOT / name).write_text(make(), encoding="utf-8", newline="\n")
