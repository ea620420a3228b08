"""The script inbox: claimed by moving, answered once, and nothing that lies there is passed over in silence."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import stat
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon.domain.job import State
from bridge_daemon.frontends.mailbox import files, inbox, outbox
from bridge_daemon.frontends.mailbox.disk import OutboxDisk
from bridge_daemon.frontends.mailbox.inbox import Inbox
from bridge_daemon.frontends.mailbox.watch import InboxWatch
from tests.fakes.service import Service
from tests.frontends.mailbox.scripter import Script
from tests.support import Clock, change, job_of, press, running, until
from tests.util.wine import many
from tests.waiting import eventually

POSIX = pytest.mark.posix("modes, links and pipes of POSIX")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SETTLED", 0.2)
    monkeypatch.setattr(files, "UNFINISHED", 0.4)


def inbox_of(daemon: Any) -> Inbox:
    return next(intake for intake in daemon.intakes if isinstance(intake, Inbox))


# Requests


async def test_a_request_becomes_a_job_and_its_status_is_kept_current(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        script = Script(tmp_path / "home").make()
        name = script.request(variations=2, seed=7)
        told = await script.answer(name)
        assert (told["id"], told["accepted"], told["usd"]) == (name, True, 1.16)
        assert [(job["variation"], job["seed"]) for job in told["jobs"]] == [(1, 7), (2, 8)]
        assert set(told["jobs"][0]) >= {"job", "variation", "state", "charge", "fraction", "text", "seed"}
        done = await script.in_state(name, "stored")
        assert {job["charge"] for job in done["jobs"]} == {"confirmed"}
        assert done["updated_at"] > told["updated_at"]
        await eventually(lambda: not script.left())
        assert (await job_of(daemon, done["jobs"][0]["job"])).client == "reaper"


async def test_the_same_id_again_gets_the_same_answer_and_another_body_is_refused(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service):
        script = Script(tmp_path / "home").make()
        name = script.request(prompt="rain")
        first = await script.in_state(name, "stored")
        (script.outbox / f"{name}.status.json").unlink()
        script.request(id=name, prompt="rain")
        again = await script.answer(name)
        assert again["jobs"][0]["job"] == first["jobs"][0]["job"]
        script.request(id=name, prompt="wind")
        told = await eventually(lambda: (s := script.status(name)) and "refused" in s and s)
        assert told["refused"]["code"] == "E-ID-REUSED"
        assert [job["job"] for job in told["jobs"]] == [first["jobs"][0]["job"]], "what is paid for is never hidden"
        assert len(service.charges) == 1


async def test_a_refused_request_may_come_again_under_its_id(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service, spend={"confirm_above_usd": 0.1}):
        script = Script(tmp_path / "home").make()
        name = script.request(prompt="rain")
        told = await script.answer(name)
        assert (told["refused"]["code"], told["usd"], told["jobs"]) == ("E-CONFIRM", 0.58, [])
        assert told["refused"]["charge"] == "none"
        assert "accepted" not in told
        script.request(id=name, prompt="rain", confirm_usd=0.58)
        await script.in_state(name, "stored")
        assert len(service.charges) == 1


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"client": "other"}, "client"),
        ({"client": None}, "client"),
        ({"duration": 1000}, "duration"),
        ({"colour": "blue"}, "colour"),
        ({"prompt": ""}, "prompt"),
    ],
)
async def test_a_wrong_request_is_refused_by_name(tmp_path: Path, given: dict[str, Any], field: str) -> None:
    async with Service() as service, running(tmp_path / "home", service):
        script = Script(tmp_path / "home").make()
        told = await script.answer(script.request(**given))
        assert told["refused"]["code"] == "E-INVALID"
        assert field in [fault["field"] for fault in told["refused"]["faults"]]
        assert (service.posts, script.rejected()) == ([], [])


async def test_a_position_is_exact_to_the_last_bit(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service):
        script = Script(tmp_path / "home").make()
        position = 3.3333333333333335
        script.request(place={"position": position, "length": 0.1 + 0.7, "tempo": 120, "token": "é\n{}"})
        found = await script.result()
        assert found["place"] == {"position": position, "length": 0.1 + 0.7, "tempo": 120.0, "token": "é\n{}"}
        raw = next(script.outbox.glob("*.result.json")).read_bytes()
        assert b"null" not in raw
        assert "é".encode() in raw


async def test_a_request_that_lay_there_too_long_is_refused_and_costs_nothing(tmp_path: Path) -> None:
    """The bridge did not run; hours later nobody waits for this take, and it would be paid all the same."""
    times = Clock()
    times.offset = 3600.0
    script = Script(tmp_path / "home").make()
    old, patient = script.request(), script.request(valid_for=7200)
    retry, pause = script.command("retry", job="abc"), script.command("pause")
    resume = script.command("resume")
    async with Service() as service, running(tmp_path / "home", service, times=times) as daemon:
        told = await script.answer(old)
        assert told["refused"]["code"] == "E-STALE"
        assert (await script.answer(patient))["accepted"]
        assert (await script.answer(retry))["refused"]["code"] == "E-STALE"
        assert (await script.answer(pause))["accepted"]
        assert (await script.answer(resume))["refused"]["code"] == "E-STALE"
        assert (await daemon.actions.status())["paused"]["reason"] == "person"
        assert len(service.posts) <= 1


async def test_two_hundred_requests_at_once_are_each_answered_once(tmp_path: Path) -> None:
    limits = {"per_day_usd": 1000, "per_month_usd": 1000}
    async with Service() as service, running(tmp_path / "home", service, spend=limits) as daemon:
        await daemon.actions.pause("panic")
        await daemon.actions.resume()
        script = Script(tmp_path / "home").make()
        names = [script.request() for _ in range(many(200))]
        await eventually(lambda: all(script.status(name) for name in names), seconds=240)
        jobs = [job["job"] for name in names for job in (script.status(name) or {})["jobs"]]
        assert len(set(jobs)) == many(200)
        await eventually(lambda: not script.left())


async def test_two_scripts_do_not_see_each_other(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service):
        one, two = Script(tmp_path / "home", "reaper-1").make(), Script(tmp_path / "home", "reaper-2").make()
        ids = one.request(place={"position": 1.0}), two.request(place={"position": 2.0})
        await asyncio.gather(one.in_state(ids[0], "stored"), two.in_state(ids[1], "stored"))
        first, second = await one.result(), await two.result()
        assert (first["place"]["position"], second["place"]["position"]) == (1.0, 2.0)
        two.write(f"{first['job']}.1.placed.json")
        await eventually(two.rejected)
        assert "E-NOT-FOUND" in (two.outbox / "rejected" / f"{first['job']}.1.placed.json.reason.txt").read_text()
        assert one.results() == [first]
        assert len(service.charges) == 2


# Commands


async def test_commands(tmp_path: Path) -> None:
    async with Service(job_seconds=1000) as service, running(tmp_path / "home", service) as daemon:
        script = Script(tmp_path / "home").make()
        paused = await script.answer(script.command("pause", reason="panic"))
        assert (paused["accepted"], paused["usd"], paused["jobs"]) == (True, 0.0, [])
        assert (await daemon.actions.status())["paused"]["reason"] == "panic"
        assert (await script.answer(script.request()))["refused"]["code"] == "E-PAUSED"
        assert (await script.answer(script.command("resume")))["accepted"]
        name = script.request()
        job = (await script.in_state(name, "generating"))["jobs"][0]["job"]
        cancelled = await script.answer(script.command("cancel", job=job))
        assert "is spent" in cancelled["message"]
        assert not (await job_of(daemon, job)).wanted


async def test_a_take_is_marked_and_the_heartbeat_tells_it(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        script = Script(tmp_path / "home").make()
        job = (await script.in_state(script.request(), "stored"))["jobs"][0]["job"]

        def beat() -> list[dict[str, Any]]:
            return list((script.read("daemon.json") or {}).get("jobs", []))

        await eventually(lambda: [one["state"] for one in beat()] == ["stored"])
        for _ in range(2):
            assert (await script.answer(script.command("mark", job=job, favourite=True)))["accepted"]
        await eventually(lambda: [one["favourite"] for one in beat()] == [True])
        assert (await script.answer(script.command("mark", job=job, trashed=True)))["accepted"]
        await eventually(lambda: ["trashed_at" in one for one in beat()] == [True])
        take = (await job_of(daemon, job)).take
        assert take is not None
        assert Path(take.file).is_file(), "what is discarded stays in the library"
        assert len(service.charges) == 1


async def test_a_retry_costs_once_for_its_id_and_its_status_follows_the_new_job(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service):
        script = Script(tmp_path / "home").make()
        service.script_post("422")
        old = (await script.in_state(script.request(), "refused"))["jobs"][0]["job"]
        press_id = str(uuid.uuid4())
        commands = [script.command("retry", job=old, id=press_id) for _ in range(2)]
        told = [await script.in_state(name, "stored") for name in commands]
        assert told[0]["jobs"][0]["job"] == told[1]["jobs"][0]["job"] != old
        assert [one["usd"] for one in told] == [0.58, 0.58]
        assert len(service.charges) == 1


@pytest.mark.parametrize(
    "given",
    [
        {"command": "explode"},
        {"command": "cancel"},
        {"command": "cancel", "job": "../x"},
        {"command": "resume", "job": "abc"},
        {"command": "pause", "reason": 5},
        {"command": "retry", "job": "abc", "id": "seven"},
        {"command": ["cancel"], "job": "abc"},
        {"command": "mark", "job": "abc"},
        {"command": "mark", "job": "abc", "favourite": 1},
        {"command": "mark", "job": "abc", "tags": ["x"]},
        {"command": "pause", "client": "other"},
        {"command": "pause", "version": 2},
        {},
    ],
)
async def test_a_wrong_command_is_refused(tmp_path: Path, given: dict[str, Any]) -> None:
    async with running(tmp_path / "home", None) as daemon:
        script, name = Script(tmp_path / "home").make(), str(uuid.uuid4())
        script.write(f"{name}.command.json", given)
        assert (await script.answer(name))["refused"]["code"] == "E-INVALID"
        assert (await daemon.actions.status())["paused"] is None


async def test_a_command_is_done_once_also_when_it_is_found_again_after_a_crash(tmp_path: Path) -> None:
    """The claimed file is put back, as a crash between the commit and the answer leaves it."""
    async with running(tmp_path / "home", None) as daemon:
        script = Script(tmp_path / "home").make()
        job = (await script.in_state(script.request(), "stored"))["jobs"][0]["job"]
        deliver = script.command("deliver", job=job)
        told = await script.answer(deliver)
        await eventually(lambda: not script.left())
        assert (await job_of(daemon, job)).delivery == 2
    (script.outbox / f"{deliver}.status.json").unlink()
    claimed = tmp_path / "home" / "inbox" / ".claimed" / "reaper" / f"{deliver}.command.json"
    claimed.write_text(json.dumps({"command": "deliver", "job": job}))
    async with running(tmp_path / "home", None) as daemon:
        assert (await script.answer(deliver))["message"] == told["message"]
        await eventually(lambda: not script.left())
        assert (await job_of(daemon, job)).delivery == 2


async def test_what_was_refused_is_not_tried_again_by_itself_after_a_crash(tmp_path: Path) -> None:
    """The daemon died after the refusal was written; the limit has been raised since, and the person pressed again."""
    script = Script(tmp_path / "home").make()
    async with Service() as service:
        async with running(tmp_path / "home", service, spend={"per_day_usd": 0.1}) as daemon:
            name = script.request()
            refused = await script.answer(name)
            assert refused["refused"]["code"] == "E-LIMIT"
            await eventually(lambda: not script.left())
        seconds, _, size = refused["of"].partition("-")
        claimed = tmp_path / "home" / "inbox" / ".claimed" / "reaper" / f"{name}.json"
        body = {"version": 1, "id": name, "action": "generate", "prompt": f"rain {name}", "duration": 1}
        claimed.write_text(json.dumps(body))
        assert claimed.stat().st_size == int(size)
        os.utime(claimed, ns=(int(seconds), int(seconds)))
        async with running(tmp_path / "home", service) as daemon:
            await eventually(lambda: not script.left())
            assert await daemon.journal.read(lambda tx: tx.find()) == []
            assert (script.status(name) or {})["refused"]["code"] == "E-LIMIT"
            script.request(id=name)  # written again by the script: tried again
            await script.in_state(name, "stored")
        assert len(service.charges) == 1


class Held:
    """A status file that cannot be replaced, as on Windows while a script holds it open."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.on = False
        self.failed = 0
        whole = OutboxDisk.write

        def write(disk: OutboxDisk, client: str, name: str, data: bytes, **how: Any) -> None:
            if self.on and how["point"] == "status":
                self.failed += 1
                raise PermissionError(13, "in use")
            whole(disk, client, name, data, **how)

        monkeypatch.setattr(OutboxDisk, "write", write)
        monkeypatch.setattr(inbox, "_AFTER_FAULT", (0.1, 0.2))


