"""Watched folders: a real daemon, real files, and a service that counts what is charged."""

from __future__ import annotations

import asyncio
import json
import os
import struct
import unicodedata
import uuid
from pathlib import Path

import pytest
import pytest_asyncio
import soundfile
from watchdog.observers import Observer

from bridge_daemon.audio.wav import Bext, WavWriter, read_bext
from bridge_daemon.errors import IdReused, NotFound, WrongState
from bridge_daemon.frontends.folders import folder as folder_module
from bridge_daemon.frontends.folders import sender
from bridge_daemon.util import access
from tests.fakes.service import Service
from tests.frontends.folders.renders import (
    copy_slowly,
    job_placed,
    known,
    one,
    posted,
    render,
    settled,
    swept,
    until,
    watched,
    watching,
)
from tests.support import Clock, change, tone
from tests.util.wine import many


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "music" / "Renders"
    path.mkdir(parents=True)
    return path


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose end nobody told of need not rest for as long as in use."""
    monkeypatch.setattr(folder_module, "SETTLE", 0.2)
    monkeypatch.setattr(folder_module, "RETRY", 0.2)
    monkeypatch.setattr("bridge_daemon.frontends.folders.watch.SWEEP", 0.5)


@pytest_asyncio.fixture
async def service():
    async with Service() as running:
        yield running


class TestAWholeRender:
    async def test_becomes_one_job_and_its_take_lies_beside_the_folder(self, home, folder, service) -> None:
        async with watching(home, service, watched(folder)) as daemon:
            file = render(folder / "drums.wav")
            job = await job_placed(daemon, await settled(daemon, file, "sent"))
            await swept(daemon)
        assert len(service.charges) == 1
        assert service.charges[0].body["prompt"] == "string quartet"
        assert job["action"] == "transform"
        takes = list((folder.parent / "Renders takes").iterdir())
        assert [take.suffix for take in takes] == [".wav"]
        assert Path(job["file"]).read_bytes() == takes[0].read_bytes(), "and it lies in the library too"

    async def test_renamed_into_place(self, home, folder, service) -> None:
        async with watching(home, service, watched(folder)) as daemon:
            part = folder / "drums.wav.part"
            render(folder / "x").rename(part)
            await swept(daemon)
            assert known(daemon, "drums.wav") is None
            part.rename(folder / "drums.wav")
            await settled(daemon, "drums.wav", "sent")
        assert len(service.charges) == 1

    async def test_moved_in_from_elsewhere(self, home, folder, service, tmp_path) -> None:
        file = render(tmp_path / "drums.wav")
        async with watching(home, service, watched(folder)) as daemon:
            file.rename(folder / "drums.wav")
            await settled(daemon, "drums.wav", "sent")
        assert len(service.charges) == 1

    @pytest.mark.fault(37)
    async def test_copied_over_slowly(self, home, folder, service, tmp_path) -> None:
        data = render(tmp_path / "drums.wav").read_bytes()
        async with watching(home, service, watched(folder)) as daemon:
            file = copy_slowly(data, folder / "drums.wav", 0.5)
            await until(lambda: one(daemon).about()["coming"] == 1, "it is seen")
            await asyncio.sleep(1.0)  # five times as long as a whole file would have to rest
            assert known(daemon, "drums.wav") is None
            assert one(daemon).about()["coming"] == 1
            file.write(data[len(data) // 2 :])
            file.close()
            await settled(daemon, "drums.wav", "sent")
        assert len(service.charges) == 1

    async def test_without_close_events(self, home, folder, service, tmp_path, monkeypatch) -> None:
        """As on macOS and Windows, and on network folders: found by the sweep, taken once it does not change."""
        monkeypatch.setattr("bridge_daemon.frontends.folders.watch.SWEEP_ALONE", 0.1)

        class NoneLeft(Observer):
            def schedule(self, *_: object, **__: object) -> None:
                raise OSError(28, "inotify watch limit reached")

        monkeypatch.setattr("bridge_daemon.util.watching.observer", NoneLeft)
        async with watching(home, service, watched(folder)) as daemon:
            assert "inotify" in one(daemon).about()["no_events"]
            render(folder / "drums.wav")
            await settled(daemon, "drums.wav", "sent")
        assert len(service.charges) == 1

    async def test_breaks_off(self, home, folder, service, tmp_path, monkeypatch) -> None:
        monkeypatch.setattr(folder_module, "BROKEN", 0.3)
        data = render(tmp_path / "drums.wav").read_bytes()
        async with watching(home, service, watched(folder)) as daemon:
            (folder / "drums.wav").write_bytes(data[: len(data) // 2])
            found = await settled(daemon, "drums.wav", "waiting")
            assert found["code"] == "E-SOURCE"
            assert "bytes of sound" in found["text"]
            (folder / "drums.wav").write_bytes(data)
            await settled(daemon, "drums.wav", "sent")
        assert len(service.charges) == 1

    @pytest.mark.parametrize("name", ["Klänge über Straße.wav", unicodedata.normalize("NFD", "Été à Orléans.wav")])
    async def test_names_with_accents_and_spaces(self, home, folder, service, name) -> None:
        async with watching(home, service, watched(folder)) as daemon:
            other = unicodedata.normalize("NFC" if unicodedata.is_normalized("NFD", name) else "NFD", name)
            (folder / f"{Path(other).stem}.bridge.json").write_text(json.dumps({"prompt": "bells"}))
            render(folder / name)
            found = await settled(daemon, name, "sent")
            with pytest.raises(WrongState, match="sent before"):
                await daemon.folders.send(other)  # as people type it, whatever the disk makes of it
            assert found["name"] == name
        assert service.charges[0].body["prompt"] == "bells", "its sidecar is found whatever way it is spelled"

    async def test_its_place_comes_from_its_time_stamp(self, home, folder, service, tmp_path) -> None:
        file = tmp_path / "stamped.wav"
        sound, _ = soundfile.read(tone(tmp_path / "plain.wav", seconds=7, rate=48_000), always_2d=True)
        with (
            file.open("wb") as raw,
            WavWriter(raw, rate=48_000, channels=2, bext=Bext(time_reference=336_001)) as writer,
        ):
            writer.write(sound)
        async with watching(home, service, watched(folder)) as daemon:
            file.rename(folder / "stamped.wav")
            job = await job_placed(daemon, await settled(daemon, "stamped.wav", "sent"))
        [take] = (folder.parent / "Renders takes").iterdir()
        stamp = read_bext(take)
        assert stamp is not None
        assert stamp.time_reference == 336_001
        assert soundfile.info(str(take)).samplerate == 48_000
        assert job["place"]["position"] == pytest.approx(336_001 / 48_000)


class TestWhatIsLeftAlone:
    async def test_temporary_and_hidden_names_links_and_other_files(self, home, folder, service, tmp_path) -> None:
        outside = render(tmp_path / "outside.wav")
        async with watching(home, service, watched(folder)) as daemon:
            for name in ("a.wav.tmp", "b.tmp.wav", ".c.wav", "d.wav.reapeaks", "e.wav.asd", "~f.wav", "notes.txt"):
                (folder / name).write_bytes(outside.read_bytes())
            (folder / "link.wav").symlink_to(outside)
            (folder / "folder.wav").mkdir()
            render(folder / "folder.wav" / "inside.wav")
            render(folder / "real.wav", pitch=300)
            await settled(daemon, "real.wav", "sent")
            await swept(daemon)
            assert set(one(daemon).known.files) == {"real.wav"}
        assert len(service.charges) == 1

    async def test_what_was_there_before_waits(self, home, folder, service) -> None:
        render(folder / "old.wav")
        async with watching(home, service, watched(folder)) as daemon:
            found = await settled(daemon, "old.wav", "waiting")
            assert found["code"] == "before"
            await swept(daemon)
        async with watching(home, service, watched(folder)) as daemon:  # and after each start
            await settled(daemon, "old.wav", "waiting")
            (folder / "old.wav").rename(folder / "still old.wav")
            assert (await settled(daemon, "still old.wav", "waiting"))["entry"] == found["entry"]
            assert service.charges == []
            answer = await daemon.folders.send(found["entry"])
            assert answer["usd"] == 0.58
            await settled(daemon, "still old.wav", "sent")
        assert len(service.charges) == 1

    async def test_what_came_while_the_bridge_did_not_run_waits(self, home, folder, service) -> None:
        async with watching(home, service, watched(folder)):
            pass
        render(folder / "meanwhile.wav")
        async with watching(home, service, watched(folder)) as daemon:
            assert (await settled(daemon, "meanwhile.wav", "waiting"))["code"] == "before"
        assert service.charges == []

    @pytest.mark.fault(37)
    async def test_deleted_while_it_waits(self, home, folder, service) -> None:
        async with watching(home, service, watched(folder, spend=False)) as daemon:
            file = render(folder / "drums.wav")
            found = await settled(daemon, file, "waiting")
            file.unlink()
            await until(lambda: known(daemon, file) is None)
            assert await daemon.folders.renders() == []
            with pytest.raises(WrongState, match="not there any more"):
                await daemon.folders.send(found["entry"])
        assert service.charges == []

    async def test_not_audio(self, home, folder, service, monkeypatch) -> None:
        monkeypatch.setattr(folder_module, "BROKEN", 0.2)
        async with watching(home, service, watched(folder)) as daemon:
            (folder / "page.wav").write_text("<html>not found</html>")
            found = await settled(daemon, "page.wav", "waiting")
            assert found["code"] == "E-SOURCE"
            assert "web page" in found["text"]
            await swept(daemon)
        assert service.charges == []

    @pytest.mark.parametrize(("seconds", "said"), [(0.02, "at least"), (191.0, "at most")])
    async def test_too_short_or_too_long(self, home, folder, service, seconds, said) -> None:
        async with watching(home, service, watched(folder)) as daemon:
            part = tone(folder / ".part.wav", seconds=seconds, rate=8_000, channels=1)
            part.rename(folder / "odd.wav")
            found = await settled(daemon, "odd.wav", "waiting")
            assert found["code"] == "E-SOURCE"
            assert said in found["text"]
        assert service.charges == []


class TestWhoMaySpend:
    async def test_a_folder_that_does_not_spend_lists(self, home, folder, service) -> None:
        async with watching(home, service, watched(folder, spend=False)) as daemon:
            render(folder / "drums.wav")
            found = await settled(daemon, "drums.wav", "waiting")
            assert found["code"] == "asks"
            assert found["next"] == f"daw-bridge folders send {found['entry']}"
            assert (await daemon.actions.status())["folders"]["waiting"] == 1
            await daemon.folders.send("drums.wav")
            await settled(daemon, "drums.wav", "sent")
        assert len(service.charges) == 1

    @pytest.mark.parametrize("late", [False, True])
    async def test_a_sidecar_before_or_after_the_render(self, home, folder, service, late) -> None:
        async with watching(home, service, watched(folder, spend=False, preset=None)) as daemon:
            if late:
                render(folder / "drums.wav")
                await settled(daemon, "drums.wav", "waiting")
            (folder / "drums.bridge.toml").write_text('prompt = "kettle drums"\nseed = 7\n[place]\ntrack = "Perc"\n')
            if not late:
                render(folder / "drums.wav")
            job = await job_placed(daemon, await settled(daemon, "drums.wav", "sent"))
            assert job["place"]["track"] == "Perc"
            await swept(daemon)
        [charge] = service.charges
        assert (charge.body["prompt"], charge.body["seed"]) == ("kettle drums", 7)

    async def test_a_wrong_sidecar_is_told_beside_it_and_heeded_once_it_is_right(self, home, folder, service) -> None:
        async with watching(home, service, watched(folder, spend=False)) as daemon:
            (folder / "drums.wav.bridge.json").write_text('{"strenght": 0.5}')
            render(folder / "drums.wav")
            found = await settled(daemon, "drums.wav", "waiting")
            assert found["code"] == "E-INVALID"
            note = folder / "drums.wav.bridge.error.txt"
            await until(note.exists)
            assert "strenght" in note.read_text()
            (folder / "drums.wav.bridge.json").write_text('{"strength": 0.5}')
            await settled(daemon, "drums.wav", "sent")
            await until(lambda: not note.exists())
        assert len(service.charges) == 1

    @pytest.mark.parametrize("text", ["{", '{"source": {"path": "/etc/passwd"}}', '{"place": 3}', "[1]", "\xff"])
    async def test_a_sidecar_that_cannot_be_meant(self, home, folder, service, text, monkeypatch) -> None:
        monkeypatch.setattr("bridge_daemon.frontends.folders.sidecar._PATIENCE", 0.1)
        async with watching(home, service, watched(folder)) as daemon:
            (folder / "drums.bridge.json").write_text(text, encoding="latin-1")
            render(folder / "drums.wav")
            assert (await settled(daemon, "drums.wav", "waiting"))["code"] == "E-INVALID"
            await swept(daemon)
        assert service.charges == []

    async def test_more_than_max_batch_wait_all_of_them(self, home, folder, service, tmp_path) -> None:
        files = [render(tmp_path / f"stem {n}.wav", pitch=100 + n) for n in range(5)]
        async with watching(home, service, watched(folder)) as daemon:
            for file in files:
                file.rename(folder / file.name)
            for file in files:
                assert (await settled(daemon, file, "waiting"))["code"] == "batch"
            render(folder / "one more.wav", pitch=400)
            assert (await settled(daemon, "one more.wav", "waiting"))["code"] == "batch", (
                "it came within the ten seconds"
            )
            await swept(daemon)
            assert service.charges == []
            await daemon.folders.send("stem 3.wav")
        assert len(service.charges) == 1

    async def test_max_batch_at_once_are_sent(self, home, folder, service, tmp_path) -> None:
        files = [render(tmp_path / f"stem {n}.wav", pitch=100 + n) for n in range(3)]
        async with watching(home, service, watched(folder)) as daemon:
            for file in files:
                file.rename(folder / file.name)
            for file in files:
                await settled(daemon, file, "sent")
        assert len(service.charges) == 3

    @pytest.mark.posix("by access lists there: tests/util/test_access.py")
    async def test_a_folder_open_to_all_users_does_not_spend(self, home, folder, service) -> None:
        folder.chmod(0o777)
        async with watching(home, service, watched(folder)) as daemon:
            render(folder / "drums.wav")
            found = await settled(daemon, "drums.wav", "waiting")
            assert found["code"] == "unsafe"
            assert "every user" in one(daemon).about()["unsafe"]
        assert service.charges == []

    async def test_a_folder_on_a_shared_drive_does_not_spend(self, home, folder, service, monkeypatch) -> None:
        """As on Windows, where its path tells; the home may lie on none at all."""
        monkeypatch.setattr(access, "is_shared", lambda path: path == folder)
        async with watching(home, service, watched(folder)) as daemon:
            render(folder / "drums.wav")
            found = await settled(daemon, "drums.wav", "waiting")
            assert found["code"] == "unsafe"
            assert "shared drive" in one(daemon).about()["unsafe"]
            assert service.charges == []
            await daemon.folders.send("drums.wav")
        assert len(service.charges) == 1

    async def test_spending_switched_on_counts_for_what_comes_then(self, home, folder, service) -> None:
        async with watching(home, service, watched(folder, spend=False)) as daemon:
            render(folder / "before.wav")
            await settled(daemon, "before.wav", "waiting")
            data = daemon.settings.model_dump()
            data["folders"] = [watched(folder)]
            daemon.settings = type(daemon.settings).model_validate(data)
            await daemon.folders.configure()
            render(folder / "after.wav", pitch=300)
            await settled(daemon, "after.wav", "sent")
            await swept(daemon)
            assert known(daemon, "before.wav").state == "waiting"
        assert len(service.charges) == 1

    async def test_folders_are_added_and_removed_without_a_restart(self, home, folder, service, tmp_path) -> None:
        other = tmp_path / "music" / "Other"
        other.mkdir()
        render(other / "old.wav")
        async with watching(home, service, watched(folder)) as daemon:
            data = daemon.settings.model_dump()
            data["folders"] = [watched(other, "other")]
            daemon.settings = type(daemon.settings).model_validate(data)
            daemon.roots = daemon._make_roots(daemon.settings)
            await daemon.folders.configure()
            await until(lambda: one(daemon, "other").about()["watching"])
            render(folder / "nobody looks.wav")
            render(other / "new.wav", pitch=300)
            await settled(daemon, "new.wav", "sent", folder="other")
            assert (await settled(daemon, "old.wav", "waiting", folder="other"))["code"] == "before"
            assert set(daemon.folders._folders) == {"other"}
        assert len(service.charges) == 1


class TestKnownFiles:
    async def test_the_same_content_again_is_done_and_again_makes_another(self, home, folder, service) -> None:
        async with watching(home, service, watched(folder)) as daemon:
            file = render(folder / "drums.wav")
            first = await settled(daemon, file, "sent")
            await job_placed(daemon, first)
            (folder / "copy.wav").write_bytes(file.read_bytes())
            copy = await settled(daemon, "copy.wav", "known")
            assert copy["same_as"] == first["entry"]
            assert [job["job"] for job in copy["jobs"]] == [job["job"] for job in first["jobs"]]
            assert Path(copy["jobs"][0]["file"]).is_file()
            assert "--again" in copy["next"]
            await posted(daemon)
            with pytest.raises(WrongState, match="Nothing was sent"):
                await daemon.folders.send(copy["entry"])
            assert len(service.charges) == 1
            press = str(uuid.uuid4())
            answer = await daemon.folders.send(copy["entry"], again=True, request_id=press)
            assert await daemon.folders.send(copy["entry"], again=True, request_id=press) == answer, "one press"
            assert (await settled(daemon, "copy.wav", "sent"))["request"] == press
        first_seed, second_seed = (charge.body["seed"] for charge in service.charges)
        assert first_seed != second_seed

    @pytest.mark.fault(37)
    async def test_replaced_with_other_content_is_a_new_render(self, home, folder, service) -> None:
        async with watching(home, service, watched(folder)) as daemon:
            old = await settled(daemon, render(folder / "drums.wav"), "sent")
            render(folder / "drums.wav", pitch=300)
            await until(lambda: (now := known(daemon, "drums.wav")) and now.id != old["entry"])
            await settled(daemon, "drums.wav", "sent")
            render(folder / "drums.wav")  # and back: that was paid for
            await settled(daemon, "drums.wav", "known")
        assert len(service.charges) == 2

    async def test_touched_is_the_same(self, home, folder, service) -> None:
        async with watching(home, service, watched(folder)) as daemon:
            file = render(folder / "drums.wav")
            old = await settled(daemon, file, "sent")
            os.utime(file, (1_000_000_000, 1_000_000_000))
            await swept(daemon)
            await until(lambda: known(daemon, file).mtime_ns == 10**18)
            assert (await settled(daemon, file, "sent"))["entry"] == old["entry"]
        assert len(service.charges) == 1

    async def test_moved_between_folders(self, home, folder, service, tmp_path) -> None:
        other = tmp_path / "music" / "Other"
        other.mkdir()
        async with watching(home, service, watched(folder), watched(other, "other")) as daemon:
            file = render(folder / "drums.wav")
            first = await settled(daemon, file, "sent")
            file.rename(other / "drums.wav")
            moved = await settled(daemon, "drums.wav", "known", folder="other")
            assert moved["same_as"] == first["entry"]
            await until(lambda: known(daemon, file) is None)
        assert len(service.charges) == 1

    async def test_one_that_waits_goes_by_the_rules_of_the_folder_it_is_moved_to(
        self, home, folder, service, tmp_path
    ) -> None:
        other = tmp_path / "music" / "Other"
        other.mkdir()
        async with watching(home, service, watched(folder, spend=False), watched(other, "other")) as daemon:
            file = render(folder / "drums.wav")
            await settled(daemon, file, "waiting")
            file.rename(other / "drums.wav")
            await settled(daemon, "drums.wav", "sent", folder="other")
        assert len(service.charges) == 1

    async def test_forgotten_is_off_the_list(self, home, folder, service) -> None:
        async with watching(home, service, watched(folder, spend=False)) as daemon:
            file = render(folder / "drums.wav")
            found = await settled(daemon, file, "waiting")
            await daemon.folders.forget(found["entry"])
            await swept(daemon)
            assert await daemon.folders.renders() == []
            assert file.exists()
        async with watching(home, service, watched(folder, spend=False)) as daemon:
            await swept(daemon)
            assert await daemon.folders.renders() == []

    async def test_an_id_of_something_else_is_refused(self, home, folder, service) -> None:
        from tests.support import request

        async with watching(home, service, watched(folder, spend=False)) as daemon:
            body = request()
            await daemon.actions.admit(body)
            found = await settled(daemon, render(folder / "drums.wav"), "waiting")
            with pytest.raises(IdReused):
                await daemon.folders.send(found["entry"], request_id=body["id"])


class TestWhatIsInTheWay:
    async def test_paused_or_out_of_money_it_waits_and_can_be_sent_later(self, home, folder, service) -> None:
        async with watching(home, service, watched(folder), spend={"per_day_usd": 1.0}) as daemon:
            await daemon.actions.pause()
            found = await settled(daemon, render(folder / "a.wav"), "waiting")
            assert found["code"] == "E-PAUSED"
            await daemon.actions.resume()
            await daemon.folders.send(found["entry"])
            late = await settled(daemon, render(folder / "b.wav", pitch=300), "waiting")
            assert late["code"] == "E-LIMIT"
            change(daemon, spend={"per_day_usd": 10.0})
            await daemon.folders.send(late["entry"])
            await settled(daemon, "b.wav", "sent")
        assert len(service.charges) == 2

    async def test_the_folder_is_not_there_at_the_start(self, home, folder, service) -> None:
        folder.rmdir()
        async with watching(home, service, watched(folder), wait=False) as daemon:
            await until(lambda: one(daemon).about()["problem"] == "There is no such folder.")
            folder.mkdir()
            await until(lambda: one(daemon).about()["watching"])
            await settled(daemon, render(folder / "drums.wav"), "sent")
        assert len(service.charges) == 1

    async def test_the_disk_goes_and_comes_back(self, home, folder, service, tmp_path) -> None:
        async with watching(home, service, watched(folder)) as daemon:
            file = render(folder / "drums.wav")
            first = await settled(daemon, file, "sent")
            folder.rename(tmp_path / "unplugged")
            folder.mkdir()  # the empty place that a disk leaves behind
            await until(lambda: not one(daemon).about()["watching"])
            await until(lambda: "disk" in (one(daemon).about()["problem"] or ""))
            render(tmp_path / "unplugged" / "elsewhere.wav", pitch=300)  # came while nobody watched
            assert list(folder.iterdir()) == []
            folder.rmdir()
            (tmp_path / "unplugged").rename(folder)
            await until(lambda: one(daemon).about()["watching"])
            assert (await settled(daemon, file, "sent"))["entry"] == first["entry"]
            assert (await settled(daemon, "elsewhere.wav", "waiting"))["code"] == "before"
            await settled(daemon, render(folder / "new.wav", pitch=500), "sent")
        assert len(service.charges) == 2

    async def test_two_daemons(self, home, folder, service, tmp_path) -> None:
        async with watching(home, service, watched(folder)) as first:
            async with watching(tmp_path / "second", service, watched(folder), wait=False) as second:
                await until(lambda: "Another daw-bridge" in (one(second).about()["problem"] or ""))
                await settled(first, render(folder / "drums.wav"), "sent")
                assert one(second).known.files == {}
                await posted(first)
            assert len(service.charges) == 1
        async with watching(tmp_path / "second", service, watched(folder)) as second:  # the first has gone
            await settled(second, render(folder / "more.wav", pitch=300), "sent")
        assert len(service.charges) == 2

    async def test_where_no_lock_can_be_held_nothing_spends_by_itself(self, home, folder, service) -> None:
        (folder / ".daw-bridge.lock").mkdir()  # root may write to folders that are closed to all
        async with watching(home, service, watched(folder)) as daemon:
            found = await settled(daemon, render(folder / "drums.wav"), "waiting")
            assert found["code"] == "unsafe"
            await daemon.folders.send(found["entry"])
        assert len(service.charges) == 1

    async def test_the_results_folder_cannot_be_made(self, home, folder, service) -> None:
        (folder.parent / "Renders takes").write_text("in the way")
        async with watching(home, service, watched(folder)) as daemon:
            found = await settled(daemon, render(folder / "drums.wav"), "waiting")
            assert found["code"] == "E-PATH"
            assert "results folder" in found["text"]
            (folder.parent / "Renders takes").unlink()
            await daemon.folders.send(found["entry"])
            await job_placed(daemon, await settled(daemon, "drums.wav", "sent"))
        assert len(service.charges) == 1

    async def test_it_vanishes_or_changes_while_its_job_waits(self, home, folder, service) -> None:
        """What was seen is what is sent: it was copied."""
        service.control({"set": {"job_seconds": 1000}})
        async with watching(home, service, watched(folder), engine={"max_open_jobs": 1}) as daemon:
            await settled(daemon, render(folder / "first.wav"), "sent")
            await until(lambda: len(service.charges) == 1)
            file = render(folder / "drums.wav", pitch=300, seconds=9)
            await settled(daemon, file, "sent")
            file.unlink()
            service.control({"set": {"job_seconds": 0}, "advance": 1500})
            await until(lambda: len(service.charges) == 2)
        assert len(service.charges) == 2

    async def test_a_folder_in_the_library_is_not_watched(self, home, service) -> None:
        inside = home / "library" / "in"
        inside.mkdir(parents=True)
        async with watching(home, service, watched(inside), wait=False) as daemon:
            [folder] = (await daemon.actions.status())["folders"]["folders"]
            assert not folder["watching"]
            assert "library" in folder["problem"] or "home" in folder["problem"]


class TestTheBridgeEndsInTheMiddle:
    @pytest.mark.parametrize(("hours", "state", "charges"), [(0, "sent", 1), (2, "waiting", 0)])
    async def test_the_same_request_goes_on_unless_it_is_too_old(
        self, home, folder, service, monkeypatch, hours, state, charges
    ) -> None:
        class Never:
            def __await__(self):
                return asyncio.Event().wait().__await__()

        with monkeypatch.context() as patch:
            patch.setattr(sender.Sender, "_admit", lambda *_: Never())
            async with watching(home, service, watched(folder)) as daemon:
                render(folder / "drums.wav")
                begun = await settled(daemon, "drums.wav", "sending")
                asked = known(daemon, "drums.wav").try_id
        later = Clock()
        later.offset = hours * 3600
        async with watching(home, service, watched(folder), times=later) as daemon:
            found = await settled(daemon, "drums.wav", state)
            assert found["entry"] == begun["entry"]
            assert found["request"] == (asked if charges else None)
            assert found["code"] == (None if charges else "E-STALE")
            if charges:
                job = await daemon.actions.job(found["jobs"][0]["job"])
                assert job["notes"][0] == f"made of the render {folder / 'drums.wav'}"
        assert len(service.charges) == charges


class TestNewest:
    async def test_is_the_file_that_changed_last(self, home, folder, service, tmp_path) -> None:
        old = render(folder / "old.wav")
        os.utime(old, (1, 1))
        async with watching(home, service, watched(folder, spend=False)) as daemon:
            assert await daemon.folders.newest("renders") == old
            new = render(folder / "new.wav", pitch=300)
            await settled(daemon, new, "waiting")
            assert await daemon.folders.newest("renders") == new
            new.unlink()
            await until(lambda: known(daemon, new) is None)
            assert await daemon.folders.newest("renders") == old
            with pytest.raises(NotFound):
                await daemon.folders.newest("others")


class TestThePromptOfThePreset:
    async def test_is_filled_with_what_the_file_tells(self, home, folder, service, tmp_path) -> None:
        acid = struct.pack("<IHHfIHHf", 0, 60, 0x8000, 0.0, 8, 4, 4, 87.5)
        data = render(tmp_path / "loop.wav").read_bytes() + b"acid" + struct.pack("<I", len(acid)) + acid
        data = data[:4] + struct.pack("<I", len(data) - 8) + data[8:]
        presets = {"strings": {"action": "transform", "prompt": "strings for {name} of {folder}, {tempo} BPM"}}
        async with watching(home, service, watched(folder), presets=presets) as daemon:
            (folder / "Große Trommel.wav").write_bytes(data)
            await settled(daemon, "Große Trommel.wav", "sent")
        assert service.charges[0].body["prompt"] == "strings for Große Trommel of renders, 87.5 BPM"


class TestManyAtOnce:
    @pytest.mark.fault(37)
    async def test_five_thousand_are_all_listed_and_none_is_sent(self, home, folder, service, tmp_path) -> None:
        count = many(5000)
        data = tone(tmp_path / "short.wav", seconds=0.1, channels=1).read_bytes()

        def drop() -> None:
            for number in range(count):
                (folder / f"sample {number}.wav").write_bytes(data[:-2] + number.to_bytes(2, "little"))

        async with watching(home, service, watched(folder)) as daemon:
            await asyncio.to_thread(drop)
            await until(lambda: len(one(daemon).known.files) == count, "all are listed", seconds=90)
            await until(lambda: one(daemon).about()["coming"] == 0, "nothing comes any more", seconds=90)
            about = one(daemon).about()
            assert about["waiting"] == count
            [page] = [await daemon.folders.renders(limit=count + 1)]
            assert {found["name"] for found in page} == {f"sample {number}.wav" for number in range(count)}
            assert {found["code"] for found in page} == {"batch"}
        assert service.charges == []
