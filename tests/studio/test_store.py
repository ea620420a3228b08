"""The store: sources and takes travel by it, whoever dies, and nothing is paid twice or lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_asyncio

from bridge_daemon.domain.job import State
from bridge_daemon.home.paths import Home
from bridge_daemon.home.s3_key import S3KeyStore
from bridge_daemon.util import files
from tests.fakes.relay import relay
from tests.fakes.service import Service
from tests.publish.conftest import S3
from tests.studio.bridges import Bridge, bridges
from tests.studio.test_rooms import Studio, pressed
from tests.support import tone
from tests.waiting import eventually

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(300)]
_RUN_OUT = 8 * 86_400.0  # s after which the service knows neither the job nor its URL
_LOOPBACK = {"method": "auto"}


@pytest_asyncio.fixture
async def service() -> AsyncIterator[Service]:
    # a source that cannot be fetched is paid for, as at the real service
    async with Service(source_trouble="fail", job_seconds=3.0) as fake:
        yield fake


class Shop(Studio):
    """A studio with a store."""

    def __init__(self, folder: Path, url: str, service: Service, store: dict[str, Any], look: Callable[[], Any]):
        super().__init__(folder, url, service)
        self.store, self._look = store, look

    def bridge(self, name: str, kind: str, **sections: Any) -> Bridge:
        home = Home(self.folder / name)
        home.prepare()
        S3KeyStore(home, {}).set(S3.access_key_id, S3.secret_access_key)
        given = {"store": self.store, "publish": _LOOPBACK} | sections
        return Bridge(self.folder, name, self.url, self.service, kind, given)

    def room(self, name: str, **sections: Any) -> Bridge:
        return self.bridge(name, "room", **sections)

    def keeper(self, name: str = "keeper", **sections: Any) -> Bridge:
        return self.bridge(name, "keeper", **sections)

    async def objects(self) -> list[str]:
        """Return what lies in the store, but for its mark."""
        found = await asyncio.to_thread(self._look)
        return sorted(name for name in found if not name.endswith("studio.json"))

    async def rows(self) -> list[dict[str, Any]]:
        return await asyncio.to_thread(self._rows)

    def _rows(self) -> list[dict[str, Any]]:
        with psycopg.connect(self.url, row_factory=psycopg.rows.dict_row) as connection:
            return connection.execute("SELECT * FROM stored WHERE kind <> 'mark' ORDER BY job, kind").fetchall()

    async def lies(self, kind: str) -> str:
        async def look() -> str | None:
            return next((row["name"] for row in await self.rows() if row["kind"] == kind and row["there"]), None)

        return str(await eventually(look, f"the {kind} lies in the store"))

    async def left_behind(self, room: Bridge, **given: Any) -> str:
        """Press in a room that dies as soon as its job is being made, and return the job."""
        job = await pressed(room, **given)
        await self.until(job, State.GENERATING)
        room.kill()
        return job

    async def empty(self) -> None:
        """Wait until nothing lies in the store, and nothing is said to."""

        async def look() -> bool:
            return not await self.objects() and not await self.rows()

        await eventually(look, "the store is empty", seconds=90)

    async def fetched(self, job: str) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            found = await self.job(job)
            return found if found["original"] else None

        return await eventually(look, f"{job} is fetched")  # type: ignore[no-any-return]


def in_folder(tmp_path: Path, studio: str, service: Service) -> Shop:
    root = tmp_path / "share é"
    root.mkdir()

    def look() -> list[str]:
        return [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]

    return Shop(tmp_path, studio, service, {"url": str(root)}, look)


def in_bucket(tmp_path: Path, studio: str, service: Service, server: S3, port: int | None = None) -> Shop:
    prefix = f"studio-{tmp_path.name}"
    url = server.url if port is None else f"http://127.0.0.1:{port}"
    given = {"url": f"s3://{server.bucket}/{prefix}", "s3_endpoint": url, "s3_region": "us-east-1"}
    return Shop(tmp_path, studio, service, given, lambda: [n for n in server.objects() if n.startswith(prefix)])


@pytest.fixture(params=["folder", "bucket"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, studio: str, service: Service) -> Shop:
    if request.param == "folder":
        return in_folder(tmp_path, studio, service)
    return in_bucket(tmp_path, studio, service, request.getfixturevalue("s3"))


@pytest.fixture
def folder(tmp_path: Path, studio: str, service: Service) -> Shop:
    return in_folder(tmp_path, studio, service)


def source(shop: Studio) -> dict[str, Any]:
    path = shop.folder / "quelle ü.wav"
    if not path.exists():
        tone(path)
    return {"action": "transform", "source": {"path": str(path)}}


async def is_home(shop: Studio, job: str, room: Bridge) -> None:
    """Wait until a job is placed, and see that its take is whole and in the library of its room."""
    placed = await shop.placed(job)
    take = Path(placed["take"]["file"])
    assert take.is_relative_to(room.home)
    assert files.sha256(take) == placed["take"]["sha256"]


def paid_once(service: Service) -> None:
    assert len([post for post in service.posts if post.charged]) == len(service.charges) == 1
    assert [fetch["trouble"] for fetch in service.fetches] == [None] * len(service.fetches), "none was paid for nothing"


async def test_a_take_whose_url_has_run_out_reaches_its_room(shop: Shop) -> None:
    left, keeper = shop.room("left"), shop.keeper()
    with bridges(left, keeper):
        await asyncio.gather(left.start(), keeper.start())
        job = await shop.left_behind(left)
        fetched = await shop.fetched(job)
        assert Path(fetched["original"]).is_relative_to(keeper.home)
        assert await shop.lies("original") == f"takes/{job}-{fetched['original_sha256']}.wav"
        keeper.kill()
        shop.service.advance(_RUN_OUT)
        await left.start()
        await is_home(shop, job, left)
        assert list(keeper.home.rglob("*.part")) == []
    paid_once(shop.service)
    assert len(shop.service.downloads) == 1, "by the keeper"


async def test_what_a_room_has_goes_out_of_the_store(shop: Shop) -> None:
    left, keeper = shop.room("left"), shop.keeper(store=shop.store | {"keep_days": 0})
    with bridges(left, keeper):
        await asyncio.gather(left.start(), keeper.start())
        job = await shop.left_behind(left, **source(shop))
        await shop.lies("original")
        await left.start()
        await is_home(shop, job, left)
        await shop.empty()
    paid_once(shop.service)


async def test_the_source_of_a_room_that_died_is_published_and_sent_by_the_keeper(shop: Shop) -> None:
    left, keeper = shop.room("left"), shop.keeper()
    with bridges(left, keeper):
        await left.start(failpoint="journal.prepared.commit:1")
        await keeper.start()
        job = await pressed(left, **source(shop))
        await left.died()
        await shop.until(job, State.GENERATING)
        assert (await shop.job(job))["publication"]["by"] is not None
        await shop.fetched(job)
        await left.start()
        await is_home(shop, job, left)
        assert Path((await shop.job(job))["source_file"]).is_relative_to(left.home)
    paid_once(shop.service)
    assert len(shop.service.fetches) >= 1


async def test_a_transform_whose_source_never_got_there_waits_for_its_room(folder: Shop) -> None:
    left, keeper = folder.room("left"), folder.keeper()
    with bridges(left, keeper):
        await left.start(failpoint="store.put.begin:1")
        await keeper.start()
        job = await pressed(left, **source(folder))
        await left.died()
        await asyncio.sleep(16)
        assert (await folder.job(job))["state"] == State.PREPARING
        assert not folder.service.posts
        await left.start()
        await is_home(folder, job, left)
    paid_once(folder.service)


_KEEPER = [
    *(f"journal.fetched.{moment}:1" for moment in ("commit", "committed")),
    "store.put.begin:1",
    "store.copy.written:1",
    "store.copy.replaced:1",
    "store.put.done:1",
    *(f"journal.store_take.{moment}:1" for moment in ("commit", "committed")),
]


@pytest.mark.parametrize("point", _KEEPER)
async def test_a_keeper_may_die_anywhere_between_the_download_and_the_row(folder: Shop, point: str) -> None:
    left, keeper = folder.room("left"), folder.keeper()
    with bridges(left, keeper):
        await left.start()
        await keeper.start(failpoint=point)
        job = await folder.left_behind(left)
        await keeper.died()
        if point != "journal.fetched.commit:1":  # then its file lies at the keeper, and nowhere else
            folder.service.advance(_RUN_OUT)
        await keeper.start()
        await folder.lies("original")
        await left.start()
        await is_home(folder, job, left)
    paid_once(folder.service)


_ROOM = [
    "store.get.begin:1",
    "store.get.done:1",
    "file.original.settled:1",
    "file.take.settled:1",
    *(f"journal.stored.{moment}:1" for moment in ("commit", "committed")),
    "journal.placed.committed:1",
]


@pytest.mark.parametrize("point", _ROOM)
async def test_a_room_may_die_anywhere_between_the_row_and_the_timeline(folder: Shop, point: str) -> None:
    left, keeper = folder.room("left"), folder.keeper()
    with bridges(left, keeper):
        await asyncio.gather(left.start(), keeper.start())
        job = await folder.left_behind(left)
        await folder.lies("original")
        folder.service.advance(_RUN_OUT)
        await left.start(failpoint=point)
        await left.died()
        await left.start()
        await is_home(folder, job, left)
        takes = [path for path in left.home.rglob(f"*{job}*.wav") if "original" not in path.name]
        assert len(takes) == 1
    paid_once(folder.service)


_SOURCE = [
    *(f"journal.{name}.{moment}:1" for name in ("store_source", "shared") for moment in ("commit", "committed")),
    *(f"store.{point}:1" for point in ("put.begin", "copy.written", "copy.replaced", "put.done")),
    *(f"journal.prepared.{moment}:1" for moment in ("commit", "committed")),
    *(f"journal.submitting.{moment}:1" for moment in ("commit", "committed")),
]


@pytest.mark.parametrize("point", _SOURCE)
async def test_a_room_may_die_anywhere_between_the_press_and_the_wire(folder: Shop, point: str) -> None:
    """With a keeper beside it, which takes over what it can, and without one that is quick enough."""
    left, keeper = folder.room("left"), folder.keeper()
    with bridges(left, keeper):
        await asyncio.gather(left.start(failpoint=point), keeper.start())
        job = await pressed(left, **source(folder))
        await left.died()
        await left.start()
        if point == "journal.submitting.committed:1":
            await folder.until(job, State.UNKNOWN)
            assert not folder.service.posts
            return
        await is_home(folder, job, left)
    paid_once(folder.service)


_REMOVAL = [
    *(f"journal.{name}.{moment}:1" for name in ("store_going", "store_gone") for moment in ("commit", "committed")),
    "store.delete.done:1",
]


@pytest.mark.parametrize("point", _REMOVAL)
async def test_whoever_removes_something_may_die(folder: Shop, point: str) -> None:
    left, keeper = folder.room("left"), folder.keeper(store=folder.store | {"keep_days": 0})
    with bridges(left, keeper):
        await left.start()
        job = await pressed(left, **source(folder))
        await is_home(folder, job, left)
        await keeper.start(failpoint=point)
        await keeper.died()
        await keeper.start()
        await folder.empty()
        second = await pressed(left, **source(folder), prompt="again the same source")
        await folder.placed(second)
    assert len(folder.service.charges) == 2


async def test_without_the_store_transforms_are_refused_and_the_rest_goes_on(
    tmp_path: Path,
    studio: str,
    service: Service,
    s3: S3,
) -> None:
    host, port = s3.url.removeprefix("http://").split(":")
    async with relay(host, int(port)) as network:
        shop = in_bucket(tmp_path, studio, service, s3, network.port)
        left, keeper = shop.room("left"), shop.keeper()
        with bridges(left, keeper):
            await asyncio.gather(left.start(), keeper.start())
            network.cut()
            await _until_problem(left, "E-STORE", seconds=60)
            answer = await left.ask("admit", _body(**source(shop)))
            assert (answer["code"], answer["charge"]) == ("E-STORE", "none")
            assert not service.posts
            job = await shop.left_behind(left)  # needs no store
            await shop.fetched(job)
            service.advance(_RUN_OUT)
            await left.start()
            await asyncio.sleep(5)
            assert (await shop.job(job))["state"] in (State.GENERATING, State.FETCHING), "it waits"
            network.mend()
            await is_home(shop, job, left)
            await _until_problem(left, None)
            answer, _ = await left.ask("admit", _body(**source(shop)))
            await is_home(shop, answer["jobs"][0], left)
    assert len(service.charges) == 2


async def test_a_store_that_goes_away_after_the_press_holds_nothing_paid_and_sends_nothing(
    tmp_path: Path,
    studio: str,
    service: Service,
    s3: S3,
) -> None:
    host, port = s3.url.removeprefix("http://").split(":")
    async with relay(host, int(port)) as network:
        shop = in_bucket(tmp_path, studio, service, s3, network.port)
        left = shop.room("left")
        with bridges(left):
            await left.start()
            await _until_problem(left, None)
            network.cut()  # nobody knows of it yet
            job = await pressed(left, **source(shop))

            async def told() -> bool:
                found = (await shop.job(job))["problem"]
                return found is not None and found["code"] == "E-STORE"

            await eventually(told, "it says why it waits")
            assert not service.posts
            network.mend()
            await is_home(shop, job, left)
    paid_once(service)


async def test_what_is_damaged_in_the_store_is_put_there_again(folder: Shop) -> None:
    left, keeper = folder.room("left"), folder.keeper()
    with bridges(left, keeper):
        await asyncio.gather(left.start(), keeper.start())
        job = await folder.left_behind(left)
        name = await folder.lies("original")
        lying = Path(folder.store["url"]) / name
        lying.write_bytes(b"RIFF" + bytes(1000))
        folder.service.advance(_RUN_OUT)
        await left.start()
        await is_home(folder, job, left)
    paid_once(folder.service)


async def test_a_share_that_is_not_mounted_is_not_written_to(folder: Shop) -> None:
    left = folder.room("left")
    root = Path(folder.store["url"])
    with bridges(left):
        await left.start()
        await eventually(_has_mark(root), "the store is marked")
        assert set(json.loads((root / "studio.json").read_bytes())) == {"studio"}
        aside = root.rename(root.with_name("unmounted"))
        root.mkdir()  # the place where it is mounted
        job = await pressed(left, **source(folder))
        await _until_problem(left, "E-STORE")
        assert list(root.iterdir()) == []
        assert not folder.service.posts
        root.rmdir()
        aside.rename(root)
        await is_home(folder, job, left)
    paid_once(folder.service)


async def test_the_store_of_another_studio_is_not_used(folder: Shop) -> None:
    root = Path(folder.store["url"])
    (root / "studio.json").write_text('{"studio": "another"}', encoding="utf-8")
    left = folder.room("left")
    with bridges(left):
        await left.start()
        problem = await _until_problem(left, "E-STORE")
        assert "another studio" in problem["message"]
    assert [path.name for path in root.iterdir()] == ["studio.json"]


def _has_mark(root: Path) -> Any:
    async def look() -> bool:
        return (root / "studio.json").exists()

    return look


def _body(**given: Any) -> dict[str, Any]:
    from tests.support import request

    return request(**given)


async def _until_problem(bridge: Bridge, code: str | None, seconds: float = 60.0) -> Any:
    """Wait until a bridge tells of its store that it is right, or what is wrong."""

    async def look() -> Any:
        store = (await bridge.ask("status"))["studio"]["store"]
        found = store["problem"]
        return (found or True) if (found or {}).get("code") == code else None

    return await eventually(look, f"the store tells {code}", seconds=seconds)