async def test_what_was_refused_stays_refused_while_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, clock = Held(monkeypatch), Clock()
    async with Service() as service, running(tmp_path / "home", service, times=clock):
        script = Script(tmp_path / "home").make()
        await script.in_state(script.request(prompt="rain", seed=1), "stored")
        held.on = True
        second = script.request(prompt="rain", seed=1)
        await eventually(lambda: held.failed)
        clock.offset = 11.0  # by now it would be no double press any more
        await eventually(lambda: held.failed > 2)
        held.on = False
        assert (await script.answer(second))["refused"]["code"] == "E-DOUBLE-PRESS"
        assert len(service.charges) == 1


async def test_a_resume_is_done_once_also_while_its_answer_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    async with running(tmp_path / "home", None) as daemon:
        script = Script(tmp_path / "home").make()
        await daemon.actions.pause()
        held.on = True
        name = script.command("resume")
        await eventually(lambda: held.failed)
        await daemon.actions.pause("panic")
        await eventually(lambda: held.failed > 2)
        held.on = False
        assert (await script.answer(name))["accepted"]
        assert (await daemon.actions.status())["paused"]["reason"] == "panic"


# Files that cannot be used

ID = "0b7a4f6e-4d0c-4c57-9d53-0f7a3a0f7f55"
POISON: dict[str, tuple[str, bytes, str, str]] = {
    # what → name, content, code, a word of the reason
    "not JSON": (f"{ID}.json", b"hello", "E-JSON", "JSON"),
    "half of it": (f"{ID}.json", b'{"version": 1, "id": "', "E-JSON", "JSON"),
    "empty": (f"{ID}.json", b"", "E-JSON", "JSON"),
    "not UTF-8": (f"{ID}.json", b'{"prompt": "\xff\xfe"}', "E-JSON", "UTF-8"),
    "a list": (f"{ID}.json", b"[1, 2]", "E-JSON", "object"),
    "NaN": (f"{ID}.json", b'{"duration": NaN}', "E-JSON", "NaN"),
    "infinite": (f"{ID}.json", b'{"duration": 1e999}', "E-JSON", "too large"),
    "a key twice": (f"{ID}.json", b'{"prompt": "a", "prompt": "b"}', "E-JSON", "twice"),
    "half a character": (f"{ID}.json", b'{"prompt": "\\ud800"}', "E-JSON", "UTF-8"),
    "deep": (f"{ID}.json", b'{"a":' * 30_000, "E-SIZE", "bytes"),
    "nested": (f"{ID}.json", b'{"prompt": ' + b"[" * 30_000 + b"]" * 30_000 + b"}", "E-JSON", "deeply"),
    "too big": (f"{ID}.json", b" " * 70_000, "E-SIZE", "70000 bytes"),
    "another id inside": (f"{ID}.json", b'{"id": "1b7a4f6e-4d0c-4c57-9d53-0f7a3a0f7f55"}', "E-INVALID", ID),
    "upper case": (f"{ID.upper()}.json", b"{}", "E-INVALID", "lower case"),
    "a command that is not JSON": (f"{ID}.command.json", b"cancel", "E-JSON", "JSON"),
    "a wrong ending": (f"{ID}.txt", b"{}", "E-INVALID", "wrong name"),
    "no id": ("press.json", b"{}", "E-INVALID", "wrong name"),
    "spaces": (" a b ü.json", b"{}", "E-INVALID", "wrong name"),
    "a delivery of nothing": ("abc.1.placed.json", b"", "E-NOT-FOUND", "no job"),
    "no delivery": ("abc.0.placed.json", b"", "E-INVALID", "wrong name"),
    "unplaced, not JSON": ("abc.1.unplaced.json", b"", "E-JSON", "JSON"),
}


