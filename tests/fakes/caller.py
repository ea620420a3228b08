"""The simplest client that the service can have, for the tests of the fake itself."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
from yarl import URL

from tests.fakes.service import GENERATIONS, Service

BODY = {"model": "stable-audio-2-0", "prompt": "rain", "output_format": "wav", "duration": 10}
TRANSFORM = BODY | {"mode": "audio-to-audio", "strength": 0.5}
#: Words that need an argument, or (drop) have to come twice to be seen.
ARGUMENTS = {
    "slow_ok": "slow_ok:0.05",
    "drop_at": "drop_at:0.5",
    "redirect": "redirect:2",
    "status": "status:running",
    "drop": "drop*2",
    "url": "url:{url}/elsewhere",
}

#: Words that never come to an end: how long is the caller's patience?
SILENT = {"silence", "endless_body", "endless", "slow_drip"}


class Caller:
    """As simple as can be: no redirects, no retries but those of aiohttp."""

    patience = 30.0  # s

    def __init__(self, service: Service, session: aiohttp.ClientSession) -> None:
        self.service, self.session = service, session
        self.headers = {"Authorization": f"Bearer {service.key}"}

    async def send(self, method: str, target: str, **more: Any) -> tuple[int | str, bytes]:
        """Return status and body; the name of the exception when there is no answer."""
        url = URL(target if target.startswith("http") else self.service.url + target, encoded=True)
        defaults: dict[str, Any] = {"allow_redirects": False, "timeout": aiohttp.ClientTimeout(total=self.patience)}
        try:
            async with self.session.request(method, url, **defaults | more) as answer:
                self.answer = answer
                return answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            return type(error).__name__, b""

    async def post(self, body: Any = BODY, **more: Any) -> tuple[int | str, bytes]:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = self.headers | {"Content-Type": "application/json"} | more.pop("headers", {})
        return await self.send("POST", GENERATIONS, data=raw, headers=headers, **more)

    def expect(self, word: str) -> None:
        """Have patience as the word deserves it."""
        self.patience = 0.5 if word in SILENT else 30.0

    async def poll(self, job: str) -> tuple[int | str, bytes]:
        return await self.send("GET", f"/v1/jobs/{job}", headers=self.headers)

    async def finished(self, body: Any = BODY) -> str:
        """Make a job and return the URL of its file."""
        job = json.loads((await self.post(body))[1])["job_id"]
        return str(json.loads((await self.poll(job))[1])["result"]["data"][0]["url"])
