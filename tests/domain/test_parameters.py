"""One table of parameters: a row that is added to it arrives everywhere, and the models keep inside of its ranges."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bridge_daemon.domain.models import models
from bridge_daemon.domain.parameters import BOTH, TABLE, Parameter

ROOT = Path(__file__).parents[2]
#: Adds a parameter to the table before anything has read it, and then asks everything that reads it.
SCRIPT = """
import importlib.util, json
from bridge_daemon.domain import parameters
from bridge_daemon.domain.parameters import Parameter

parameters.TABLE = (*parameters.TABLE, Parameter(
    name="warmth", kind="number", meaning="How warm it sounds.", label="Warmth", low=0, high=10, start=3,
    default="the service's", sent_as="warmth_level", left_out=2,
))

from typer.testing import CliRunner
from bridge_daemon.cli.app import build
from bridge_daemon.cli.sending import body_of
from bridge_daemon.domain.again import request_of
from bridge_daemon.domain.job import Charge, Job, State
from bridge_daemon.domain.models import models
from bridge_daemon.domain.request import Place, parse
from bridge_daemon.engine.protocol import payload
from bridge_daemon.engine.sketch import contract
from bridge_daemon.frontends.midi.press_handler import _range
from bridge_daemon.frontends.osc import keys
from bridge_daemon.journal.rows import to_row
from bridge_daemon.settings import load
from bridge_daemon.spending.parameters import Lengths, parameters as of_takes, resolve

ID = "6b6a3bd0-8a0c-4ea9-9c1b-3a4c2b0e9d01"
settings, faults = load.parse('[presets.warm]\\naction = "generate"\\nprompt = "rain"\\nwarmth = 4.0', {})
assert not faults, faults
_, preset_faults = load.parse('[presets.warm]\\nwarmth = 44', {})
knob = '[[midi.bindings]]\\nname = "k"\\nport = "*"\\naction = "set"\\nparameter = "warmth"'
message = keys.request_of(keys.read(["id", ID, "preset", "warm", "warmth", "7.5"]).data, None)

def job_of(data):
    request, faults = parse(data)
    resolved, more = resolve(request, settings)
    assert resolved is not None, more
    return Job(id="a", seq=1, request_id=ID, client=None, action=resolved.action, preset=None, engine="sketch",
               base_url="", model=resolved.model.name, price=0, state=State.QUEUED, charge=Charge.NONE,
               parameters=of_takes(resolved, Lengths(5.0, None, None))[0], variation=1, variations=1, place=Place())

from_preset, from_osc = job_of({"id": ID, "preset": "warm"}), job_of(message)
sent = payload(from_osc, None)
spec = importlib.util.spec_from_file_location("make_tables", "docs/make_tables.py")
tables = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tables)
print(json.dumps({
    "osc": message["warmth"],
    "wrong": [fault.field for fault in parse({"id": ID, "warmth": "x"})[1]],
    "range": [fault.allowed for fault in resolve(parse({"id": ID, "preset": "warm", "warmth": 11})[0], settings)[1]],
    "preset": from_preset.parameters.warmth,
    "preset_faults": [fault.allowed for fault in preset_faults],
    "knob_faults": [str(fault) for fault in load.parse(knob, {})[1]],
    "knob": _range("warmth", models()["stable-audio-2-0"], "generate"),
    "payload": sent["warmth_level"],
    "sketch": contract.check(sent).other,
    "catalogue": [row for row in contract.catalogue()["supported_parameters"] if row["name"] == "warmth_level"],
    "job": from_osc.as_dict()["warmth"],
    "again": request_of(from_osc, placed=True)["warmth"],
    "row": to_row({"parameters": from_osc.parameters})["parameters"]["warmth"],
    "help": CliRunner().invoke(build(), ["generate", "--help"]).output,
    "body": body_of("generate", {"warmth": 1.5})["warmth"],
    "files": {name: "warmth" in make() for name, make in tables.FILES.items()},
}))
"""


def test_a_parameter_is_added_in_one_place() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "--warmth <float>" in found["help"]
    assert "How warm it sounds (0 to" in found["help"]
    del found["help"]
    assert found == {
        "osc": 7.5,
        "wrong": ["warmth"],
        "range": ["must be 0 to 10"],
        "preset": 4.0,
        "preset_faults": ["must be 0 to 10 for stable-audio-2-0"],
        "knob_faults": [],
        "knob": [0, 10],
        "payload": 7.5,
        "sketch": {"warmth_level": 7.5},
        "catalogue": [{"name": "warmth_level", "type": "number", "default": 2, "range": [0, 10]}],
        "job": 7.5,
        "again": 7.5,
        "row": 7.5,
        "body": 1.5,
        "files": {
            "docs/http.md": False,
            "docs/openapi.json": True,
            "docs/errors.md": False,
            "docs/settings.md": True,
            "docs/parameters.md": True,
            "reaper_scripts/lib/parameters.lua": True,
            "max_for_live/js/parameters.js": True,
        },
    }


@pytest.mark.parametrize(
    "one", [one for one in TABLE if one.by_model and one.low is not None], ids=lambda one: one.name
)
def test_the_range_is_the_widest_of_all_models(one: Parameter) -> None:
    spans = [span for model in models().values() for action in BOTH if (span := model.range(one.name, action))]
    assert (min(low for low, _ in spans), max(high for _, high in spans)) == (one.low, one.high)
