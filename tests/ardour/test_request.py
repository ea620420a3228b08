"""The request that Ardour's scripts write, in a real Lua, without Ardour."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
#: The modules that the request needs of Ardour or does not use here.
EMPTY = ("json", "session")


def request(values: dict[str, Any], **more: Any) -> dict[str, Any]:
    runtime = importlib.import_module("lupa.lua53").LuaRuntime(unpack_returned_tuples=True)
    load = runtime.eval("function(text, import) return load(text)(import) end")

    def imported(name: str) -> Any:
        if name in EMPTY:
            return runtime.table()
        found = (ROOT / scripts / "lib" / f"{name}.lua" for scripts in ("ardour_scripts", "reaper_scripts"))
        return load(next(file for file in found if file.exists()).read_text("utf-8"), imported)

    made = imported("request").make(runtime.table_from(values), runtime.table_from(more))
    return dict(made.items())


@pytest.mark.parametrize(
    ("values", "fit"),
    [
        ({}, "off"),
        ({"preset": "drums"}, None),
        ({"fit": "loop"}, "loop"),
        ({"preset": "drums", "fit": "start"}, "start"),
    ],
    ids=["nothing asked", "the preset says", "the form says", "the form beats the preset"],
)
def test_no_fit_is_asked_for_that_nobody_would_make(values: dict[str, str], fit: str | None) -> None:
    """Ardour's Lua cannot stretch: left out, the bridge would wait for a fit that no copy is made for."""
    made = request({"prompt": "rain"} | values, client="ardour")
    assert made.get("fit") == fit
    assert (made["prompt"], made["client"], made.get("preset")) == ("rain", "ardour", values.get("preset"))
