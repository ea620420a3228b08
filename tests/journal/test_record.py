"""The record of what was sent, by itself: what is added lies on the medium, and what is read of it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon.errors import JournalUnusable
from bridge_daemon.journal import record

COMPARED = {"kind": record.COMPARED}


def line(number: int) -> record.Line:
    return {"kind": "submitting", "number": number}


def written(path: Path, *lines: Any) -> Path:
    path.write_bytes(b"".join(json.dumps(one).encode() + b"\n" for one in lines))
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / record.NAME


@pytest.fixture
def older(tmp_path: Path) -> Path:
    return written(tmp_path / "sent.old.jsonl", line(1))


def test_what_is_added_is_flushed_before_add_returns(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[bytes] = []
    monkeypatch.setattr(record, "flush_to_disk", lambda _: flushed.append(path.read_bytes()))
    sent = record.Record(path)
    sent.open()
    sent.add([line(1), line(2)])
    sent.close()
    assert flushed[-1] == path.read_bytes()
    assert record.everything(path) == [COMPARED, line(1), line(2)]


def test_only_what_no_start_has_compared_is_compared(path: Path) -> None:
    assert record.to_compare(path) == []
    assert record.to_compare(written(path, line(1), COMPARED, line(2), line(3))) == [line(2), line(3)]
    assert record.to_compare(written(path, line(1), line(2))) == [line(1), line(2)]
    assert record.to_compare(written(path, line(1), COMPARED)) == []


def test_the_older_file_counts_where_this_one_is_short(
    path: Path, older: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = written(path, line(2)).stat().st_size
    assert record.to_compare(path) == [line(1), line(2)]
    monkeypatch.setattr(record, "_TAIL", size)
    assert record.to_compare(path) == [line(2)]
    path.unlink()
    assert record.to_compare(path) == []


def test_what_is_no_line_of_the_record_is_passed_over(path: Path) -> None:
    written(path, 7, ["kind"], {}, {"kind": 1}, line(1))
    with path.open("ab") as file:
        file.write(b'{"kind": "submit')  # torn
    assert record.everything(path) == [line(1)]


def test_a_file_may_grow_and_nothing_else(path: Path, older: Path) -> None:
    known = record.Known(written(path, line(1), line(2)))
    known.check()
    written(path, line(1), line(2), line(3))
    known.check()
    written(path, line(1), line(2))
    with pytest.raises(JournalUnusable, match="was cut off"):
        known.check()
    older.replace(path)
    with pytest.raises(JournalUnusable, match="was replaced"):
        known.check()
    path.unlink()
    with pytest.raises(JournalUnusable, match="is gone"):
        known.check()