@pytest.mark.parametrize("what", POISON)
async def test_a_file_that_cannot_be_used_is_set_aside_with_its_reason(tmp_path: Path, what: str) -> None:
    name, raw, code, word = POISON[what]
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        script = Script(tmp_path / "home").make()
        script.write(name, raw)
        aside = await eventually(lambda: [n for n in script.rejected() if not n.endswith(".reason.txt")])
        await eventually(lambda: not script.left())
        folder = script.outbox / "rejected"
        assert (folder / aside[0]).read_bytes() == raw
        reason = (folder / f"{aside[0]}.reason.txt").read_text(encoding="utf-8")
        assert reason.startswith(f"{code}\n")
        assert word in reason
        if name.lower().startswith(ID):
            told = await script.answer(name[: len(ID)])
            assert told["refused"]["code"] == code
            assert told["jobs"] == []
        good = script.request()
        assert (await script.answer(good))["accepted"], "nothing stands in the way of the next"
        assert len(service.posts) <= 1
        assert inbox_of(daemon).about()["counts"]["set aside"] == 1


@POSIX
async def test_links_folders_and_pipes_are_set_aside_and_never_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps({"version": 1, "id": ID, "action": "generate", "prompt": "secret"}))
    async with Service() as service, running(tmp_path / "home", service):
        script = Script(tmp_path / "home").make()
        (script.inbox / f"{ID}.json").symlink_to(secret)
        (script.inbox / "songs").mkdir()
        (script.inbox / "songs" / "a.wav").write_bytes(b"x" * 100)
        os.mkfifo(script.inbox / "1b7a4f6e-4d0c-4c57-9d53-0f7a3a0f7f55.json")
        names = [f"{ID}.json", "songs", "1b7a4f6e-4d0c-4c57-9d53-0f7a3a0f7f55.json"]
        await eventually(lambda: set(names) <= set(script.rejected()))
        assert (await script.answer(ID))["refused"]["code"] == "E-INVALID"
        assert (script.outbox / "rejected" / "songs" / "a.wav").exists()
        assert secret.exists()
        assert service.posts == []


