"""The trial of the way for sources: it costs nothing, leaves nothing, and says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge_daemon.client.client import BridgeClient
from bridge_daemon.errors import NotPublished
from bridge_daemon.home.paths import Home
from tests.fakes.service import Service
from tests.publish.conftest import S3, Tunnels
from tests.publish.test_tunnel import by
from tests.support import running


def nothing_left(home: Path) -> bool:
    return not list((home / "sources").iterdir())


async def test_a_tunnel_is_opened_and_the_sound_comes_back(tmp_path: Path, tunnels: Tunnels) -> None:
    home = tmp_path / "home"
    async with Service() as service, running(home, service, publish=by(tunnels)) as daemon:
        async with BridgeClient(Home(home)) as client:
            told = await client.try_sources()
        assert (told["method"], told["tried"]) == ("public_url", True)
        assert daemon.parts.publishers.about()["tunnel"]["open_sources"] == 0
        assert await daemon.actions.jobs() == []
        assert service.posts == []
        assert nothing_left(home)


async def test_a_tunnel_that_leads_nowhere_fails_and_leaves_nothing(
    tmp_path: Path, tunnels: Tunnels, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bridge_daemon.publish import tunnel

    monkeypatch.setattr(tunnel, "START", 1.0)
    home = tmp_path / "home"
    publish = {"method": "public_url", "tunnel_command": "daw-bridge-has-no-such-program {url}"}
    async with Service() as service, running(home, service, publish=publish) as daemon:
        with pytest.raises(NotPublished) as refused:
            await daemon.actions.try_sources()
        assert refused.value.charge == "none"
        assert service.posts == []
        assert nothing_left(home)


async def test_without_a_way_it_says_which_there_are(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None, engine={"name": "auto"}) as daemon:
        with pytest.raises(NotPublished) as refused:
            await daemon.actions.try_sources()
        assert "tunnel_command" in refused.value.next_step


async def test_an_upload_is_not_tried(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service, publish={"method": "upload"}) as daemon:
        assert (await daemon.actions.try_sources())["tried"] is False
        assert service.posts == []


async def test_the_object_in_a_bucket_is_deleted(tmp_path: Path, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_access_key)
    publish = s3.settings | {"s3_prefix": tmp_path.name}
    async with Service() as service, running(tmp_path / "home", service, publish=publish) as daemon:
        assert (await daemon.actions.try_sources())["method"] == "s3"
    assert [name for name in s3.objects() if name.startswith(tmp_path.name)] == []
