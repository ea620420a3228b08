from __future__ import annotations

import http.server
import json
import os
import shutil
import sqlite3
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.cli.conftest import Cli
from tests.util.ending import INTERRUPT, LONGEST

KEYS = {"job", "id", "state", "charge", "client", "prompt", "file"}


def test_generate_prints_the_path_and_nothing_else(bridge: Cli) -> None:
    done = bridge.process(
        "generate", "soft keys, 100 bpm", "--duration", "4", "--position", "1.5", "--sample-rate", "48000"
    )
    (path,) = done.stdout.splitlines()
    assert soundfile.info(path).frames == 4 * 48_000
    assert "not the model" in done.stderr


def test_a_path_that_the_console_cannot_show_reaches_a_script_all_the_same(bridge: Cli) -> None:
    process = bridge.with_(PYTHONIOENCODING="ascii").popen("generate", "pling", "--duration", "1", text=False)
    out, err = process.communicate(timeout=LONGEST)
    assert process.returncode == 0, err
    assert Path(os.fsdecode(out.rstrip(b"\n"))).is_file()


def test_jobs_as_json(bridge: Cli, await_: Callable[[Callable[[], bool]], None]) -> None:
    jobs = bridge.json("generate", "two of them", "--duration", "1", "--variations", "2", "--seed", "5")
    assert [job["seed"] for job in jobs] == [5, 6]
    assert all(job["state"] == "placed" and Path(job["file"]).is_file() for job in jobs)
    await_(lambda: all(job["grid"] for job in bridge.json("jobs", "list", "--q", "two of them")))  # they stand still
    listed = bridge.json("jobs", "list", "--q", "two of them")
    assert {job["job"] for job in listed} == {job["job"] for job in jobs}
    assert all(set(job) >= KEYS for job in listed)
    assert bridge.json("jobs", "list", "--limit", "1") == listed[:1]
    assert bridge.json("jobs", "list", "--q", "two of them", "--offline") == listed
    shown = bridge.json("jobs", "show", jobs[0]["job"])
    assert set(shown) > KEYS
    assert shown["events"][0]["kind"] == "queued"
    assert bridge.json("jobs", "list", "--client", "nobody") == []


def test_people_see_a_list_and_one_job(bridge: Cli) -> None:
    prompt = "bell \x1b[31mred[/] [bold]näh\nsecond line"
    (job,) = bridge("generate", prompt, "--duration", "1", "--no-wait").stdout.split()
    bridge("generate", "later", "--duration", "1")
    for cli in (bridge, bridge.with_(PYTHONIOENCODING="ascii")):
        listed = cli("jobs", "list").stdout
        row = next(line for line in listed.splitlines() if line.startswith(job))
        assert "\x1b" not in listed
        assert "red[/] [bold]n" in row
        assert "second line" in row
        shown = cli("jobs", "show", job).stdout
        assert "\x1b" not in shown
        assert "free" in shown
        assert "generating" in shown
        assert str(uuid.UUID(shown.partition("Request")[2].split()[0]))


