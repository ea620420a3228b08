"""Sources through a tunnel: a program that is started for them, by a transform that the strict service fetches.

The service counts what it charges, and looks at each source before it does: refused ones cost nothing.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.domain.job import Charge, Publication, State
from bridge_daemon.errors import NotPublished
from bridge_daemon.pipeline import prepare
from bridge_daemon.publish import supervisor
from bridge_daemon.publish import tunnel as module
from bridge_daemon.publish.listener import SourceListener
from bridge_daemon.publish.public_url import PublicUrlPublisher
from bridge_daemon.publish.tunnel_command import PROGRAMS, _split, tunnel_command
from bridge_daemon.publish.tunnel_program import TunnelProgram
from bridge_daemon.settings.sections import Publish
from bridge_daemon.util.times import Times
from tests.fakes.service import Service
from tests.publish.conftest import Tunnels, listening
from tests.support import events, job_of, press, request, running, tone, until
from tests.util.ending import kill
from tests.waiting import eventually


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BETWEEN_PROBES", 0.05)
    monkeypatch.setattr(module, "_LOOK", 0.05)
    monkeypatch.setattr(module, "_AGAIN", (0.05, 0.2))
    monkeypatch.setattr(prepare, "_AGAIN", (0.1, 0.3))


def by(tunnels: Tunnels, *options: str) -> dict[str, Any]:
    return {"method": "public_url", "tunnel_command": tunnels.command(*options)}


async def transform(daemon: Daemon, path: Path, **more: Any) -> str:
    return await press(daemon, action="transform", duration=None, source={"path": str(path)}, **more)


async def until_problem(daemon: Daemon, name: str, part: str) -> Any:
    async def look() -> Any:
        problem = (await job_of(daemon, name)).problem
        return problem if problem is not None and part in problem.text else None

    return await eventually(look, part)


async def test_a_transform_goes_out_through_it(tmp_path: Path, tunnels: Tunnels) -> None:
    source = tone(tmp_path / "a.wav")
    async with Service() as service, running(tmp_path / "home", service, publish=by(tunnels)) as daemon:
        await until(daemon, await press(daemon))
        assert tunnels.started == [], "not before a transform needs it"
        job = await until(daemon, await transform(daemon, source))
        assert job.state is State.PLACED
        (started,) = tunnels.started
        (fetch,) = service.fetches
        assert fetch["url"].startswith(f"{started['url']}/source/")
        assert (fetch["status"], fetch["type"], fetch["trouble"]) == (200, "audio/wav", None)
        assert any("secret URL" in note for note in job.notes)
        assert len(service.charges) == 2
        about = (await daemon.actions.status())["publish"]
        assert about["tunnel"] == {"url": started["url"], "open_sources": 0}
        assert (about["method"], about["ready"], about["problem"]) == ("public_url", True, None)
    assert not tunnels.reachable(), "it ends with the daemon"


async def test_several_at_once_share_it_and_it_rests_after(
    tmp_path: Path, tunnels: Tunnels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REST", 0.5)
    source = tone(tmp_path / "a.wav")
    told = []
    async with Service() as service, running(tmp_path / "home", service, publish=by(tunnels)) as daemon:
        daemon.parts.publishers.listeners.append(lambda about: told.append(about["tunnel"]["url"]))
        body = request(action="transform", duration=None, source={"path": str(source)}, variations=3)
        answer, _ = await daemon.actions.admit(body)
        assert {(await until(daemon, name)).state for name in answer["jobs"]} == {State.PLACED}
        assert len(tunnels.started) == 1
        await eventually(lambda: not tunnels.reachable(0))
        await eventually(lambda: len(told) == 2)
        assert told == [tunnels.started[0]["url"], None], "told once that it opens, once that it closes"
        assert (await until(daemon, await transform(daemon, source, seed=9))).state is State.PLACED
        assert len(tunnels.started) == 2, "opened again when it was needed again"
        assert (len(service.charges), service.violations) == (4, [])


FAULTY = {
    "dies": "ended before the tunnel was open",
    "silent": "named no URL",
    "elsewhere": "does not lead to the bridge: another file came",
    "redirects": "does not lead to the bridge: it redirects elsewhere",
}


@pytest.mark.parametrize("mode", FAULTY)
async def test_one_that_does_not_work_costs_nothing_and_says_what_to_do(
    tmp_path: Path, tunnels: Tunnels, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    start = 8.0 if os.name == "nt" else 2.0  # programs start slowly there
    monkeypatch.setattr(module, "START", start)
    source = tone(tmp_path / "a.wav")
    publish = by(tunnels, "--mode", mode, "--token", "abcdefgh12345678secret")
    async with Service() as service, running(tmp_path / "home", service, publish=publish) as daemon:
        name = await transform(daemon, source, valid_for=2 * start)
        problem = await until_problem(daemon, name, FAULTY[mode])
        assert (problem.code, "othing was spent" in problem.text) == ("E-PUBLISH", True)
        assert "abcdefgh12345678secret" not in problem.text, "no secret of the command line"
        assert "publishing.md" in problem.next
        waiting = await job_of(daemon, name)
        assert waiting.charge is Charge.NONE
        about = (await daemon.actions.status())["publish"]
        assert about["ready"] is False
        assert (await until(daemon, await press(daemon))).state is State.PLACED, "text-to-audio goes on meanwhile"
        job = await until(daemon, name)
        assert (job.state, job.charge) == (State.HELD, Charge.NONE)
        assert job.problem is not None
        assert job.problem.code == "E-PUBLISH"
        assert len(service.charges) == 1
        log = tmp_path / "home" / "logs" / "daemon.log"
        assert not log.exists() or "12345678secret" not in log.read_text()


async def test_a_network_that_is_down_for_a_moment_loses_nothing(
    tmp_path: Path, tunnels: Tunnels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program dies at first; later, as when the network is back, it works."""
    flag = tmp_path / "up"
    wrapper = tmp_path / "wrapper.py"
    wrapper.write_text(
        "import os, subprocess, sys\n"
        f"mode = 'ok' if os.path.exists({str(flag)!r}) else 'dies'\n"
        "sys.exit(subprocess.call([sys.executable, *sys.argv[1:-1], '--mode', mode, sys.argv[-1]]))\n"
    )
    python, *words = shlex.split(tunnels.command())
    publish = {"method": "public_url", "tunnel_command": shlex.join([python, str(wrapper), *words])}
    source = tone(tmp_path / "a.wav")
    async with Service() as service, running(tmp_path / "home", service, publish=publish) as daemon:
        name = await transform(daemon, source)
        await until_problem(daemon, name, "ended before")
        flag.touch()
        job = await until(daemon, name)
        assert (job.state, job.problem) == (State.PLACED, None)
        assert (len(service.posts), len(service.charges)) == (1, 1)