@POSIX
async def test_a_client_folder_that_is_a_link_is_told_and_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    async with running(tmp_path / "home", None) as daemon:
        (tmp_path / "home" / "inbox" / "linked").symlink_to(elsewhere)
        (tmp_path / "home" / "inbox" / "Wrong Name").mkdir()
        (elsewhere / f"{ID}.json").write_text("{}")
        script = Script(tmp_path / "home", "right").make()
        await script.answer(script.request())
        told = (await daemon.actions.status())["inbox"]
        assert told["no_clients"] == ["Wrong Name", "linked"]
        assert [client["client"] for client in told["clients"]] == ["right"]
        assert (elsewhere / f"{ID}.json").exists()


@POSIX
async def test_a_client_that_cannot_be_served_keeps_no_other_waiting(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    elsewhere.chmod(0o755)
    (elsewhere / f"{ID}.json").write_text("{}")
    home = tmp_path / "home"
    (home / "inbox").mkdir(parents=True)
    for client in ("a-file", "a-link"):
        (home / "outbox" / client).mkdir(parents=True)
    (home / "inbox" / "a-file").write_text("")
    (home / "inbox" / "a-link").symlink_to(elsewhere)
    script = Script(home, "right").make()
    name = script.request()
    async with running(home, None) as daemon:
        assert (await script.answer(name))["accepted"]
        assert [client["client"] for client in (await daemon.actions.status())["inbox"]["clients"]] == ["right"]
    assert (elsewhere / f"{ID}.json").exists()
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o755, "what a link leads to is not ours"


async def test_files_that_cannot_even_be_set_aside_keep_no_other_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Path:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(files, "set_aside", full)
    script = Script(tmp_path / "home").make()
    for number in range(files.MOST_AT_ONCE + 1):
        (script.inbox / f"folder {number}").mkdir()
    name = script.request()
    os.utime(script.inbox / f"{name}.json", (time.time() + 5,) * 2)  # the newest
    async with running(tmp_path / "home", None):
        assert (await script.answer(name))["accepted"]


async def test_what_is_being_written_is_waited_for(tmp_path: Path) -> None:
    """A script that does not rename: it opens the right name at once, and writes slowly."""
    async with Service() as service, running(tmp_path / "home", service):
        script = Script(tmp_path / "home").make()
        body = json.dumps({"version": 1, "id": ID, "action": "generate", "prompt": "slowly", "duration": 1}).encode()
        with (script.inbox / f"{ID}.json").open("wb", buffering=0) as file:
            for start in range(0, len(body), 16):
                file.write(body[start : start + 16])
                await asyncio.sleep(0.03)
        assert (await script.answer(ID))["accepted"]
        assert script.rejected() == []
        (script.inbox / "hidden.tmp").write_bytes(b"{")
        (script.inbox / ".DS_Store").write_bytes(b"x")
        await script.in_state(script.request(), "stored")
        assert sorted(script.left()) == [".DS_Store", "hidden.tmp"]
        os.utime(script.inbox / "hidden.tmp", (time.time() - 90_000,) * 2)
        await script.in_state(script.request(), "stored")
        await eventually(lambda: "hidden.tmp" in script.rejected())


def test_what_was_set_aside_is_bounded_and_nothing_of_value_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "reaper" / "rejected"
    folder.mkdir(parents=True)
    now = time.time()
    for number in range(205):
        (folder / f"{number}.json").write_text("x")
        reason = folder / f"{number}.json.reason.txt"
        reason.write_text("why")
        os.utime(reason, (now - number, now - number))
    (folder / "song.wav").write_bytes(b"x" * 100_000)
    (folder / "songs").mkdir()
    for path in (folder / "3.json.reason.txt", folder / "song.wav", folder / "songs"):
        os.utime(path, (now - 31 * 86_400,) * 2)
    assert files.trim_rejected(tmp_path, "reaper", now) == 5
    left = {path.name for path in folder.iterdir()}
    assert {"song.wav", "songs", "0.json", "0.json.reason.txt"} <= left
    assert not {"3.json", "3.json.reason.txt", "204.json"} & left
    assert len([name for name in left if name.endswith(".json")]) == 200


# Folders and events


@POSIX
async def test_folders_and_files_are_closed_to_others(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None):
        script = Script(tmp_path / "home").make()
        script.inbox.chmod(0o755)
        await script.answer(script.request())
        script.write("wrong.json", "{}")
        await eventually(script.rejected)
        await eventually(lambda: script.read("daemon.json"))
        for folder in (
            script.inbox,
            script.outbox,
            script.outbox / "rejected",
            tmp_path / "home/inbox/.claimed/reaper",
        ):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
        for path in [*script.outbox.glob("*.json"), *(script.outbox / "rejected").glob("*.reason.txt")]:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


async def test_a_missed_event_is_made_up_for_by_the_slow_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "IDLE", 0.3)
    monkeypatch.setattr(outbox, "ACTIVE", 0.1)
    async with running(tmp_path / "home", None) as daemon:
        script = Script(tmp_path / "home").make()
        await script.answer(script.request())
        monkeypatch.setattr(InboxWatch, "on_any_event", lambda *_: None)
        await asyncio.to_thread(inbox_of(daemon)._watch.stop)
        assert (await script.answer(script.request()))["accepted"]
        other = Script(tmp_path / "home", "new-one").make()
        assert (await other.answer(other.request()))["accepted"]


