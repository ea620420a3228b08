"""From a button to an accepted request: what is sent, how often, under which id, and what is said about the money."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.live.bridge import Bridge, bridge
from tests.live.player import Player, placed, player
from tests.support import tone

pytestmark = pytest.mark.needs("node", "nodejs")
READ = 1.05  # s that a question stands before a press answers it
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@asynccontextmanager
async def ready(
    folder: Path, *, speed: float = 1.0, prompt: str = "rain on tin", **live: Any
) -> AsyncIterator[tuple[Bridge, Player]]:
    """A device that is connected, with a prompt."""
    async with bridge(folder) as fake, player(folder, speed=speed, **live) as made:
        await made.open(home=fake.home.path)
        await made.connected()
        await made.set(Prompt=prompt)
        yield fake, made


async def test_a_press_says_all_that_the_panel_says(tmp_path: Path) -> None:
    project = "/Users/ana/Music/Big Song Project/Big Song.als"
    async with ready(tmp_path, file=project, tempo=90, signature=[3, 4], position=12.5, tracks=[{"name": "Keys"}]) as (
        fake,
        live,
    ):
        await live.live(highlight=[0, 2])
        await live.set(Length_Bars=2, Takes=3, Guidance=5.5, Warp=1, Launch=1)
        await live.click("Generate")
        asked = await fake.until("/bridge/generate")
        assert UUID.fullmatch(asked["id"])
        told = {key: value for key, value in asked.items() if key not in ("id", "client", "seed", "project_id")}
        assert told == {
            "prompt": "rain on tin, 90 BPM",
            "cfg_scale": "5.5",
            "variations": 3,
            "project": project,
            "folder": "/Users/ana/Music/Big Song Project/Samples",
            "track": "Keys",
            "target": "session",
            "slot": 2,
            "launch": "quantized",
            "position": "8.333333",
            "beats": "12.5",
            "length": "4",
            "tempo": "90",
            "time_signature": "3/4",
            "token": '{"w":1,"f":"loop","t":0,"n":"Keys"}',
        }
        assert 1 <= asked["seed"] <= 16_777_207
        assert asked["project_id"].startswith("set-")
        assert (await live.panel())["seed"] == asked["seed"]


@pytest.mark.parametrize(
    ("controls", "wanted"),
    [
        ({"Length_From": 0, "Length_Bars": 1, "Place_In": 1}, {"beats": "8", "length": "2", "target": "arrangement"}),
        ({"Length_From": 1, "Place_In": 1}, {"beats": "16", "length": "12", "position": "8", "target": "arrangement"}),
        ({"Length_From": 1, "Place_In": 0}, {"beats": "16", "length": "12", "target": "session", "slot": 0}),
    ],
    ids=["the bar that plays", "the loop", "the loop's length in the session"],
)
async def test_length_and_place(tmp_path: Path, controls: dict[str, Any], wanted: dict[str, Any]) -> None:
    async with ready(tmp_path, loop=[16, 24]) as (fake, live):
        await live.set(**controls)
        await live.live(play=8.7)
        await live.click("Generate")
        assert wanted.items() <= (await fake.until("/bridge/generate")).items()


@pytest.mark.parametrize("place", [0, 1], ids=["session", "arrangement"])
async def test_a_stopped_set_means_where_play_would_start(tmp_path: Path, place: int) -> None:
    """That is the insert marker, and not where it was stopped."""
    async with ready(tmp_path, position=50, start_time=20) as (fake, live):
        await live.set(Place_In=place)
        await live.click("Generate")
        assert (await fake.until("/bridge/generate"))["beats"] == "20"
        await live.live(play=32)
        await asyncio.sleep(0.7)
        await live.live(stop=True)
        await live.click("Generate")
        assert (await fake.until("/bridge/generate", count=2))["beats"] == "32"


@pytest.mark.parametrize(
    ("later", "at", "beats"),
    [
        ([[6, 4, 4]], 15.5, "14"),
        ([[6, 4, 4]], 5.0, "3"),
        ([[6, 7, 8]], 13.2, "13"),
        ([[6, 5, 16], [8.5, 4, 4]], 13.0, "12.5"),
        ([[6, 4, 4]], 14.0, "14"),
    ],
    ids=["4/4 behind 3/4", "before it", "7/8", "5/16 between", "on the line"],
)
async def test_the_bar_that_plays_where_the_time_signature_changes(
    tmp_path: Path, later: list[Any], at: float, beats: str
) -> None:
    """Bar lines are no multiples of the bar that plays: Live is asked where in its bar it stands."""
    async with ready(tmp_path, signature=[3, 4], later_signatures=later, tempo=20) as (fake, live):
        await live.set(Place_In=1)
        await live.live(play=at)
        await asyncio.sleep(0.1)  # what is shown lags a little, and is not before the start
        await live.click("Generate")
        assert (await fake.until("/bridge/generate"))["beats"] == beats


async def test_the_longest_prompt_leaves(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        await live.set(Prompt="x" * 5500)
        await live.click("Generate")
        assert (await fake.until("/bridge/generate"))["prompt"] == "x" * 5500 + ", 120 BPM"


async def test_a_press_is_repeated_under_its_id_until_it_is_answered(tmp_path: Path) -> None:
    async with ready(tmp_path, speed=5) as (fake, live):
        fake.accepts = False
        await live.click("Generate")
        await fake.until("/bridge/generate", count=3, repeats=True)
        asked = fake.all("/bridge/generate")
        assert all(one == asked[0] for one in asked)  # byte for byte the same, or the bridge would take it for another
        fake.tell(asked[0]["client"], "/bridge/accepted", id=asked[0]["id"], jobs="job1", usd="0.58")
        await live.until_status("Accepted: $0.58")
        count = len(fake.all("/bridge/generate"))
        await fake.until("/bridge/hello", count=len(fake.all("/bridge/hello")) + 2)
        assert len(fake.all("/bridge/generate")) == count


async def test_what_is_never_answered_is_given_up_and_said(tmp_path: Path) -> None:
    async with ready(tmp_path, speed=30) as (fake, live):
        fake.accepts = False
        await live.click("Generate")
        await live.until_status("No answer: it may have been taken")


async def test_a_lost_answer_is_made_good_by_the_list_of_jobs(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        fake.accepts = False
        await live.click("Generate")
        asked = await fake.until("/bridge/generate")
        fake.tell(
            asked["client"],
            "/bridge/job",
            job="j1",
            id=asked["id"],
            state="generating",
            fraction=0.5,
            usd="0.58",
            charge="confirmed",
        )
        panel = await live.until(lambda panel: panel["progress"] == 0.5)
        assert "Accepted" in panel["status"]


async def test_every_press_has_an_id_and_a_seed_of_its_own(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        for number in range(8):
            await live.set(Prompt=f"take {number}")
            await live.click("Generate")
        await fake.until("/bridge/generate", count=8)
        asked = fake.presses("/bridge/generate")
        assert len({one["id"] for one in asked}) == 8
        assert len({one["seed"] for one in asked}) == 8


@pytest.mark.parametrize("typed", ["steel drums, slow", ""], ids=["other words", "all taken away"])
async def test_what_is_typed_counts_without_return(tmp_path: Path, typed: str) -> None:
    async with ready(tmp_path) as (fake, live):
        await live.type("Prompt", typed)
        await live.click("Generate")
        if typed:
            assert (await fake.until("/bridge/generate"))["prompt"] == f"{typed}, 120 BPM"
        else:
            await live.until_status("Type a prompt first")
            assert not fake.all("/bridge/generate")


async def test_a_pad_uses_what_is_typed(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        file = str(tone(tmp_path / "a.wav"))
        await live.live(clip={"file": file, "slot": 1, "warping": 0, "edges": [1, 5], "select": True})
        await live.type("Prompt", "steel drums")
        client = (await fake.until("/bridge/hello"))["client"]
        fake.tell(client, "/bridge/do", id="pad-1", action="transform_selection")
        asked = await fake.until("/bridge/transform")
        assert (asked["prompt"], asked["file"]) == ("steel drums, 120 BPM", file)


async def test_a_locked_seed_stays(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        await live.set(Seed=4711, Seed_Lock=1)
        for number in range(2):
            await live.set(Prompt=f"take {number}")
            await live.click("Generate")
        await fake.until("/bridge/generate", count=2)
        assert [one["seed"] for one in fake.presses("/bridge/generate")] == [4711, 4711]


async def test_a_drawn_seed_that_is_locked_is_saved(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        for number in range(2):
            await live.set(Prompt=f"take {number}")
            await live.click("Generate")
        drawn = (await fake.until("/bridge/generate", count=2))["seed"]
        await live.set(Seed_Lock=1)
        saved = await live.do("save")
        assert saved["Seed"] == drawn
        await live.do("close")
        await live.open(home=fake.home.path, saved=saved)
        await live.connected()
        await live.click("Generate")
        assert (await fake.until("/bridge/generate", count=3))["seed"] == drawn


async def test_the_same_press_twice_is_the_same_for_the_bridge(tmp_path: Path) -> None:
    """Its question about a double press needs two requests that differ in nothing but their ids."""
    async with ready(tmp_path) as (fake, live):
        await live.click("Generate")
        await live.click("Generate")
        await fake.until("/bridge/generate", count=2)
        one, other = fake.presses("/bridge/generate")
        assert one.pop("id") != other.pop("id")
        assert one == other


async def test_a_double_press_is_agreed_to_by_pressing_again(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        fake.accepts = False
        await live.click("Generate")
        asked = await fake.until("/bridge/generate")
        fake.tell(
            asked["client"],
            "/bridge/refused",
            re="generate",
            id=asked["id"],
            code="E-DOUBLE-PRESS",
            message="Pressed twice.",
        )
        await live.until_status("Press it again to agree")
        await asyncio.sleep(READ)
        await live.click("Generate")
        again = await fake.until("/bridge/generate", count=2)
        assert again["id"] == asked["id"]  # what was refused may come again
        assert again["again"] == 1
        assert again["seed"] != asked["seed"]  # or it would be the same take once more


@pytest.mark.parametrize(("takes", "usd"), [(1, "0.58"), (3, "1.74"), (8, "4.64")])
async def test_a_price_is_agreed_to_by_pressing_again(tmp_path: Path, takes: int, usd: str) -> None:
    async with ready(tmp_path) as (fake, live):
        fake.accepts = False
        await live.set(Takes=takes)
        await live.click("Generate")
        asked = await fake.until("/bridge/generate")
        fake.tell(
            asked["client"],
            "/bridge/refused",
            re="generate",
            id=asked["id"],
            code="E-CONFIRM",
            message="It costs more.",
        )
        await live.until_status("Press it again to agree")
        await asyncio.sleep(READ)
        await live.click("Generate")
        assert (await fake.until("/bridge/generate", count=2))["confirm_usd"] == usd


@pytest.mark.parametrize("code", ["E-CONFIRM", "E-DOUBLE-PRESS"])
async def test_nobody_agrees_before_a_question_can_be_read(tmp_path: Path, code: str) -> None:
    async with ready(tmp_path) as (fake, live):
        fake.accepts = False
        await live.click("Generate")
        asked = await fake.until("/bridge/generate")
        fake.tell(asked["client"], "/bridge/refused", re="generate", id=asked["id"], code=code, message="Really?")
        await live.until_status("agree")
        for _ in range(3):  # somebody clicks and clicks
            await live.click("Generate")
        await asyncio.sleep(READ)
        assert len(fake.presses("/bridge/generate")) == 1
        assert "agree" in (await live.panel())["status"]
        await live.click("Generate")
        assert {"confirm_usd", "again"} & set(await fake.until("/bridge/generate", count=2))


async def test_a_question_stands_until_it_is_answered(tmp_path: Path) -> None:
    """Nothing covers it while a press agrees to it, and the button says what the press does and costs."""
    async with ready(tmp_path, speed=2) as (fake, live):
        fake.accepts = False
        await live.set(Takes=8)
        await live.click("Generate")
        asked = await fake.until("/bridge/generate")
        client, told = asked["client"], {"re": "generate", "code": "E-CONFIRM", "message": "It costs more."}
        fake.tell(client, "/bridge/refused", id=asked["id"], **told)
        panel = await live.until_status("Press it again to agree")
        assert "Send · $4.64" in panel["buttons"]
        assert not any(label.startswith("Generate") for label in panel["buttons"])
        job = {"job": "j9", "id": "other"}
        fake.tell(client, "/bridge/job", **job, state="generating", fraction=0.5, usd="0.58", charge="confirmed")
        fake.tell(client, "/bridge/failed", **job, code="E-ENGINE", message="It broke.")
        await asyncio.sleep(3.5)  # more than a note is shown
        assert "Press it again to agree" in (await live.panel())["status"]
        panel = await live.until(lambda panel: "Generate · $4.64" in panel["buttons"])
        assert "It broke." in panel["status"]  # has waited
        await live.click("Generate")
        assert "confirm_usd" not in await fake.until("/bridge/generate", count=2)


async def test_a_question_ends_with_whatever_is_said_in_its_place(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        fake.accepts = False
        told = {"re": "generate", "code": "E-DOUBLE-PRESS", "message": "Pressed twice."}
        await live.click("Generate")
        asked = await fake.until("/bridge/generate")
        fake.tell(asked["client"], "/bridge/refused", id=asked["id"], **told)
        assert "Again · $0.58" in (await live.until_status("agree"))["buttons"]
        await live.type("Prompt", "")
        await live.click("Generate")
        panel = await live.until_status("Type a prompt first")
        assert "Generate · $0.58" in panel["buttons"]
        await live.type("Prompt", "rain on tin")
        await live.click("Generate")
        assert "again" not in await fake.until("/bridge/generate", count=2)


async def test_an_old_question_is_not_answered_by_a_late_press(tmp_path: Path) -> None:
    async with ready(tmp_path, speed=20) as (fake, live):
        fake.accepts = False
        await live.click("Generate")
        asked = await fake.until("/bridge/generate")
        fake.tell(
            asked["client"],
            "/bridge/refused",
            re="generate",
            id=asked["id"],
            code="E-CONFIRM",
            message="It costs more.",
        )
        await live.until_status("Press it again to agree")
        hellos = len(fake.all("/bridge/hello"))
        await fake.until("/bridge/hello", count=hellos + 5)  # 20 s of the device's time, at least
        await live.click("Generate")
        later = await fake.until("/bridge/generate", count=2)
        assert later["id"] != asked["id"]
        assert "confirm_usd" not in later


async def test_another_button_answers_no_question(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        fake.accepts = False
        await live.click("Generate")
        asked = await fake.until("/bridge/generate")
        fake.tell(
            asked["client"],
            "/bridge/refused",
            re="generate",
            id=asked["id"],
            code="E-CONFIRM",
            message="It costs more.",
        )
        await live.until_status("agree")
        await live.click("Transform Clip")
        await live.until_status("No clip is selected")
        await live.click("Generate")
        later = await fake.until("/bridge/generate", count=2)
        assert "confirm_usd" not in later


async def test_a_question_is_about_that_press_and_no_other(tmp_path: Path) -> None:
    """Whoever changes the prompt or the clip does not agree to what was asked before."""
    async with ready(tmp_path) as (fake, live):
        fake.accepts = False
        told = {"re": "generate", "code": "E-DOUBLE-PRESS", "message": "Pressed twice."}
        await live.click("Generate")
        asked = await fake.until("/bridge/generate")
        fake.tell(asked["client"], "/bridge/refused", id=asked["id"], **told)
        await live.until_status("agree")
        await live.set(Prompt="something else")
        await live.click("Generate")
        later = await fake.until("/bridge/generate", count=2)
        assert later["prompt"] == "something else, 120 BPM"
        assert later["id"] != asked["id"]
        assert "again" not in later
        clip = {"file": str(tone(tmp_path / "a.wav")), "warping": 0, "select": True}
        await live.live(clip=clip | {"slot": 0, "edges": [0, 4]})
        await live.click("Transform Clip")
        one = await fake.until("/bridge/transform")
        fake.tell(one["client"], "/bridge/refused", id=one["id"], **told)
        await live.until_status("agree")
        await live.live(clip=clip | {"slot": 1, "edges": [1, 5]})
        await live.click("Transform Clip")
        other = await fake.until("/bridge/transform", count=2)
        assert (other["start"], other["end"]) == ("1", "5")
        assert "again" not in other
        fake.tell(one["client"], "/bridge/refused", id=other["id"], **told)
        await live.until_status("agree")
        await asyncio.sleep(READ)
        await live.click("Transform Clip")
        assert (await fake.until("/bridge/transform", count=3))["again"] == 1


async def test_a_capture_is_agreed_to_without_recording_anew(tmp_path: Path) -> None:
    async with ready(tmp_path, tempo=480) as (fake, live):
        fake.accepts = False
        await live.set(Length_Bars=1)
        await live.live(play=0)
        await live.click("Capture")
        asked = await fake.until("/bridge/transform", seconds=30)
        fake.tell(
            asked["client"], "/bridge/refused", re="transform", id=asked["id"], code="E-CONFIRM", message="It costs."
        )
        await live.until_status("agree")
        await live.click("Capture")  # nobody has read it yet
        await asyncio.sleep(READ)
        assert len(fake.presses("/bridge/transform")) == 1
        await live.click("Capture")
        again = await fake.until("/bridge/transform", count=2)
        assert again["file"] == asked["file"]
        assert again["confirm_usd"] == "0.58"


async def test_a_refusal_is_shown_with_its_code_and_the_money(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        fake.accepts = False
        await live.click("Generate")
        asked = await fake.until("/bridge/generate")
        fake.tell(
            asked["client"],
            "/bridge/refused",
            re="generate",
            id=asked["id"],
            code="E-LIMIT",
            message="The limit of today, $10, is reached.",
        )
        panel = await live.until_status("(E-LIMIT)")
        assert panel["status"].startswith("The limit of today - $10 - is reached.")


async def test_a_folder_that_may_not_be_written_is_left_out(tmp_path: Path) -> None:
    async with ready(tmp_path, file="/Users/ana/A Project/A.als") as (fake, live):
        fake.accepts = False
        await live.click("Generate")
        folders = []
        for count in (1, 2, 3):
            asked = await fake.until("/bridge/generate", count=count)
            folders.append(asked.get("folder"))
            fake.tell(asked["client"], "/bridge/refused", re="generate", id=asked["id"], code="E-PATH", message="No.")
        await live.until_status("(E-PATH)")
        assert folders == ["/Users/ana/A Project/Samples", "/Users/ana/A Project", None]
        assert len({asked["id"] for asked in fake.presses("/bridge/generate")}) == 1


async def test_nothing_is_asked_without_a_prompt(tmp_path: Path) -> None:
    async with ready(tmp_path, prompt="") as (fake, live):
        await live.click("Generate")
        await live.until_status("Type a prompt first or choose a preset. Nothing was asked or spent")
        assert fake.presses("/bridge/generate") == []


@pytest.mark.parametrize("prepends", [False, True])
async def test_a_button_and_an_empty_prompt_whatever_prepend_makes_of_a_bang(tmp_path: Path, prepends: bool) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        await live.open(home=fake.home.path, given={"prepends_bang": prepends})
        await live.connected()
        await live.set(Prompt="")
        await live.click("Generate")
        await live.until_status("Type a prompt first")
        await live.set(Prompt="bang")
        await live.click("Generate")
        assert (await fake.until("/bridge/generate"))["prompt"] == "bang, 120 BPM"


async def test_a_prompt_goes_as_it_was_typed(tmp_path: Path) -> None:
    prompt = 'Überton, 2.0 bar; "dry"  {x} $1 \\ 96 kHz – 雨'
    async with ready(tmp_path, prompt=prompt) as (fake, live):
        await live.click("Generate")
        assert (await fake.until("/bridge/generate"))["prompt"] == f"{prompt}, 120 BPM"


@pytest.mark.parametrize(("letter", "most"), [("r", 5500), ("é", 2750), ("雨", 1833)])
async def test_a_prompt_that_fits_no_datagram_is_refused_before_it_is_sent(
    tmp_path: Path, letter: str, most: int
) -> None:
    path = "/Users/" + "ä" * 180 + "/A Project/A.als"
    async with ready(tmp_path, prompt=letter * (most + 1), file=path, tracks=[{"name": "ö" * 200}]) as (fake, live):
        await live.click("Generate")
        await live.until_status("The prompt is too long")
        await live.set(Prompt=letter * most)
        await live.click("Generate")
        assert (await fake.until("/bridge/generate"))["prompt"] == letter * most + ", 120 BPM"
        sizes = [size for address, size in fake.sizes if address == "/bridge/generate"]
        assert max(sizes) <= 8192


async def test_cancel_before_the_answer_cancels_what_is_accepted_then(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        fake.accepts = False
        await live.click("Generate")
        asked = await fake.until("/bridge/generate")
        await live.click("Cancel")
        assert fake.all("/bridge/cancel") == []
        fake.tell(asked["client"], "/bridge/accepted", id=asked["id"], jobs="j1,j2", usd="1.16")
        await fake.until("/bridge/cancel", count=2)
        assert {one["job"] for one in fake.all("/bridge/cancel")} >= {"j1", "j2"}


async def test_what_is_cancelled_before_its_answer_is_asked_no_more(tmp_path: Path) -> None:
    """Only the answer was lost: its jobs are cancelled as soon as they are heard of, and a take is not placed."""
    from tests.live.test_placing import take

    async with ready(tmp_path, speed=5) as (fake, live):
        fake.accepts = False
        await live.click("Generate")
        asked = await fake.until("/bridge/generate")
        await live.click("Cancel")
        await live.until_status("Cancelling")
        count = len(fake.all("/bridge/generate"))
        hellos = len(fake.all("/bridge/hello"))
        await fake.until("/bridge/hello", count=hellos + 2)
        assert len(fake.all("/bridge/generate")) == count
        told = {"id": asked["id"], "fraction": 0.1, "charge": "none"}
        fake.tell(asked["client"], "/bridge/progress", job="j1", state="generating", **told)
        fake.tell(asked["client"], "/bridge/progress", job="j2", state="queued", **told)
        await fake.until("/bridge/cancel", count=2)
        assert {one["job"] for one in fake.all("/bridge/cancel")} == {"j1", "j2"}
        result = {"job": "j1", "client": asked["client"], "id": asked["id"], "delivery": 1, "rate": 44100, "frames": 9}
        fake.tell(asked["client"], "/bridge/result", file=str(take(tmp_path)), target="session", slot=0, **result)
        await fake.until("/bridge/hello", count=len(fake.all("/bridge/hello")) + 2)
        assert placed(await live.live()) == []
        assert fake.all("/bridge/placed") == []


async def test_cancel_is_repeated_and_says_what_the_bridge_says(tmp_path: Path) -> None:
    async with ready(tmp_path, speed=5) as (fake, live):
        await live.click("Generate")
        await live.until_status("Accepted")
        await live.click("Cancel")
        cancel = await fake.until("/bridge/cancel", count=3, repeats=True)
        fake.tell(
            cancel["client"],
            "/bridge/ok",
            re="cancel",
            id=cancel["id"],
            job="job1",
            message="Cancelled; nothing was spent.",
        )
        await live.until_status("Cancelled - nothing was spent.")
        await live.click("Cancel")
        await live.until_status("There is nothing to cancel")


async def test_progress_is_a_number_and_few_words(tmp_path: Path) -> None:
    async with ready(tmp_path, speed=5) as (fake, live):
        await live.click("Generate")
        client = (await fake.until("/bridge/generate"))["client"]
        await live.until_status("Accepted")
        await live.until_status("Waiting ...")
        for state, text in (("generating", "Generating ..."), ("fetching", "Fetching ..."), ("stored", "Placing ...")):
            fake.tell(
                client,
                "/bridge/progress",
                job="job1",
                id="x",
                state=state,
                fraction=0.25,
                text=f"{state} at 25.1 %",
                charge="confirmed",
            )
            await live.until(lambda panel, text=text: panel["status"] == text and panel["progress"] == 0.25)
        fake.tell(
            client,
            "/bridge/failed",
            job="job1",
            id="x",
            code="E-FAILED",
            message="The service failed; it may be charged.",
            charge="possible",
        )
        panel = await live.until_status("(E-FAILED)")
        assert "it may be charged. Perhaps spent: it counts" in panel["status"] + panel["whole"]
        assert panel["progress"] == 0


async def test_a_pad_asks_once_for_what_is_selected(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        await live.live(
            clip={"file": str(tone(tmp_path / "a b.wav")), "slot": 1, "warping": 0, "edges": [1, 5], "select": True}
        )
        client = next(iter(fake.ports))
        pad = {
            "action": "transform_selection",
            "id": "0d4cbb52-3f6c-4f0e-9c60-1b6d1a8d7e11",
            "preset": "strings",
            "again": 1,
        }
        pad |= {"strength": "0.8", "bars": 4, "launch": "quantized", "when": "arrival_bar"}
        for _ in range(3):
            fake.tell(client, "/bridge/do", **pad)
        asked = await fake.until("/bridge/transform")
        await live.until_status("Accepted")
        assert len(fake.presses("/bridge/transform")) == 1
        wanted = {
            "id": pad["id"],
            "preset": "strings",
            "again": 1,
            "strength": "0.8",
            "launch": "quantized",
            "target": "session",
        }
        assert wanted.items() <= asked.items()
        assert asked["length"] == "8"


async def test_show_file_opens_the_folder(tmp_path: Path) -> None:
    async with ready(tmp_path) as (_fake, live):
        await live.click("Show File")
        await live.until_status("No take has come yet")


async def test_show_file_opens_a_folder_of_any_name(tmp_path: Path) -> None:
    from tests.live.test_placing import take

    folder = tmp_path / "Track #1 50% sure? Project"
    folder.mkdir()
    async with ready(tmp_path) as (fake, live):
        await live.click("Generate")
        asked = await fake.until("/bridge/generate")
        told = {"job": "j1", "client": asked["client"], "id": asked["id"], "delivery": 1, "rate": 44100, "frames": 9}
        fake.tell(asked["client"], "/bridge/result", file=str(take(folder)), target="session", slot=0, **told)
        await fake.until("/bridge/placed")
        await live.click("Show File")
        opened = (await live.logs())["named"][-1][-1]
        assert unquote(urlsplit(opened).path) == str(folder)


async def test_old_jobs_in_the_list_are_not_shown_as_going_on(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        client = next(iter(fake.ports))
        for number, state in enumerate(("stored", "placed", "failed", "unknown", "held")):
            told = {"job": f"old{number}", "id": "x", "state": state, "fraction": 1.0, "usd": "0.58"}
            fake.tell(client, "/bridge/job", **told)
        fake.tell(client, "/bridge/job", job="new", id="y", state="generating", fraction=0.25, usd="0.58")
        panel = await live.until(lambda panel: panel["progress"] == 0.25)
        assert panel["status"] == "Generating ..."
        await live.click("Cancel")  # also what is held
        await fake.until("/bridge/cancel", count=2)
        assert {one["job"] for one in fake.all("/bridge/cancel")} == {"new", "old4"}
