"""What is read of JSON does not depend on how much the Python at hand can nest."""

from __future__ import annotations

import pytest

from bridge_daemon.util.strict_json import MalformedJson, read, read_object


@pytest.mark.parametrize("depth", [101, 5_000, 60_000, 400_000])
@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a":', "}")])
def test_nesting_ends_at_a_hundred(begin: str, end: str, depth: int) -> None:
    with pytest.raises(MalformedJson, match="nested too deeply"):
        read(begin * depth + "1" + end * depth)


def test_what_is_used_is_read() -> None:
    assert read("[" * 99 + "1" + "]" * 99)
    assert read_object(b'{"a": {"b": [1, "x", null]}}') == {"a": {"b": [1, "x", None]}}
    assert read('"[[[["') == "[[[["