async def test_it_works_where_nothing_can_be_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "IDLE", 0.3)
    monkeypatch.setattr(InboxWatch, "start", lambda *_: "the folders cannot be watched (no more watches)")
    async with running(tmp_path / "home", None) as daemon:
        script = Script(tmp_path / "home").make()
        for _ in range(2):
            assert (await script.answer(script.request()))["accepted"]
        told = (await daemon.actions.status())["inbox"]
        assert (told["watched"], told["problem"]) == (False, "the folders cannot be watched (no more watches)")


async def test_where_nothing_can_be_watched_it_is_looked_at_every_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InboxWatch, "start", lambda *_: "the folders cannot be watched")
    monkeypatch.setattr(inbox, "WITHOUT_EVENTS", 0.1)
    monkeypatch.setattr(outbox, "IDLE", 3600.0)  # and not only at the slow look
    script = Script(tmp_path / "home").make()
    async with running(tmp_path / "home", None):
        for _ in range(3):
            await script.answer(script.command("pause"))
            await asyncio.sleep(0.3)


async def test_a_file_that_is_written_for_ever_costs_one_timer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SETTLED", 60.0)
    async with running(tmp_path / "home", None) as daemon:
        script = Script(tmp_path / "home").make()
        await script.answer(script.command("pause"))
        (script.inbox / "script.log").write_text("it began\n")
        found = inbox_of(daemon)
        for _ in range(10):
            found.look("reaper")
            await eventually(lambda: not found._serving)
        assert len(found._timers) == 1


