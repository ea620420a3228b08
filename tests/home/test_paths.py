"""The home: its paths, its secrets, one daemon in it. Real files, real processes."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridge_daemon.errors import HomeUnsafe
from bridge_daemon.home.paths import AlreadyRunning, Home
from bridge_daemon.home.runtime import Runtime
from bridge_daemon.settings.load import Settings

IMPORTS = "import sys; from pathlib import Path; from bridge_daemon.home.paths import Home"
posix = pytest.mark.posix("modes and owners of POSIX")
RUNTIME = Runtime(
    pid=4242, http_url="http://127.0.0.1:9131", osc_port=9130, version="0.1.0", started_at=1_700_000_000.5
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "Musik für Zoë" / "my home")


def python(code: str, *arguments: str, environ: dict[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=os.environ | (environ or {}),
    )


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@contextmanager
def as_somebody_else() -> Iterator[None]:
    """Root may write everywhere, so become a nobody for a moment."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


class TestPlaces:
    def test_environment_names_it(self, tmp_path: Path) -> None:
        home = Home.locate({"DAW_BRIDGE_HOME": str(tmp_path / "ä b")})
        assert home == Home(tmp_path / "ä b", named=True)

    def test_tilde_and_relative_paths_are_made_whole(self) -> None:
        assert Home.locate({"DAW_BRIDGE_HOME": "~/x"}).path == Path.home() / "x"
        assert Home.locate({"DAW_BRIDGE_HOME": "x"}).path == Path.cwd() / "x"

    @pytest.mark.parametrize("environ", [{}, {"DAW_BRIDGE_HOME": ""}, {"DAW_BRIDGE_HOME": "  "}])
    def test_without_a_name_it_is_the_platforms_folder(self, environ: dict[str, str]) -> None:
        home = Home.locate(environ)
        assert home.path.name == "daw-bridge"
        assert home.path.is_absolute()
        assert not home.named

    @posix
    def test_unknown_user_is_told(self) -> None:
        with pytest.raises(HomeUnsafe, match="DAW_BRIDGE_HOME = ~nobody-has-this-name"):
            Home.locate({"DAW_BRIDGE_HOME": "~nobody-has-this-name/x"})

    def test_every_path_lies_in_it(self, home: Home) -> None:
        named = {
            home.config: "config.toml",
            home.token_file: "token",
            home.key_file: "key",
            home.sessions_file: "sessions.json",
            home.journal: "journal.sqlite3",
            home.runtime_file: "runtime.json",
            home.lock_file: "daemon.lock",
            home.inbox: "inbox",
            home.outbox: "outbox",
            home.log_file: "logs/daemon.log",
            home.sources: "sources",
            home.sketch: "sketch",
        }
        for path, name in named.items():
            assert path == home.path / name

    def test_library(self, home: Home, tmp_path: Path) -> None:
        default = Settings()
        assert home.library(default.audio.library) == home.path / "library"
        assert Home(home.path, named=False).library(default.audio.library).name == "daw-bridge"
        assert not Home(home.path, named=False).library(default.audio.library).is_relative_to(home.path)
        own = Settings.model_validate({"audio": {"library": "~/Takes"}})
        assert home.library(own.audio.library) == Path.home() / "Takes"