def test_transform_reads_a_region_by_a_relative_path(bridge: Cli) -> None:
    source = bridge.home / "loop.wav"
    soundfile.write(source, np.sin(np.arange(20 * 44_100) / 20) * 0.3, 44_100)
    process = bridge.popen(
        "transform", "brass", "--source", "loop.wav", "--start", "2", "--end", "10", "--strength", "0.3", "--json",
        cwd=bridge.home,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    out, err = process.communicate(timeout=LONGEST)
    assert process.returncode == 0, out + err
    (job,) = json.loads(out)
    assert job["source"] == {"path": str(source), "start": 2.0, "end": 10.0}
    assert job["strength"] == 0.3
    assert job["duration"] == 8.0


def test_wrong_requests_are_wrong_use_and_cost_nothing(bridge: Cli) -> None:
    said = bridge("generate", "x", "--duration", "1000", "--steps", "3", code=2).stderr
    assert "E-INVALID" in said
    assert "1000.0" in said
    assert "must be 1 to 190" in said
    assert "steps = 3" in said
    assert "Money: nothing was spent." in said
    told = bridge.json("generate", "x", "--duration", "1000", code=2)
    assert told["error"]["code"] == "E-INVALID"
    assert told["error"]["charge"] == "none"
    assert bridge("transform", "x", "--source", "/not/there.wav", code=2).stdout == ""
    assert "--duration must be a number" in bridge("generate", "x", "--duration", "nan", code=2).stderr
    assert "not UTF-8" in bridge("generate", "\udcff", code=2).stderr
    assert "E-NOT-FOUND" in bridge("jobs", "show", "nothere", code=1).stderr
    assert bridge("jobs", "resolve", "nothere", code=2).stdout == ""
    assert bridge("jobs", "resolve", "nothere", "--dismiss", code=2).stdout == ""
    assert "E-INVALID" in bridge("jobs", "list", "--state", "gone", code=2).stderr
    assert "E-INVALID" in bridge("jobs", "list", "--state", "gone", "--offline", code=2).stderr


def test_a_path_that_may_not_be_read_is_allowed_on_the_fly(bridge: Cli, tmp_path: Path) -> None:
    source = tmp_path / ".hidden" / "loop.wav"
    source.parent.mkdir()
    soundfile.write(source, np.sin(np.arange(8 * 44_100) / 20) * 0.3, 44_100)
    asks = ("transform", "x", "--source", str(source))
    said = bridge(*asks, code=1).stderr
    assert "E-PATH" in said
    assert "config allow" in said
    assert "knows it already" in bridge("config", "allow", str(source.parent)).stdout
    assert Path(bridge(*asks).stdout.strip()).is_file()


def test_ctrl_c_ends_the_waiting_and_not_the_job(bridge: Cli, await_: Callable[[Callable[[], bool]], None]) -> None:
    process = bridge.popen("generate", "a long one", "--duration", "190", "--variations", "4")
    assert process.stderr is not None
    assert "accepted" in process.stderr.readline()
    process.send_signal(INTERRUPT)
    out, err = process.communicate(timeout=LONGEST)
    assert process.returncode == 130
    assert out == ""
    assert "goes on" in err
    assert "daw-bridge jobs show" in err
    assert "Traceback" not in err
    await_(lambda: len(bridge.json("jobs", "list", "--q", "a long one", "--state", "placed")) == 4)


def test_held_and_cancelled(bridge: Cli, await_: Callable[[Callable[[], bool]], None]) -> None:
    assert "Paused" in bridge("pause").stdout
    said = bridge("generate", "x", code=1).stderr
    assert "E-PAUSED" in said
    assert "daw-bridge resume" in said
    assert "Paused" in bridge("status").stdout
    assert "Sending again" in bridge("resume").stdout
    assert "not paused" in bridge("resume").stdout
    (job,) = bridge("generate", "for a client", "--duration", "1", "--client", "nobody-there").stdout.splitlines()
    listed = bridge.json("jobs", "list", "--q", "for a client")
    assert listed[0]["state"] == "stored"
    assert listed[0]["file"] == job
    assert bridge.json("jobs", "deliver", listed[0]["job"])["delivery"] == listed[0]["delivery"] + 1
    cancelled = bridge("jobs", "cancel", listed[0]["job"])
    assert listed[0]["job"] in cancelled.stdout


def test_a_pipe_that_is_closed_early_is_no_fault(bridge: Cli) -> None:
    process = bridge.popen("jobs", "list", "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    process.wait(20)
    assert "Traceback" not in err
    assert "E-INTERNAL" not in err


def test_the_journal_of_a_newer_version_can_be_read_and_is_not_touched(bridge: Cli, cli: Cli) -> None:
    bridge("generate", "kept for later", "--duration", "1")
    cli("key", "clear")
    cli("config", "check")
    cli.home.mkdir(mode=0o700)
    with (
        closing(sqlite3.connect(f"file:{bridge.home / 'journal.sqlite3'}?mode=ro", uri=True)) as ours,
        closing(sqlite3.connect(cli.home / "journal.sqlite3")) as theirs,
    ):
        ours.backup(theirs)
        theirs.execute("ALTER TABLE jobs ADD COLUMN of_tomorrow TEXT")
        theirs.execute("UPDATE alembic_version SET version_num = '9999'")
        theirs.commit()
    before = (cli.home / "journal.sqlite3").read_bytes()
    said = cli.process("run", code=1).stderr
    assert "E-JOURNAL" in said
    assert "--offline" in said
    assert cli.json("jobs", "list", "--offline", "--q", "kept for later")[0]["state"] == "placed"
    assert "kept for later" in cli("jobs", "list", "--offline").stdout
    assert (cli.home / "journal.sqlite3").read_bytes() == before


def test_a_journal_that_is_none_is_told(cli: Cli) -> None:
    assert cli.json("jobs", "list", "--offline") == []
    cli.home.mkdir(mode=0o700)
    (cli.home / "journal.sqlite3").write_bytes(b"this is no journal at all" * 100)
    assert "E-JOURNAL" in cli("jobs", "list", "--offline", code=1).stderr


class _Loses(http.server.BaseHTTPRequestHandler):
    """A service that takes a request and never answers it."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.close_connection = True

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def loses() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Loses)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_unknown_job_says_what_it_may_have_cost_and_is_resolved(cli: Cli, loses: str) -> None:
    cloud = cli.with_(
        DAW_BRIDGE_ENGINE__NAME="empiriolabs",
        DAW_BRIDGE_ENGINE__BASE_URL=loses,
        EMPIRIOLABS_API_KEY="sk-test-key-of-nobody-1",
    )
    with cloud.running():
        done = cloud("generate", "is it lost?", code=1)
        assert done.stdout == ""
        assert "E-UNKNOWN" in done.stderr
        assert "perhaps spent" in done.stderr
        (job,) = cloud.json("jobs", "list", "--state", "unknown")
        assert job["charge"] == "possible"
        assert f"daw-bridge jobs resolve {job['job']}" in done.stderr
        assert "$0.58 perhaps spent" in cloud("jobs", "list").stdout
        status = cloud("status").stdout
        assert "$0.58 of $10.00" in status
        assert job["job"] in status
        said = cloud("jobs", "resolve", job["job"], "--dismiss", "--not-charged").stdout
        assert "dismissed" in said
        assert "$0.00 of $10.00" in cloud("status").stdout
    shutil.rmtree(cli.home / "library", ignore_errors=True)