@pytest.mark.parametrize("what", ["inbox/reaper", "outbox/reaper", "inbox", "outbox"])
async def test_a_folder_that_was_removed_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(outbox, "IDLE", 0.3)
    monkeypatch.setattr(outbox, "ACTIVE", 0.1)
    async with running(tmp_path / "home", None):
        script = Script(tmp_path / "home").make()
        await script.in_state(script.request(), "stored")
        result = await script.result()
        await eventually(lambda: not script.left())
        removed = False
        while not removed:
            with suppress(OSError):  # something was just being written there
                shutil.rmtree(tmp_path / "home" / what)
                removed = True
        await eventually(lambda: script.inbox.is_dir() and script.outbox.is_dir())
        assert (await script.result()) == result, "an unconfirmed take is told again"
        await eventually(lambda: script.read("daemon.json"))
        assert (await script.answer(script.request()))["accepted"]
        script.confirm(result)
        await eventually(lambda: result not in script.results())


async def test_a_client_without_folders_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "IDLE", 0.3)
    monkeypatch.setattr(outbox, "ACTIVE", 0.1)
    async with running(tmp_path / "home", None) as daemon:
        script = Script(tmp_path / "home").make()
        await script.answer(script.command("pause"))
        await eventually(lambda: script.read("daemon.json"))
        async with inbox_of(daemon)._finding:  # else the one is made again because the other is there
            shutil.rmtree(script.outbox)
            shutil.rmtree(script.inbox)
        await eventually(lambda: not inbox_of(daemon).about()["clients"])
        await asyncio.sleep(0.5)
        assert not script.inbox.exists()
        assert not script.outbox.exists()
        await script.make().answer(script.command("resume"))


