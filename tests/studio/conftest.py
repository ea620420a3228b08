"""Rooms of one studio: each a home of its own, all on one database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import postgres
from tests.publish.conftest import s3  # noqa: F401 - the server of buckets is a fixture


@pytest.fixture
def studio(server: postgres.Cluster) -> str:
    """The URL of an empty journal of a studio."""
    return server.new()


@pytest.fixture
def own_server() -> Iterator[postgres.Cluster]:
    """A server that a test may stop."""
    with postgres.cluster(durable=True) as made:
        yield made
