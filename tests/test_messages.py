"""Every error, in every channel, says what happened, whether money was spent, what is next, and where to look.

Where to look is the code: ``docs/errors.md`` has each under its name.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import bridge_daemon
from bridge_daemon import errors
from bridge_daemon.cli import problems
from bridge_daemon.domain.job import Charge, Problem, State
from bridge_daemon.errors import CODES, BridgeError, Fault
from bridge_daemon.frontends.http import answers
from bridge_daemon.frontends.mailbox.documents import refusal
from bridge_daemon.frontends.mailbox.files import RejectedFile, set_aside
from bridge_daemon.frontends.osc import announcer, verbs
from tests.journal.conftest import new_job

ROOT = Path(__file__).parents[1]
HAPPENED = "Something that nobody has seen before happened."
CHARGES = [str(charge) for charge in Charge]
MONEY = {"none": r"nothing was (\w+ )*spent", "possible": r"perhaps spent", "confirmed": r"\bspent\."}
JOBS = [State.HELD, State.REFUSED, State.FAILED, State.UNKNOWN, State.GENERATING, State.STORED]
#: A request with faults was never sent, and says so in its message.
CASES = [(code, charge) for code in CODES for charge in CHARGES if charge == "none" or code != "E-INVALID"]
LUAS = ["lupa.lua53", "lupa.lua54"]


def example(code: str, charge: str = "none") -> BridgeError:
    """Return an error of this code, made as the code itself makes it."""
    kind = CODES[code]
    wanted = inspect.signature(kind).parameters
    if "faults" in wanted:
        made = kind([Fault("duration", 500, HAPPENED)])  # type: ignore[arg-type]
    else:
        made = kind(HAPPENED, **({"usd": 1.16} if "usd" in wanted else {}))  # type: ignore[call-arg]
    made.charge = charge
    return made


def answers_all(text: str, error: BridgeError, *, code: str, next_step: str | None = None) -> None:
    """Prove that a person who reads the text knows the four things."""
    flat = " ".join(text.split())
    assert HAPPENED in flat
    assert re.search(MONEY[error.charge], flat, re.IGNORECASE), flat
    for charge, words in MONEY.items():
        if charge != error.charge and "confirmed" not in (charge, error.charge):
            assert not re.search(words, flat, re.IGNORECASE), flat
    assert " ".join((next_step or error.next_step).split()) in flat, flat
    assert code in flat


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_next_step_and_its_place_in_the_docs(code: str) -> None:
    error = example(code)
    assert len(error.next_step) > 8
    page = (ROOT / "docs" / "errors.md").read_text("utf-8")
    [row] = [line for line in page.splitlines() if line.startswith(f"| `{code}` ")]
    assert error.next_step.replace("|", "\\|") in row


@pytest.mark.parametrize(("code", "charge"), CASES)
def test_the_command_line(code: str, charge: str, capsys: pytest.CaptureFixture[str]) -> None:
    error = example(code, charge)
    problems.CliOutput.json = False
    problems.report(error)
    shown = capsys.readouterr().err
    here = problems._HERE.get(code)
    if code == "E-INVALID":  # it names each fault on a line of its own, and its own money line
        shown = shown.replace("The request was not taken:", "")
    answers_all(shown, error, code=code, next_step=here)


@pytest.mark.parametrize("charge", CHARGES)
@pytest.mark.parametrize("state", JOBS)
def test_the_command_line_of_a_job(state: State, charge: str, capsys: pytest.CaptureFixture[str]) -> None:
    for code in CODES:
        error = example(code, charge)
        told = {"code": code, "text": HAPPENED, "next": error.next_step}
        problems.show_problem({"job": "job1", "state": state, "charge": charge, "problem": told})
        shown = capsys.readouterr().err
        answers_all(shown, error, code=code, next_step=error.next_step.replace(" JOB", " job1"))


@pytest.mark.parametrize(("code", "charge"), CASES)
def test_http_osc_and_the_outbox(code: str, charge: str, tmp_path: Path) -> None:
    error = example(code, charge)
    call = verbs.OscCall("/bridge/generate", {}, 9)
    _, osc = verbs.refused(call, error)
    told: dict[str, dict[str, Any]] = {
        "HTTP": json.loads(str(answers.refusal(error).text))["error"],
        "OSC": dict(osc),
        "outbox": refusal(error)["refused"],
    }
    for channel, one in told.items():
        assert HAPPENED in one["message"], channel
        assert (one["code"], one["charge"], one["next"]) == (code, charge, error.next_step), channel
    (tmp_path / "outbox").mkdir()
    file = tmp_path / "bad.json"
    file.write_text("{")
    set_aside(tmp_path / "outbox", RejectedFile(client="client", path=file, id="id", error=error))
    [reason] = (tmp_path / "outbox").rglob("*.reason.txt")
    text = reason.read_text("utf-8")
    assert text.splitlines()[0] == code
    assert HAPPENED in text
    assert f"Charge: {charge}" in text
    assert f"Next: {error.next_step}" in text


@pytest.mark.parametrize("charge", Charge)
@pytest.mark.parametrize("code", CODES)
def test_osc_of_a_job(code: str, charge: Charge) -> None:
    error = example(code, str(charge))
    problem = Problem(code=code, text=HAPPENED, since=0.0, next=error.next_step)
    job = new_job().evolve(state=State.FAILED, charge=charge, problem=problem)
    failed = announcer.failed_pairs(job)
    assert failed["next"] == error.next_step.replace(" JOB", f" {job.id}")
    listed = verbs.job_pairs(job.as_dict())
    for told in (failed, listed):
        assert (told["code"], told["message"], told["charge"]) == (code, HAPPENED, charge)
    assert listed["next"] == error.next_step


def test_osc_of_a_job_without_a_problem_leads_to_it() -> None:
    told = announcer.failed_pairs(new_job().evolve(state=State.CANCELLED, text="cancelled by you"))
    assert told["next"].startswith("daw-bridge jobs show ")


@pytest.mark.parametrize("lua", LUAS)
def test_the_text_of_a_reaper_item(lua: str) -> None:
    runtime = importlib.import_module(lua).LuaRuntime(unpack_returned_tuples=True)
    load = runtime.eval("function(text) return load(text)(function() return {} end) end")
    words = load((ROOT / "reaper_scripts" / "lib" / "words.lua").read_text("utf-8"))
    table = runtime.table_from
    data = table({"takes": table({}), "prompt": "rain", "values": table({})})
    for code, charge in CASES:
        error = example(code, charge)
        told = {key: value for key, value in refusal(error)["refused"].items() if isinstance(value, str)}
        answers_all(words.of_item(data, table({"refused": table(told)}), None), error, code=code)
        for state in JOBS:
            problem = table({"code": code, "text": HAPPENED, "next": error.next_step})
            job = table({"job": "j1", "state": str(state), "charge": charge, "problem": problem})
            text = words.of_item(data, table({"jobs": table([job])}), None)
            assert re.search(MONEY[charge], text, re.IGNORECASE), text
            assert HAPPENED in text
            assert error.next_step in text


def test_the_lines_of_the_live_panel() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node: apt install nodejs")
    wanted = [example(code, charge) for code, charge in CASES]
    given = [{"message": one.message, "charge": one.charge, "next": one.next_step, "code": one.code} for one in wanted]
    script = (ROOT / "max_for_live" / "js" / "text.js").read_text("utf-8")
    script += f"\nconsole.log(JSON.stringify({json.dumps(given)}.map(Text.problem)));"
    done = subprocess.run([node, "-"], input=script, capture_output=True, text=True, encoding="utf-8", check=True)
    for error, line in zip(wanted, json.loads(done.stdout), strict=True):
        answers_all(line, error, code=error.code)


def test_no_message_says_that_nothing_was_spent_where_something_was() -> None:
    """In the source: an error that is raised with a charge does not say the opposite in its words."""
    names = {kind.__name__ for kind in CODES.values()}
    seen = 0
    for file in Path(bridge_daemon.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                seen += 1
                charges = [ast.unparse(one.value) for one in node.keywords if one.arg == "charge"]
                steps = [one.value for one in node.keywords if one.arg == "next"]
                where = f"{file.name}:{node.lineno}"
                assert not any(isinstance(step, ast.Constant) and not step.value for step in steps), where
                if charges and charges[0] not in ("'none'", "Charge.NONE"):
                    assert "othing was spent" not in ast.unparse(node), where
    assert seen > 100


def test_the_tree_at_the_top_of_the_file_is_the_whole_list() -> None:
    named = re.findall(r"E-[A-Z-]+", errors.__doc__ or "")
    assert sorted(named) == sorted(CODES)