async def test_files_that_lay_there_before_the_start_are_taken(tmp_path: Path) -> None:
    script = Script(tmp_path / "home").make()
    name = script.request()
    async with running(tmp_path / "home", None):
        assert (await script.answer(name))["accepted"]


async def test_a_fault_of_ours_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "_AFTER_FAULT", (0.1, 1.0))
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        whole, times = daemon.actions.admit, 0

        async def broken(data: dict[str, Any]) -> Any:
            nonlocal times
            times += 1
            if times == 1:
                raise RuntimeError("before")
            answer = await whole(data)
            if times == 2:
                raise RuntimeError("after the commit")
            return answer

        monkeypatch.setattr(daemon.actions, "admit", broken)
        script = Script(tmp_path / "home").make()
        name = script.request()
        await script.in_state(name, "stored")
        await eventually(lambda: not script.left())
        assert (times, len(service.charges)) == (3, 1)


# Settings, and idling


async def test_new_presets_are_told_at_once(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None) as daemon:
        script = Script(tmp_path / "home").make()
        await eventually(lambda: script.read("daemon.json"))
        change(daemon, presets={"rain": {"action": "generate", "prompt": "rain"}})
        for intake in daemon.intakes:
            await intake.configure()
        told = await eventually(lambda: (d := script.read("daemon.json")) and d["presets"] and d)
        assert told["presets"] == {"rain": {"action": "generate", "prompt": "rain"}}
        name = str(uuid.uuid4())
        script.write(f"{name}.json", {"version": 1, "id": name, "preset": "rain", "duration": 1})
        await script.in_state(name, "stored")


async def test_a_job_of_another_way_in_is_told_to_its_client(tmp_path: Path) -> None:
    """Pressed at the command line, for a script: the result comes as soon as there is a folder."""
    async with running(tmp_path / "home", None) as daemon:
        job = await press(daemon, client="reaper")
        await until(daemon, job, {State.STORED})
        script = Script(tmp_path / "home").make()
        assert (await script.result())["job"] == job
        told = await eventually(lambda: script.read("daemon.json"))
        assert [one["job"] for one in told["jobs"]] == [job]


# Files that are written in place, by scripts that cannot rename


def in_place(body: dict[str, Any]) -> bytes:
    return json.dumps({key: value for key, value in body.items() if key != "end"} | {"end": True}).encode()


def a_request(name: str = ID, **more: Any) -> dict[str, Any]:
    return {"version": 1, "id": name, "action": "generate", "prompt": 'a "}" é', "duration": 1} | more


