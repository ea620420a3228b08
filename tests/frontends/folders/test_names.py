"""One list of endings: what a watched folder takes, a pad on that folder takes too."""

from __future__ import annotations

import os

import pytest

from bridge_daemon.domain.sound_files import ENDINGS
from bridge_daemon.frontends.folders import names
from bridge_daemon.frontends.midi.press_handler import newest_render


@pytest.mark.parametrize("ending", sorted(ENDINGS))
@pytest.mark.parametrize("spelled", [str.lower, str.upper])
def test_a_pad_takes_what_a_folder_takes(tmp_path, ending, spelled):
    render = tmp_path / f"drums{spelled(ending)}"
    render.write_bytes(b"x")
    assert names.is_render(render.name)
    assert newest_render(str(tmp_path), render.stat().st_mtime + 60) == render


@pytest.mark.parametrize("name", ["drums.part.wav", "drums_tmp.flac", "~drums.wav", "$drums.wav", ".drums.wav"])
def test_a_pad_leaves_what_a_folder_leaves(tmp_path, name):
    whole, left = tmp_path / "whole.wav", tmp_path / name
    whole.write_bytes(b"x")
    left.write_bytes(b"x")
    assert not names.is_render(name)
    left_at = whole.stat().st_mtime + 30
    os.utime(left, (left_at, left_at))
    assert newest_render(str(tmp_path), left_at + 60) == whole
