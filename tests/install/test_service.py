"""The service: the written files, and the calls of the system's programs, which are made up here.

``systemd-analyze`` is the real one where it is there. No launchd and no Task Scheduler has seen what is written.
"""

from __future__ import annotations

import json
import os
import plistlib
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bridge_daemon.errors import InstallTrouble
from bridge_daemon.home.paths import Home
from bridge_daemon.install import service
from bridge_daemon.install.supervisors import LaunchAgent, LogonTask, SystemdUser, name_of

HOME = "Ana's höme 100% $HOME"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / HOME)
    made.prepare()
    return made


@pytest.fixture
def spec(home: Home) -> service.ServiceSpec:
    environ = {
        "PATH": '/opt/my "tools":/usr/bin',
        "https_proxy": "http://proxy:3128",
        "HTTPS_PROXY": "http://ana:geheim-geheim@proxy:3128",
        "DAW_BRIDGE_SPEND__PER_DAY_USD": "3",
        "EMPIRIOLABS_API_KEY": "sk-never-0123456789abcdef",
        "AWS_SECRET_ACCESS_KEY": "never-never-never",
        "EDITOR": "vi",
    }
    return service.spec_of(home, environ)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put stand-ins first on the PATH; each writes down its words and answers with the code that ``code`` holds."""
    folder = tmp_path / "programs"
    folder.mkdir()
    text = (
        f"#!/bin/sh\n'''exec' \"{sys.executable}\" \"$0\" \"$@\"\n'''\n"
        "import json, pathlib, sys\nhere = pathlib.Path(__file__).parent\n"
        "(here / 'calls').open('a').write(json.dumps([pathlib.Path(__file__).name, *sys.argv[1:]]) + '\\n')\n"
        "code = here / 'code'\nprint('active')\nprint('no bus', file=sys.stderr)\n"
        "sys.exit(int(code.read_text()) if code.exists() else 0)\n"
    )
    for name in ("systemctl", "launchctl", "schtasks"):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def calls(programs: Path) -> list[list[str]]:
    file = programs / "calls"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_the_settings_of_the_terminal_go_along_and_no_secret(spec: service.ServiceSpec, home: Home) -> None:
    assert spec.environ["PATH"] == '/opt/my "tools":/usr/bin'
    assert spec.environ["https_proxy"] == "http://proxy:3128"
    assert spec.environ["DAW_BRIDGE_SPEND__PER_DAY_USD"] == "3"
    assert spec.environ["DAW_BRIDGE_HOME"] == str(home.path)
    assert spec.left_out == ("HTTPS_PROXY",)
    assert not {"EMPIRIOLABS_API_KEY", "AWS_SECRET_ACCESS_KEY", "EDITOR"} & set(spec.environ)
    assert "DAW_BRIDGE_HOME" not in service.spec_of(Home(home.path, named=False), {}).environ


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze (package systemd)")
def test_systemd_accepts_the_unit_and_reads_the_same_values(
    spec: service.ServiceSpec, home: Home, tmp_path: Path
) -> None:
    manager = SystemdUser(home, tmp_path / "config")
    service._write(manager.file, manager.text(spec))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", str(manager.file)],
        capture_output=True, text=True, check=False, env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert manager.file.name not in done.stderr, done.stderr  # warnings name the file
    text = manager.text(spec).decode()
    assert f'"DAW_BRIDGE_HOME={home.path}"'.replace("%", "%%") in text  # $ is nothing in Environment=
    assert '"PATH=/opt/my \\"tools\\":/usr/bin"' in text
    assert "Restart=on-failure" in text
    assert "StartLimitBurst=4" in text
    assert text.count("\nExecStart=") == 1
    assert "run" in text
    assert "geheim" not in text


def test_the_plist(spec: service.ServiceSpec, home: Home, tmp_path: Path) -> None:
    read = plistlib.loads(LaunchAgent(home, tmp_path).text(spec))
    assert read["ProgramArguments"] == list(spec.command)
    assert read["EnvironmentVariables"] == dict(spec.environ)
    assert read["KeepAlive"] == {"SuccessfulExit": False}
    assert read["RunAtLoad"] is True
    assert read["ExitTimeOut"] > 30, "a request on the wire is awaited for 30 s"


def test_the_task(spec: service.ServiceSpec, home: Home) -> None:
    text = LogonTask(home).text(spec).decode("utf-16")
    root = ElementTree.fromstring(text.partition("?>")[2])
    space = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}
    words = root.findtext("t:Actions/t:Exec/t:Arguments", namespaces=space) or ""
    assert f'"--env=DAW_BRIDGE_HOME={home.path}"' in words
    assert root.findtext("t:Settings/t:ExecutionTimeLimit", namespaces=space) == "PT0S"
    assert root.findtext("t:Settings/t:RestartOnFailure/t:Count", namespaces=space) == "4"
    assert root.find("t:Triggers/t:LogonTrigger", space) is not None
    assert "HighestAvailable" not in text


def test_each_home_has_a_service_of_its_own(home: Home, tmp_path: Path) -> None:
    assert name_of(Home(tmp_path / "x", named=False)) == "daw-bridge"
    assert len({name_of(home), name_of(Home(tmp_path / "other")), "daw-bridge"}) == 3


@pytest.mark.posix("the stand-ins are shell scripts, and the real program makes a task for whoever runs the tests")
@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_install_again_status_uninstall(
    platform: str,
    spec: service.ServiceSpec,
    home: Home,
    programs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    manager = service.supervisor(home, platform, {})
    assert not service.state(manager, spec).installed
    assert service.install(manager, spec) is True
    assert service.install(manager, spec) is False
    first = calls(programs)
    assert {call[0] for call in first} == {{"linux": "systemctl", "darwin": "launchctl", "win32": "schtasks"}[platform]}
    assert first[: len(first) // 2] == first[len(first) // 2 :]
    found = service.state(manager, spec)
    assert found.installed
    assert found.current
    assert not service.state(manager, service.spec_of(home, {"PATH": "/elsewhere"})).current
    service.uninstall(manager)
    assert not manager.file.exists()
    with pytest.raises(InstallTrouble):
        service.uninstall(manager)


@pytest.mark.posix("the stand-ins are shell scripts, and the real program makes a task for whoever runs the tests")
def test_what_the_system_refuses_leaves_nothing(
    spec: service.ServiceSpec, home: Home, programs: Path, tmp_path: Path
) -> None:
    (programs / "code").write_text("1")
    manager = SystemdUser(home, tmp_path / "config")
    with pytest.raises(InstallTrouble, match="no bus") as refused:
        service.install(manager, spec)
    assert "daw-bridge start" in refused.value.next_step
    assert not manager.file.exists()


def test_without_a_supervisor_it_says_what_else_there_is(
    spec: service.ServiceSpec, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    manager = SystemdUser(home, tmp_path / "config")
    with pytest.raises(InstallTrouble, match="systemctl is not on this machine") as refused:
        service.install(manager, spec)
    assert "daw-bridge start" in refused.value.next_step
