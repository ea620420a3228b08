"""Which tests are not run in Windows, and why; a path that is named on the command line is run all the same."""

from __future__ import annotations

from typing import Final

#: What is not of Windows: a program of Debian does the work, or only a text of the checkout is read.
NOT_OF_WINDOWS: Final = {
    "tests/reaper": "a Lua without REAPER's own way to open files, which takes names in UTF-8 on every system",
    "tests/live": "the scripts run in Node",
    "tests/page": "the page runs in Chromium",
    "tests/studio": "PostgreSQL of Debian",
    "tests/ardour": "Ardour of Debian",
    "tests/stories": "hours, drawn anew",
    "tests/fakes": "watches the service of the tests",
    "tests/engine/sketch": "arithmetic of sounds",
    "tests/fit": "arithmetic of sounds",
    "tests/test_docs.py": "texts of the checkout",
    "tests/test_messages.py": "texts of the checkout",
    "tests/test_threat_model.py": "texts of the checkout",
    "tests/test_readme.py": "texts of the checkout",
    "tests/test_contributing.py": "texts of the checkout",
    "tests/test_house.py": "texts of the checkout",
    "tests/test_mutants.py": "texts of the checkout",
}

_VALUES: Final = "values in, values out"
_DESK: Final = "what the HTTP server, which other files watch, says to requests of every kind"
_RULES: Final = "rules of money on a journal; the journal itself, and a whole request, are watched by other files"
_ANSWERS: Final = "what becomes of a job by each answer; faults of the network are made in tests/engine, which runs"
_SOUNDS: Final = "arithmetic of sounds; opening and writing is watched by test_formats.py, test_wav.py, test_apart.py"

#: What behaves alike on every system: it works on values alone, or reaches files, sockets and clocks only through what
#: tests that do run here watch. `make test-windows-all` runs it, too.
ALIKE: Final = {
    "tests/domain": _VALUES,
    "tests/clock/test_meter.py": _VALUES,
    "tests/clock/test_midi.py": _VALUES,
    "tests/clock/test_musical.py": _VALUES,
    "tests/clock/test_transport.py": _VALUES,
    "tests/engine/test_address.py": _VALUES,
    "tests/engine/test_listing.py": _VALUES,
    "tests/engine/test_protocol.py": _VALUES,
    "tests/frontends/midi/test_parts.py": _VALUES,
    "tests/frontends/osc/test_wire.py": _VALUES,
    "tests/pipeline/test_pace.py": _VALUES,
    "tests/spending/test_parameters.py": _VALUES,
    "tests/spending/test_prices.py": _VALUES,
    "tests/journal/test_transitions.py": "a table of moves",
    "tests/audio/test_peaks.py": _SOUNDS,
    "tests/audio/test_region.py": _SOUNDS,
    "tests/audio/test_take.py": _SOUNDS,
    "tests/frontends/http/test_access.py": _DESK,
    "tests/frontends/http/test_odd_requests.py": _DESK,
    "tests/frontends/http/test_page_api.py": _DESK,
    "tests/frontends/http/test_routes.py": _DESK,
    "tests/spending/test_admit.py": _RULES,
    "tests/spending/test_chain.py": _RULES,
    "tests/spending/test_client_limits.py": _RULES,
    "tests/spending/test_money_machine.py": _RULES,
    "tests/spending/test_negative_prompt.py": _RULES,
    "tests/spending/test_new_models.py": _RULES,
    "tests/spending/test_press_identity.py": _RULES,
    "tests/spending/test_replace.py": _RULES,
    "tests/spending/test_wildcards.py": _RULES,
    "tests/actions/test_actions.py": _RULES,
    "tests/pipeline/test_continue.py": _RULES,
    "tests/pipeline/test_follow.py": _ANSWERS,
    "tests/pipeline/test_submit.py": _ANSWERS,
    "tests/tools/test_matrix.py": "reads what PyPI told",
    "tests/tools/test_release.py": "texts of the checkout",
}
