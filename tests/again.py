"""When a test is run again (``--reruns``), what tests share is made anew.

Else the second run meets what the first one left: its press would be the double press of the first.
"""

from __future__ import annotations

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before a further run, end the fixtures of ours that outlive a test; they are then set up as usual."""
    if getattr(item, "execution_count", 1) > 1 and isinstance(item, pytest.Function):
        for found in item._fixtureinfo.name2fixturedefs.values():
            for one in found:
                if one.baseid and one.scope != "function":
                    one.finish(item._request)
