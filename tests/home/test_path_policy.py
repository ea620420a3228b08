from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge_daemon.errors import PathRefused
from bridge_daemon.home import path_policy as roots_module
from bridge_daemon.home.path_policy import PathPolicy, text_is_plain

posix = pytest.mark.posix("made of links, FIFOs and sockets of POSIX")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A person's folder with files in all sorts of places."""
    for name in (
        "music/song.wav",
        "music/Größe & Töne – 音/ein Take.wav",
        "music/.hidden/song.wav",
        "music/.hidden.wav",
        "music2/song.wav",
        "elsewhere/song.wav",
        ".home/library/take.wav",
        ".home/library/.part/take.wav",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


@pytest.fixture
def roots(tree: Path) -> PathPolicy:
    return PathPolicy(
        [tree / "music", tree / "not yet there"], always=[tree / ".home"], writable=[tree / ".home" / "library"]
    )


def refusal(roots: PathPolicy, text: str) -> PathRefused:
    with pytest.raises(PathRefused) as caught:
        roots.check(text)
    return caught.value


class TestReading:
    @pytest.mark.parametrize("behind", [".", " ", ". ."])
    def test_dots_and_blanks_behind_a_name(self, tree: Path, roots: PathPolicy, behind: str) -> None:
        """Windows leaves them out, so the file without them is what is found; elsewhere there is no such file."""
        given = f"{tree / 'music' / 'song.wav'}{behind}"
        if os.name == "nt":
            assert roots.check(given).samefile(tree / "music" / "song.wav")
        else:
            refusal(roots, given)

    @pytest.mark.parametrize(
        "name",
        [
            "music/song.wav",
            "music/Größe & Töne – 音/ein Take.wav",
            "music/./song.wav",
            "music/.hidden/../song.wav",
            "elsewhere/../music/song.wav",
            ".home/library/take.wav",
            ".home/library/.part/take.wav",
        ],
    )
    def test_allowed(self, tree, roots, name):
        found = roots.check(f"{tree}/{name}")
        assert found == Path(os.path.realpath(tree / name))

    @pytest.mark.parametrize(
        "name",
        [
            "elsewhere/song.wav",
            "music2/song.wav",  # a sibling whose name begins alike
            "music/../elsewhere/song.wav",
            "music/../music2/song.wav",
            "music/.hidden/song.wav",
            "music/.hidden.wav",
            "music",
            "music/",
            "music/missing.wav",
            "music/missing/song.wav",
            "music/song.wav/x",
            "not yet there/x.wav",
            "",
        ],
    )
    def test_refused(self, tree, roots, name):
        refusal(roots, f"{tree}/{name}")

    def test_missing_and_forbidden_sound_alike(self, tree, roots):
        texts = [f"{tree}/elsewhere/song.wav", f"{tree}/elsewhere/none.wav", f"{tree}/music/none.wav", f"{tree}/music"]
        errors = [refusal(roots, text) for text in texts]
        assert len({error.message.replace(text, "PATH") for error, text in zip(errors, texts, strict=True)}) == 1
        assert len({error.next_step for error in errors}) == 1
        assert errors[0].code == "E-PATH"
        assert errors[0].charge == "none"
        assert texts[0] in errors[0].message
        assert "daw-bridge config allow" in errors[0].message

    @pytest.mark.parametrize(
        "text",
        [
            "",
            ".",
            "song.wav",
            "./song.wav",
            "music/song.wav",
            "C:song.wav",
            "\\song.wav",
            "//host/share/song.wav",
            "\\\\host\\share\\song.wav",
            "/\\host\\share\\song.wav",
            "\\/host/share/song.wav",
            "\\\\?\\C:\\song.wav",
            "\\\\.\\pipe\\x",
            "~nobody-of-this-name/song.wav",
            "/\0/song.wav",
            "/dev/stdin",
            "/dev/null",
            "/proc/self/environ",
            "/etc/passwd",
            "file:///etc/passwd",
            "/" + "a" * 5000,
            "/" + "a/" * 5000,
            "/\udcff\ud800",
        ],
    )
    def test_odd_texts(self, roots, text, tree, monkeypatch):
        monkeypatch.chdir(tree)
        message = refusal(roots, text).message
        assert len(message) < 600
        assert "\0" not in message
        message.encode()

    def test_absolute_with_two_slashes_is_a_share(self, tree, roots):
        refusal(roots, f"/{tree}/music/song.wav")

    def test_tilde_is_the_home(self, tree, monkeypatch):
        monkeypatch.setenv("HOME", str(tree))
        monkeypatch.setenv("USERPROFILE", str(tree))
        roots = PathPolicy([Path("~/music")])
        assert roots.check("~/music/song.wav").name == "song.wav"
        refusal(roots, "~/music2/song.wav")
        refusal(roots, "~")

    @posix
    def test_links(self, tree, roots):
        (tree / "music" / "out.wav").symlink_to(tree / "elsewhere" / "song.wav")
        (tree / "music" / "out").symlink_to(tree / "elsewhere")
        (tree / "music" / "in.wav").symlink_to(tree / "music" / "song.wav")
        (tree / "elsewhere" / "in").symlink_to(tree / "music")
        (tree / "music" / "to hidden.wav").symlink_to(tree / "music" / ".hidden" / "song.wav")
        (tree / "music" / "loop").symlink_to(tree / "music" / "loop")
        (tree / "music" / "dead").symlink_to(tree / "music" / "gone")
        for name in ("out.wav", "out/song.wav", "to hidden.wav", "loop", "loop/x", "dead"):
            refusal(roots, f"{tree}/music/{name}")
        assert roots.check(f"{tree}/music/in.wav") == (tree / "music" / "song.wav").resolve()
        assert roots.check(f"{tree}/elsewhere/in/song.wav") == (tree / "music" / "song.wav").resolve()

    @posix
    def test_a_root_that_is_a_link(self, tree):
        (tree / "link").symlink_to(tree / "elsewhere")
        assert PathPolicy([tree / "link"]).check(f"{tree}/elsewhere/song.wav").name == "song.wav"

    @posix
    def test_only_regular_files(self, tree, roots):
        os.mkfifo(tree / "music" / "fifo.wav")
        refusal(roots, f"{tree}/music/fifo.wav")
        with socket.socket(socket.AF_UNIX) as listener:
            here = Path.cwd()
            os.chdir(tree / "music")  # a socket's path is short
            try:
                listener.bind("s.wav")
            finally:
                os.chdir(here)
            refusal(roots, f"{tree}/music/s.wav")

    def test_a_hidden_folder_that_was_allowed_by_name(self, tree):
        assert PathPolicy([tree / "music" / ".hidden"]).check(f"{tree}/music/.hidden/song.wav")

    def test_nothing_is_allowed_without_roots(self, tree):
        refusal(PathPolicy([]), f"{tree}/music/song.wav")

    def test_a_root_that_comes_later(self, tree, roots):
        (tree / "not yet there").mkdir()
        (tree / "not yet there" / "x.wav").write_bytes(b"x")
        assert roots.check(f"{tree}/not yet there/x.wav")

    def test_system_folders(self, tree, monkeypatch):
        monkeypatch.setattr(roots_module, "_system_folders", lambda _: [tree / "Music"])  # in any case
        refusal(PathPolicy([tree]), f"{tree}/music/song.wav")
        assert PathPolicy([tree]).check(f"{tree}/elsewhere/song.wav")
        assert PathPolicy([tree]).check(f"{tree}/music2/song.wav")
        assert PathPolicy([tree / "music"]).check(f"{tree}/music/song.wav")  # allowed by name
        monkeypatch.setattr(roots_module, "_own_folders", lambda: [tree / "music"])
        assert PathPolicy([tree]).check(f"{tree}/music/song.wav")

    @posix
    def test_the_whole_disk_as_root_does_not_open_the_system(self):
        for text in ("/etc/passwd", "/proc/self/environ", "/etc/hostname"):
            refusal(PathPolicy([Path("/")]), text)

    @given(st.text(max_size=60))
    def test_any_text_is_refused_in_words(self, text):
        roots = PathPolicy([Path("/nonexistent-root")])
        for start in ("", "/", "~", "~/", "/nonexistent-root/"):
            error = refusal(roots, start + text)
            assert "config allow" in error.message


class TestWindowsTexts:
    """The rules for texts hold without a Windows to ask, since asking is what they prevent."""

    @pytest.mark.parametrize(
        "text",
        ["C:\\Music\\song.wav", "c:/Music/song.wav", "D:\\Größe\\console.wav", "~\\Music\\song.wav", "~/x.wav"],
    )
    def test_plain(self, text):
        assert text_is_plain(text, windows=True)

    @pytest.mark.parametrize(
        "text",
        [
            "C:song.wav",
            "C:",
            "\\Music\\song.wav",
            "/Music/song.wav",
            "song.wav",
            "\\\\host\\share\\song.wav",
            "//host/share/song.wav",
            "\\\\?\\C:\\song.wav",
            "C:\\song.wav:stream",
            "C:\\song.wav::$DATA",
            "C:\\a:b\\song.wav",
            "~\\song.wav:stream",
            *[
                f"C:\\Music\\{name}"
                for name in ("CON", "nul", "AUX.wav", "com1", "LPT9.txt", "COM¹", "NUL .wav", "CONIN$")
            ],
            "C:\\nul\\song.wav",
            "~\\prn",
        ],
    )
    def test_not_plain(self, text):
        assert not text_is_plain(text, windows=True)

    @pytest.mark.parametrize("text", ["/music/take 12:30.wav", "/music/con.wav", "/aux"])
    def test_elsewhere_those_are_names(self, text):
        assert text_is_plain(text, windows=False)


class TestWriting:
    @pytest.mark.parametrize("project", ["song.rpp", "Song.RPP", "song.als", "Söng 音.ALS"])
    def test_a_projects_folder_and_the_one_below(self, tree, roots, project):
        (tree / "elsewhere" / project).write_bytes(b"")
        (tree / "elsewhere" / "Media").mkdir()
        (tree / "elsewhere" / "Media" / "deep").mkdir()
        for name in ("elsewhere", "elsewhere/Media"):
            assert roots.check_folder_for_writing(f"{tree}/{name}") == (tree / name).resolve()
        with pytest.raises(PathRefused):
            roots.check_folder_for_writing(f"{tree}/elsewhere/Media/deep")

    def test_the_library(self, tree, roots):
        for name in (".home/library", ".home/library/.part"):
            assert roots.check_folder_for_writing(f"{tree}/{name}")

    @pytest.mark.parametrize(
        "name",
        ["music", "elsewhere", ".home", "missing", "music/song.wav", ".home/library/take.wav", ".home/library/no"],
    )
    def test_refused(self, tree, roots, name):
        with pytest.raises(PathRefused) as caught:
            roots.check_folder_for_writing(f"{tree}/{name}")
        assert name in caught.value.message

    @pytest.mark.parametrize("text", ["", "music", "//host/share", "\\\\host\\share", "/\0"])
    def test_odd_texts(self, roots, text):
        with pytest.raises(PathRefused):
            roots.check_folder_for_writing(text)

    def test_a_folder_named_like_a_project_is_none(self, tree, roots):
        (tree / "elsewhere" / "x.rpp").mkdir()
        with pytest.raises(PathRefused):
            roots.check_folder_for_writing(f"{tree}/elsewhere")

    @posix
    def test_a_link_out_of_a_projects_folder(self, tree, roots):
        (tree / "music" / "x.rpp").write_bytes(b"")
        (tree / "elsewhere" / "deep").mkdir()
        (tree / "music" / "link").symlink_to(tree / "elsewhere" / "deep")
        with pytest.raises(PathRefused):
            roots.check_folder_for_writing(f"{tree}/music/link")
