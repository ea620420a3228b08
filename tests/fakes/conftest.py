"""For the tests of the fakes themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio

from tests.fakes.caller import Caller
from tests.fakes.service import Service


@pytest_asyncio.fixture
async def caller() -> AsyncIterator[Caller]:
    # what one answer leaves on its connection is no matter of the next
    connector = aiohttp.TCPConnector(force_close=True)
    async with Service() as service, aiohttp.ClientSession(connector=connector, requote_redirect_url=False) as session:
        yield Caller(service, session)