class TestPrepare:
    def test_makes_everything(self, home: Home) -> None:
        home.prepare()
        for folder in (home.path, *home.folders):
            assert folder.is_dir()
            if sys.platform != "win32":
                assert mode(folder) == 0o700
        assert len(home.read_token()) == 64
        int(home.token_file.read_text(encoding="ascii"), 16)
        assert sorted(p.name for p in home.path.iterdir()) == ["inbox", "logs", "outbox", "sketch", "sources", "token"]

    def test_again_changes_nothing(self, home: Home) -> None:
        home.prepare()
        token = home.read_token()
        home.prepare()
        assert home.read_token() == token

    @posix
    def test_token_is_closed_from_birth(self, home: Home) -> None:
        before = os.umask(0)
        try:
            home.prepare()
        finally:
            os.umask(before)
        assert mode(home.token_file) == 0o600
        assert mode(home.path) == 0o700

    @posix
    def test_open_home_is_closed(self, home: Home) -> None:
        home.path.mkdir(parents=True)
        home.path.chmod(0o755)
        home.prepare()
        assert mode(home.path) == 0o700

    @posix
    @pytest.mark.parametrize("name", ["token", "key"])
    @pytest.mark.parametrize(("bits", "verb"), [(0o640, "read"), (0o604, "read"), (0o620, "change")])
    def test_open_secret_is_refused(self, home: Home, name: str, bits: int, verb: str) -> None:
        home.prepare()
        secret = home.path / name
        if name == "key":
            secret.write_text("sk-empiriolabs-12345678", encoding="ascii")
        secret.chmod(bits)
        with pytest.raises(HomeUnsafe, match=f"Other users of this machine can {verb}") as caught:
            home.prepare()
        assert str(secret) in caught.value.message
        assert "chmod 600" in caught.value.next_step
        assert mode(secret) == bits  # what others may have read is not quietly closed and used on

    @pytest.mark.parametrize("content", [b"", b"abc", b"z" * 64, b"a" * 65, b"\xff\xfe" * 32, b"a" * 5000])
    def test_damaged_token_is_refused(self, home: Home, content: bytes) -> None:
        home.prepare()
        home.token_file.write_bytes(content)
        with pytest.raises(HomeUnsafe) as caught:
            home.prepare()
        assert str(home.token_file) in caught.value.message
        assert "emove" in caught.value.next_step

    def test_an_editors_line_end_is_no_damage(self, home: Home) -> None:
        home.prepare()
        token = home.read_token()
        home.token_file.write_text(token + "\r\n", encoding="ascii", newline="")
        assert home.read_token() == token

    @posix
    def test_secret_that_is_a_link_is_refused(self, home: Home, tmp_path: Path) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.write_text("a" * 64, encoding="ascii")
        elsewhere.chmod(0o600)
        home.path.mkdir(parents=True)
        home.token_file.symlink_to(elsewhere)
        with pytest.raises(HomeUnsafe, match="is a link"):
            home.prepare()

    @posix
    def test_secret_that_is_no_file_is_refused(self, home: Home) -> None:
        home.path.mkdir(parents=True)
        home.token_file.mkdir(mode=0o700)
        with pytest.raises(HomeUnsafe, match="not a plain file"):
            home.prepare()
        home.token_file.rmdir()
        os.mkfifo(home.token_file, 0o600)
        with pytest.raises(HomeUnsafe, match="not a plain file"):
            home.prepare()

    def test_missing_token_is_told(self, home: Home) -> None:
        with pytest.raises(HomeUnsafe, match="cannot be read"):
            home.read_token()

    def test_home_that_is_a_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "home").write_text("", encoding="utf-8")
        with pytest.raises(HomeUnsafe, match="is a file, not a folder"):
            Home(tmp_path / "home").prepare()

    def test_folder_name_taken_by_a_file_is_told(self, home: Home) -> None:
        home.path.mkdir(parents=True)
        home.inbox.write_text("", encoding="utf-8")
        with pytest.raises(HomeUnsafe, match="inbox"):
            home.prepare()

    def test_home_below_a_file_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("", encoding="utf-8")
        with pytest.raises(HomeUnsafe, match="cannot be used"):
            Home(tmp_path / "file" / "home").prepare()

    @pytest.mark.parametrize("path", [Path.home(), Path(Path.home().anchor), Path.home().parent])
    def test_folders_of_other_use_are_refused(self, path: Path) -> None:
        before = path.stat().st_mode
        with pytest.raises(HomeUnsafe, match="cannot be the home"):
            Home(path).prepare()
        assert path.stat().st_mode == before

    @posix
    def test_link_to_another_disk_is_fine(self, home: Home, tmp_path: Path) -> None:
        disk = tmp_path / "big disk"
        disk.mkdir(mode=0o755)
        home.path.parent.mkdir()
        home.path.symlink_to(disk)
        home.prepare()
        assert (disk / "token").is_file()
        assert mode(disk) == 0o700

    @posix
    def test_link_to_nothing_is_refused(self, home: Home, tmp_path: Path) -> None:
        home.path.parent.mkdir()
        home.path.symlink_to(tmp_path / "unplugged")
        with pytest.raises(HomeUnsafe, match="unplugged, which is not there"):
            home.prepare()

    @posix
    def test_link_to_the_persons_folder_is_refused(self, home: Home) -> None:
        home.path.parent.mkdir()
        home.path.symlink_to(Path.home())
        with pytest.raises(HomeUnsafe, match="cannot be the home"):
            home.prepare()

    @posix
    def test_home_without_write_access_is_refused(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "home"
            path.mkdir()
            if os.geteuid() == 0:
                Path(folder).chmod(0o755)
                os.chown(path, 65534, -1)
            path.chmod(0o500)
            with as_somebody_else(), pytest.raises(HomeUnsafe, match="cannot be used: Permission denied") as caught:
                Home(path).prepare()
            assert "DAW_BRIDGE_HOME" in caught.value.next_step

    @posix
    @pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give a folder away")
    def test_home_of_another_user_is_refused(self, home: Home) -> None:
        home.path.mkdir(parents=True)
        os.chown(home.path, 65534, -1)
        with pytest.raises(HomeUnsafe, match="belongs to another user"):
            home.prepare()
        assert list(home.path.iterdir()) == []

    @posix
    def test_disk_without_links_gets_a_token_too(self, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        def no_links(*_: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", no_links)
        home.prepare()
        assert len(home.read_token()) == 64
        assert mode(home.token_file) == 0o600


class TestRace:
    def test_processes_that_start_at_once_agree_on_the_token(self, home: Home) -> None:
        code = (
            f"{IMPORTS}\n"
            "home = Home(Path(sys.argv[1])); print('ready', flush=True); sys.stdin.readline()\n"
            "home.prepare(); print(home.read_token())"
        )
        processes = [python(code, str(home.path)) for _ in range(4)]
        for process in processes:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        tokens = [process.communicate(timeout=20)[0].strip() for process in processes]
        assert [process.returncode for process in processes] == [0] * 4
        assert set(tokens) == {home.read_token()}
        assert not list(home.path.glob(".*"))

    @pytest.mark.parametrize("point", ["file.token.write", "file.token.replace"])
    def test_death_while_the_token_is_made(self, home: Home, point: str) -> None:
        code = f"{IMPORTS}; Home(Path(sys.argv[1])).prepare()"
        process = python(code, str(home.path), environ={"DAW_BRIDGE_FAILPOINT": f"{point}:1"})
        process.communicate(timeout=20)
        assert process.returncode == 137
        home.prepare()
        assert len(home.read_token()) == 64


HOLDER = f"{IMPORTS}\nlock = Home(Path(sys.argv[1])).lock(); print('held', flush=True); sys.stdin.readline()"


class TestLock:
    def test_second_one_learns_of_the_first(self, home: Home) -> None:
        home.prepare()
        home.write_runtime(RUNTIME)
        with home.lock() as lock:
            assert lock.held
            with pytest.raises(AlreadyRunning, match=r"already running \(pid 4242, http://127.0.0.1:9131\)") as caught:
                Home(home.path).lock()
            assert caught.value.runtime == RUNTIME
        assert not lock.held
        lock.release()
        home.lock().release()

    def test_while_the_first_still_starts(self, home: Home) -> None:
        home.prepare()
        with home.lock(), pytest.raises(AlreadyRunning, match="just starting") as caught:
            home.lock()
        assert caught.value.runtime is None

    def test_killed_holder_frees_it(self, home: Home) -> None:
        home.prepare()
        process = python(HOLDER, str(home.path))
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        with pytest.raises(AlreadyRunning):
            home.lock()
        process.kill()
        process.communicate(timeout=20)
        if sys.platform != "win32":
            assert process.returncode == -signal.SIGKILL
        home.lock().release()

    def test_one_of_many_wins(self, home: Home) -> None:
        home.prepare()
        code = HOLDER.replace("; sys.stdin.readline()", "").replace("lock = ", "sys.stdin.readline(); lock = ") + (
            "; sys.stdin.readline()"
        )
        processes = [python(code, str(home.path)) for _ in range(3)]
        for process in processes:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        # the losers end with AlreadyRunning by themselves; the winner waits for one more line
        answers = []
        for process in processes:
            assert process.stdout
            answers.append(process.stdout.readline())
        assert sorted(answers) == ["", "", "held\n"]
        for process in processes:
            process.communicate(timeout=20)

    def test_home_that_is_not_there_cannot_be_locked(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("", encoding="utf-8")
        with pytest.raises(HomeUnsafe, match="cannot be locked"):
            Home(tmp_path / "file").lock()


class TestRuntime:
    def test_there_and_back(self, home: Home) -> None:
        home.prepare()
        assert home.read_runtime() is None
        home.write_runtime(RUNTIME)
        assert home.read_runtime() == RUNTIME
        assert json.loads(home.runtime_file.read_text(encoding="utf-8")) == {
            "pid": 4242,
            "http_url": "http://127.0.0.1:9131",
            "osc_port": 9130,
            "version": "0.1.0",
            "started_at": 1_700_000_000.5,
        }
        home.remove_runtime()
        home.remove_runtime()
        assert home.read_runtime() is None

    def test_without_osc(self, home: Home) -> None:
        home.prepare()
        runtime = Runtime(pid=1, http_url="http://x", osc_port=None, version="1", started_at=0.0)
        home.write_runtime(runtime)
        assert home.read_runtime() == runtime

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{",
            b"[]",
            b"null",
            b"{}",
            b'{"pid": "x"}',
            b"\xff",
            b'{"pid": 1e999, "osc_port": 1}',
            b'"pid"',
            b"[" * 100_000,
            b'{"pid": 1, "http_url": "x", "osc_port": [], "version": "1", "started_at": 0}',
        ],
    )
    def test_damaged_is_none(self, home: Home, content: bytes) -> None:
        home.prepare()
        home.runtime_file.write_bytes(content)
        assert home.read_runtime() is None


@posix
@pytest.mark.parametrize("name", ["config.toml", "journal.sqlite3", "anything", "inbox/press.json", "link"])
def test_what_another_user_put_into_an_open_home_is_not_obeyed(tmp_path: Path, name: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make files of another user")
    home = Home(tmp_path / "home")
    home.prepare()
    planted = home.path / name
    if name == "link":
        planted.symlink_to("/etc/hostname")
    else:
        planted.write_text("")
    os.chown(planted, 12345, -1, follow_symlinks=False)
    with pytest.raises(HomeUnsafe, match="belongs to another user") as refused:
        home.prepare()
    assert str(planted) in str(refused.value)


@posix
def test_settings_with_a_second_name_are_not_obeyed(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    home.config.write_text("")
    (tmp_path / "elsewhere").hardlink_to(home.config)
    with pytest.raises(HomeUnsafe, match="second name"):
        home.prepare()
    (tmp_path / "elsewhere").unlink()
    home.config.chmod(0o666)
    home.prepare()
    assert stat.S_IMODE(home.config.stat().st_mode) == 0o644