async def test_a_dead_one_holds_no_place_at_the_service(tmp_path: Path, tunnels: Tunnels) -> None:
    source = tone(tmp_path / "a.wav")
    engine = {"max_open_jobs": 1}
    publish = by(tunnels, "--mode", "dies")
    async with Service() as service, running(tmp_path / "home", service, publish=publish, engine=engine) as daemon:
        name = await transform(daemon, source)
        await until_problem(daemon, name, "ended before")
        assert (await until(daemon, await press(daemon))).state is State.PLACED
        cancelled = await daemon.actions.cancel(name)
        assert (cancelled["state"], cancelled["charge"]) == ("cancelled", "none")
        assert len(service.charges) == 1


async def test_one_that_died_is_opened_again_and_what_was_not_sent_is_published_anew(
    tmp_path: Path, tunnels: Tunnels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told its old URL, the service would take the money for a source that it cannot fetch."""
    monkeypatch.setattr("bridge_daemon.pipeline.submit._OFFLINE_PAUSE", (0.5, 0.5))
    source = tone(tmp_path / "a.wav")
    async with Service() as service:
        port = service.port
    async with running(tmp_path / "home", service, publish=by(tunnels)) as daemon:
        name = await transform(daemon, source)
        await until_problem(daemon, name, "not be reached")
        old = (await job_of(daemon, name)).publication
        assert old is not None
        kill(tunnels.started[0]["pid"])
        await eventually(lambda: not tunnels.reachable(0))
        async with Service(port=port, source_trouble="fail") as service:
            job = await until(daemon, name)
            assert job.state is State.PLACED
            assert job.publication is not None
            assert job.publication.url != old.url
            assert [fetch["trouble"] for fetch in service.fetches] == [None]
            assert (len(service.posts), len(service.charges)) == (1, 1)
            assert "republish" in await events(daemon, name)


async def test_one_that_dies_while_the_service_works_costs_nothing_more(tmp_path: Path, tunnels: Tunnels) -> None:
    source = tone(tmp_path / "a.wav")
    async with Service(job_seconds=1000) as service:
        async with running(tmp_path / "home", service, publish=by(tunnels)) as daemon:
            name = await transform(daemon, source)
            await until(daemon, name, {State.GENERATING})
            kill(tunnels.started[0]["pid"])
            await eventually(lambda: len(tunnels.started) == 2)
            service.advance(1001)
            await daemon.actions.retry(name, {})
            assert (await until(daemon, name)).state is State.PLACED
        assert (len(service.posts), len(service.charges)) == (1, 1)


async def test_a_fixed_address_is_served_again_after_a_restart(tmp_path: Path, tunnels: Tunnels) -> None:
    """With a name of one's own the URL stays, so a service that comes late still finds its source."""
    source = tone(tmp_path / "a.wav")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    publish = by(tunnels, "--mode", "ok", "--port", str(port)) | {"public_base_url": f"http://127.0.0.1:{port}"}
    async with Service(job_seconds=1000) as service:
        async with running(tmp_path / "home", service, publish=publish) as daemon:
            name = await transform(daemon, source)
            job = await until(daemon, name, {State.GENERATING})
            assert job.publication is not None
        assert not tunnels.reachable()
        async with running(tmp_path / "home", service, publish=publish) as daemon:
            await eventually(lambda: len(tunnels.started) == 2)
            async with asyncio.timeout(20):
                while await service._fetch(job.publication.url) is not None:
                    await asyncio.sleep(0.05)
            service.advance(1001)
            await daemon.actions.retry(name, {})
            assert (await until(daemon, name)).state is State.PLACED
            assert await service._fetch(job.publication.url) == "answered 404", "withdrawn"
        assert len(service.charges) == 1


async def test_it_waits_while_the_program_says_that_it_is_trying(
    tmp_path: Path, tunnels: Tunnels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without UDP cloudflared needs longer to fall back than any other program to start."""
    monkeypatch.setattr(module, "START", 8.0 if os.name == "nt" else 1.5)
    source = tone(tmp_path / "a.wav")
    publish = by(tunnels, "--tries", "64" if os.name == "nt" else "12")
    async with Service() as service, running(tmp_path / "home", service, publish=publish) as daemon:
        job = await until(daemon, await transform(daemon, source), seconds=90)
        assert job.state is State.PLACED
        assert (len(tunnels.started), len(service.charges)) == (1, 1)


async def test_it_does_not_wait_for_ever(tmp_path: Path, tunnels: Tunnels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 12.0 if os.name == "nt" else 2.0)
    source = tone(tmp_path / "a.wav")
    publish = by(tunnels, "--tries", "100")
    async with Service() as service, running(tmp_path / "home", service, publish=publish) as daemon:
        name = await transform(daemon, source)
        problem = await until_problem(daemon, name, "named no URL")
        assert "Retrying connection" in problem.text, "what it said stands there"
        await daemon.actions.cancel(name)
        assert service.charges == []


def test_a_tunnel_goes_from_stage_to_stage_and_no_other_way() -> None:
    told: list[str | None] = []
    tunnel = module.Tunnel(SourceListener(0), Publish, Times(), told.append)
    with pytest.raises(RuntimeError, match="CLOSED to OPEN"):
        tunnel._move(module.Stage.OPEN, "https://x.example")
    tunnel._move(module.Stage.OPENING)
    tunnel._move(module.Stage.OPEN, "https://x.example")
    tunnel._move(module.Stage.CLOSING)
    tunnel._move(module.Stage.CLOSED)
    assert told == ["https://x.example", None]


@pytest.mark.posix("on Windows a job object does this")
@pytest.mark.parametrize("mode", ["ok", "stubborn child", "session", "double fork"])
@pytest.mark.parametrize("killed", ["daemon", "both"])
async def test_nothing_outlives_it_whoever_is_killed(tunnels: Tunnels, mode: str, killed: str) -> None:
    """A parent that stands for the daemon starts the supervisor; then the one, or both at once, are killed."""
    command = tunnels.command("--mode", mode).replace("{url}", "http://127.0.0.1:9")
    words = [sys.executable, "-I", supervisor.__file__, *shlex.split(command)]
    script = f"import subprocess, time; p = subprocess.Popen({words!r}, stdin=subprocess.PIPE, start_new_session=True)"
    script += "; print(p.pid, flush=True); time.sleep(600)"
    pipe = asyncio.subprocess.PIPE
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=pipe)
    assert parent.stdout is not None
    keeper = int(await parent.stdout.readline())
    number = 1 if mode in ("session", "double fork", "stubborn child") else 0
    await eventually(lambda: len(tunnels.started) > number and tunnels.reachable(number))
    for pid in [parent.pid, keeper] if killed == "both" else [parent.pid]:
        kill(pid)
    await parent.wait()
    await eventually(lambda: not tunnels.reachable(number))
    await parent.stdout.read()  # what it started had its output too: it ends with the last of them


@pytest.mark.parametrize("mode", ["ok", "stubborn", "child", "stubborn child", "session", "double fork"])
async def test_it_ends_with_all_that_it_started(tmp_path: Path, tunnels: Tunnels, mode: str) -> None:
    if mode == "double fork" and os.name == "nt":
        pytest.skip("Windows has no fork")
    source = tone(tmp_path / "a.wav")
    async with Service() as service, running(tmp_path / "home", service, publish=by(tunnels, "--mode", mode)) as daemon:
        assert (await until(daemon, await transform(daemon, source))).state is State.PLACED
        environ = tunnels.started[-1]["env"]
        assert "EMPIRIOLABS_API_KEY" not in environ
    for number in range(len(tunnels.started)):
        await eventually(lambda number=number: not tunnels.reachable(number))


@pytest.mark.skipif(sys.platform != "linux", reason="only this kernel ends a program with its parent")
async def test_it_ends_also_when_its_keeper_is_killed(tmp_path: Path, tunnels: Tunnels) -> None:
    source = tone(tmp_path / "a.wav")
    async with Service() as service, running(tmp_path / "home", service, publish=by(tunnels)) as daemon:
        assert (await until(daemon, await transform(daemon, source))).state is State.PLACED
        kill(tunnels.started[0]["parent"])
        await eventually(lambda: not tunnels.reachable(0))
        assert (await until(daemon, await transform(daemon, source, seed=7))).state is State.PLACED
        assert (len(tunnels.started), len(service.charges)) == (2, 2)


async def test_one_that_is_ended_before_it_began_leaves_nobody_waiting(tunnels: Tunnels) -> None:
    settings = Publish.model_validate(by(tunnels))
    async with listening() as listener:
        tunnel = module.Tunnel(listener, lambda: settings, Times(), lambda _: None)
        waiting = asyncio.create_task(tunnel.url())
        while tunnel._life is None:
            await asyncio.sleep(0)
        await tunnel.renew()
        async with asyncio.timeout(5):
            with pytest.raises(NotPublished):
                await waiting


async def test_one_that_prints_a_url_for_each_request_is_not_remembered_for_ever(tunnels: Tunnels) -> None:
    program = TunnelProgram(tunnel_command(tunnels.command(), 9132))
    for number in range(2000):
        program._take(f"GET https://a.example.org/source/{number} 200 OK")
    assert "https://a.example.org/source/1999" in program._found
    assert len(program._found) < 100


async def test_an_address_with_the_word_source_in_its_path_holds(tmp_path: Path) -> None:
    base = "https://studio.example.org/source/mine"
    file = tone(tmp_path / "a.wav", seconds=1)
    settings = Publish(tunnel_command="t", public_base_url=base)
    published = Publication(method="public_url", url=f"{base}/source/x.wav", capability="x.wav", file=str(file))
    async with listening() as listener:
        tunnel = module.Tunnel(listener, lambda: settings, Times(), lambda _: None)
        tunnel.base = base
        publisher = PublicUrlPublisher(listener, tunnel, lambda: settings, Times())
        publisher._checked["x.wav"] = Times().monotonic()  # it came back a moment ago
        assert await publisher.holds(published), "else it is published anew for ever, and never sent"


async def test_a_proxy_of_ones_own(tmp_path: Path) -> None:
    """`public_base_url` alone: nothing is started, and it is checked all the same."""
    source = tone(tmp_path / "a.wav")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    publish = {"method": "public_url", "source_port": port, "public_base_url": f"http://localhost:{port}/"}
    async with Service() as service:
        async with running(tmp_path / "home", service, publish=publish) as daemon:
            job = await until(daemon, await transform(daemon, source))
            assert job.state is State.PLACED
            assert service.fetches[0]["url"].startswith(f"http://localhost:{port}/source/")
        publish |= {"public_base_url": "http://me:hunter2@127.0.0.1:9", "source_port": 0}
        async with running(tmp_path / "home", service, publish=publish) as daemon:
            name = await transform(daemon, source, seed=3, valid_for=2)
            problem = await until_problem(daemon, name, "does not come back")
            assert "hunter2" not in problem.text
            assert (await until(daemon, name)).state is State.HELD
        assert len(service.charges) == 1


CLOUD = {"name": "empiriolabs", "base_url": "https://service.invalid"}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "does not say how"),
    "http": ({"public_base_url": "http://me.example.org"}, "not https"),
    "own network": ({"public_base_url": "https://studio.local"}, "only your own network"),
    "own network by number": ({"public_base_url": "https://192.168.1.20:8443"}, "only your own network"),
    "own network by a short name": ({"public_base_url": "https://nas"}, "only your own network"),
    "bucket in the own network": (
        {"s3_bucket": "b", "s3_endpoint": "https://[fd00::20]:9000"},
        "only your own network",
    ),
    "tailnet": ({"public_base_url": "https://100.101.102.103"}, "only your own network"),
    "no program": ({"tunnel_command": "no-such-tunnel --url {url}"}, "not installed"),
    "quotes": ({"tunnel_command": "python 'x"}, "cannot be read"),
    "method alone": ({"method": "public_url"}, "neither tunnel_command"),
    "no bucket": ({"method": "s3"}, "s3_bucket is not set"),
    "http bucket": ({"s3_bucket": "b", "s3_endpoint": "http://nas.local:9000"}, "not https"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_cannot_work_is_refused_before_anything_is_taken(tmp_path: Path, case: str) -> None:
    publish, words = REFUSED[case]
    source = tone(tmp_path / "a.wav")
    async with running(tmp_path / "home", None, key="sk-a-key", engine=CLOUD, publish=publish) as daemon:
        with pytest.raises(NotPublished, match=words) as refused:
            await transform(daemon, source)
        assert refused.value.as_dict()["charge"] == "none"
        assert "publish" in refused.value.next_step
        assert await daemon.actions.jobs(states=[], q=None, client=None, before=None, limit=9) == []
        about = (await daemon.actions.status())["publish"]
        assert (about["ready"], about["problem"]["code"]) == (False, "E-PUBLISH")


# The command line


SAYS = {
    "cloudflared": (
        [
            "2026-01-16T08:32:54Z INF Requesting new quick Tunnel on trycloudflare.com...",
            '2026-01-16T08:32:54Z ERR failed to request: Post "https://api.trycloudflare.com/tunnel": timeout',
            "2026-01-16T08:32:58Z INF |  https://two-words-more-again.trycloudflare.com                    |",
            "2026-01-16T08:32:58Z INF Settings: map[url:http://127.0.0.1:9132]",
            "INF see https://developers.cloudflare.com/cloudflare-one/connections/connect-apps",
        ],
        "https://two-words-more-again.trycloudflare.com",
    ),
    "ngrok": (
        [
            't=2026-01-16T08:32:54+0000 lvl=info msg="starting web service" obj=web addr=127.0.0.1:4040',
            't=2026-01-16T08:32:54+0000 lvl=eror msg=failed err="see https://dashboard.ngrok.com/get-started"',
            't=2026-01-16T08:32:58+0000 lvl=info msg="started tunnel" obj=tunnels name=command_line '
            "addr=http://127.0.0.1:9132 url=https://a1b2-203-0-113-7.ngrok-free.app",
        ],
        "https://a1b2-203-0-113-7.ngrok-free.app",
    ),
    "tailscale": (
        [
            "Funnel is not enabled on your tailnet. To enable, visit: https://login.tailscale.com/f/funnel?node=abc",
            "Available on the internet:",
            "https://studio.tail1234.ts.net/",
            "|-- proxy http://127.0.0.1:9132",
        ],
        "https://studio.tail1234.ts.net",
    ),
}


#: Of a program's file.
ENDING = ".exe" if os.name == "nt" else ""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in PROGRAMS:
        file = folder / f"{name}{ENDING}"
        file.write_text("#!/bin/sh\n")
        file.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_name_alone_is_a_whole_command_line(programs: Path, name: str) -> None:
    expected = {
        "cloudflared": ("tunnel", "--no-autoupdate", "--protocol", "http2", "--url", "http://127.0.0.1:9132"),
        "ngrok": ("http", "127.0.0.1:9132", "--log", "stdout", "--log-format", "logfmt"),
        "tailscale": ("funnel", "http://127.0.0.1:9132"),
    }
    program, *words = tunnel_command(name, 9132).argv
    assert (Path(program), *words) == (programs / f"{name}{ENDING}", *expected[name])


@pytest.mark.parametrize("name", SAYS)
def test_its_url_is_found_and_no_other(programs: Path, name: str) -> None:
    lines, url = SAYS[name]
    command = tunnel_command(name, 9132)
    assert [found for line in lines for found in command.urls(line)] == [url]
    assert [found for line in lines for found in command.urls(f"\x1b[36m{line}\x1b[0m")] == [url]


def test_an_unknown_program_may_print_any_url() -> None:
    command = tunnel_command(f"'{sys.executable}' --to {{port}}", 9132)
    assert command.argv[1:] == ("--to", "9132")
    line = "up: https://a.example.org/x/, http://127.0.0.1:9132 http://10.0.0.1 https://u:p@b.example.org https://c.org/?k=1"
    assert list(command.urls(line)) == ["https://a.example.org/x"]
    assert list(command.urls("https://[::1 https://:99999999")) == []


def test_paths_of_windows_are_not_eaten() -> None:
    text = r'"C:\Program Files\cloudflared\cloudflared.exe" tunnel --url {url}'
    assert _split(text, windows=True) == [r"C:\Program Files\cloudflared\cloudflared.exe", "tunnel", "--url", "{url}"]
    assert _split("'/opt/my tunnel' --x", windows=False) == ["/opt/my tunnel", "--x"]


# What a person sees


def test_status_tells_the_way_and_whether_it_is_ready() -> None:
    from bridge_daemon.cli.status import _publish_lines

    def lines(name: str = "empiriolabs", **publish: Any) -> str:
        told = {"method": "public_url", "ready": True, "tunnel": None, "problem": None} | publish
        return "".join(f"{key}: {text}" for key, text in _publish_lines({"engine": {"name": name}, "publish": told}))

    assert lines("sketch") == ""
    assert lines(method="s3") == "Sources: s3, ready"
    assert "when a transform needs it" in lines(tunnel={"url": None, "open_sources": 0})
    assert "https://a.org; 2 source(s) can be fetched" in lines(tunnel={"url": "https://a.org", "open_sources": 2})
    problem = {"code": "E-PUBLISH", "message": "No way.", "next": "Set one."}
    assert lines(method=None, problem=problem).endswith("E-PUBLISH No way.\nNext: Set one.")