async def test_a_file_written_in_place_counts_when_its_end_stands_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "UNFINISHED", 60.0)
    async with Service() as service, running(tmp_path / "home", service):
        script = Script(tmp_path / "home").make()
        raw = in_place(a_request())
        with (script.inbox / f"{ID}.json").open("wb", buffering=0) as file:
            for part in (raw[:1], raw[1:30], raw[30:-9], raw[-9:-1]):
                file.write(part)
                await asyncio.sleep(0.5)  # longer than what is no JSON may lie
                assert script.left() == [f"{ID}.json"], "it is left alone"
                assert script.status(ID) is None
            file.write(raw[-1:])
        told = await script.in_state(ID, "stored")
        assert len(service.charges) == 1
        script.write(f"{ID}.json", a_request())  # the same by renaming
        (script.inbox / f"{ID}.json").write_bytes(raw)  # and in place
        await eventually(lambda: not script.left())
        assert (await script.answer(ID))["jobs"][0]["job"] == told["jobs"][0]["job"]
        assert len(service.charges) == 1


@pytest.mark.parametrize("size", [0, 1, 20, -9, -1])
async def test_a_script_that_died_while_it_wrote_has_spent_nothing_and_may_write_again(
    tmp_path: Path, size: int
) -> None:
    async with Service() as service, running(tmp_path / "home", service):
        script = Script(tmp_path / "home").make()
        raw = in_place(a_request())
        (script.inbox / f"{ID}.json").write_bytes(raw[:size])
        assert (await script.answer(ID))["refused"]["code"] == "E-JSON"
        assert service.posts == []
        (script.inbox / f"{ID}.json").write_bytes(raw)
        await script.in_state(ID, "stored")
        assert len(service.charges) == 1


async def test_commands_and_words_may_be_written_in_place(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service):
        script = Script(tmp_path / "home").make()
        (script.inbox / f"{ID}.json").write_bytes(in_place(a_request()))
        result = await script.result()
        other = str(uuid.uuid4())
        (script.inbox / f"{other}.command.json").write_bytes(in_place({"command": "deliver", "job": result["job"]}))
        assert (await script.answer(other))["accepted"]
        again = await eventually(lambda: [one for one in script.results() if one["delivery"] == 2])
        (script.inbox / f"{result['job']}.2.placed.json").write_bytes(in_place({"job": again[0]["job"], "delivery": 2}))
        await script.in_state(ID, "placed")
        assert len(service.charges) == 1


@pytest.mark.parametrize("end", [{"end": False}, {"end": 1}, {"end": True, "seed": 1}])
async def test_an_end_that_is_none_is_a_key_that_a_request_does_not_have(tmp_path: Path, end: dict[str, Any]) -> None:
    async with Service() as service, running(tmp_path / "home", service):
        script = Script(tmp_path / "home").make()
        (script.inbox / f"{ID}.json").write_bytes(json.dumps(a_request() | end).encode())
        assert (await script.answer(ID))["refused"]["code"] == "E-INVALID"
        assert service.posts == []


# An unknown job: its three choices


@pytest.mark.parametrize(
    ("given", "states"),
    [
        ({"action": "dismiss", "charged": False}, {"dismissed"}),
        ({"action": "dismiss", "charged": True}, {"dismissed"}),
        ({"action": "submit_again"}, {"stored"}),
        ({"action": "attach", "remote_id": "sa_of_the_account"}, {"generating", "fetching"}),
    ],
)
async def test_an_unknown_job_is_resolved_once_however_often_its_command_is_read(
    tmp_path: Path, given: dict[str, Any], states: set[str]
) -> None:
    async with Service() as service:
        service.script_post("silence")
        async with running(tmp_path / "home", service) as daemon:
            script = Script(tmp_path / "home").make()
            name = script.request()
            await script.in_state(name, "submitting")
            await daemon.cut()
        async with running(tmp_path / "home", service):
            (job,) = (await script.in_state(name, "unknown"))["jobs"]
            posts, body = len(service.posts), {"command": "resolve", "job": job["job"]} | given
            for _ in range(2):
                script.write(f"{ID}.command.json", body)
                told = await eventually(lambda: not script.left() and script.status(ID))
                assert told.get("accepted"), told
            await eventually(lambda: {one["state"] for one in (script.status(ID) or told)["jobs"]} & states)
            assert len(service.posts) - posts == (given["action"] == "submit_again")
