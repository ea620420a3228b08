"""What is left out of the tests in Windows is named as it is called today: else it would run there again, unseen."""

from __future__ import annotations

from pathlib import Path

from tests.windows.division import ALIKE, NOT_OF_WINDOWS

ROOT = Path(__file__).parents[2]


def test_each_path_is_there_and_left_out_once() -> None:
    paths = [*NOT_OF_WINDOWS, *ALIKE]
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert [path for path in paths if any(path.startswith(f"{other}/") for other in paths)] == []
    assert not set(NOT_OF_WINDOWS) & set(ALIKE)
