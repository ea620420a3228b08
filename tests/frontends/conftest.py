"""A MIDI system for tests that ask for one: a JACK server without hardware, one for each worker."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.frontends.midi.controller import jack_server


@pytest.fixture(scope="session")
def _jack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    if shutil.which("jackd") is None:  # the mark of the test says what to install, before this is asked for
        pytest.skip("needs the program jackd: install the package jackd2")
    with jack_server(tmp_path_factory.mktemp("jack") / "jackd.log") as server:
        yield server.env


@pytest.fixture
def jack(_jack: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Set the environment so that this process and its children find the server."""
    for name, value in _jack.items():
        monkeypatch.setenv(name, value)
    return _jack
