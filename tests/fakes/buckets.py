"""Stand-ins of S3-compatible stores with what each refuses. Signatures are checked over the exact bytes of the request.

Rules of all: query signatures by the page "Authenticating Requests: Using Query Parameters" of the AWS
documentation (Signature Version 4). Quirks, each from the documentation of its store:

* ``aws``: a region that is not the bucket's is ``AuthorizationQueryParametersError`` with the right one (S3 errors).
* ``r2``: no region but ``auto`` and its aliases ``us-east-1`` and empty (R2, S3 API compatibility).
* ``b2``: refuses ``x-amz-checksum-*`` and ``x-amz-sdk-checksum-algorithm`` headers (B2 S3-compatible API).
* ``gcs``, ``minio`` (older), ``oss``: no multi-object delete, 501 (arrow-rs-object-store 731).
* ``oss``: the bucket in the path is ``SecondLevelDomainForbidden`` (OSS error codes).
* ``seaweed``: nothing more; the tests run the real one too.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import formatdate

from aiohttp import web

KEY, SECRET = "testkey", "testsecret-0123456789"
NO_BULK = ("gcs", "minio", "oss")


class Store:
    def __init__(self, vendor: str) -> None:
        self.vendor = vendor
        self.region = {"aws": "eu-central-1", "r2": "auto", "b2": "eu-central-003"}.get(vendor)
        self.objects: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.refuse: dict[str, tuple[int, str, str]] = {}  # method → status, code, message
        self.ahead = 0.0  # s by which its clock is ahead of ours
        self.port = 0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.raw_path.partition('?')[0]}")
        headers = {"Date": formatdate(time.time() + self.ahead, usegmt=True)}
        refused = self._refused(request)
        if refused is not None:
            status, code, text, more = refused
            body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{text}</Message>{more}</Error>'
            return web.Response(status=status, text=body, content_type="application/xml", headers=headers)
        name = request.raw_path.partition("?")[0]
        if request.method == "PUT":
            self.objects[name] = await request.content.read()
            return web.Response(headers=headers)
        if request.method == "DELETE":
            self.objects.pop(name, None)
            return web.Response(status=204, headers=headers)
        if name not in self.objects:
            return web.Response(status=404, text="<Error><Code>NoSuchKey</Code></Error>", headers=headers)
        return web.Response(body=self.objects[name], content_type="audio/wav", headers=headers)

    def _refused(self, request: web.Request) -> tuple[int, str, str, str] | None:
        asked = request.url.query
        if request.method == "POST" and self.vendor in NO_BULK:
            return 501, "NotImplemented", "A header you provided implies functionality that is not implemented", ""
        if self.vendor == "b2" and any(n.lower().startswith(("x-amz-checksum", "x-amz-sdk")) for n in request.headers):
            return 400, "InvalidRequest", "Unsupported header 'x-amz-checksum-sha256' received for this API call", ""
        if self.vendor == "oss" and not request.host.startswith("sources."):
            return 403, "SecondLevelDomainForbidden", "Please use virtual hosted style to access.", ""
        if request.method in self.refuse:
            return *self.refuse[request.method], ""
        if "X-Amz-Signature" not in asked:
            return 403, "AccessDenied", "Access Denied.", ""
        _, day, region, _, _ = asked["X-Amz-Credential"].split("/")
        allowed = ("auto", "us-east-1") if self.vendor == "r2" else (self.region or region,)
        if region not in allowed:
            text = f"Error parsing X-Amz-Credential; the region '{region}' is wrong; expecting '{allowed[0]}'"
            return 400, "AuthorizationQueryParametersError", text, f"<Region>{allowed[0]}</Region>"
        at = datetime.strptime(asked["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        if abs(time.time() + self.ahead - at) > 900:
            return (
                403,
                "RequestTimeTooSkewed",
                "The difference between the clocks is too large.",
                "",
            )
        if not hmac.compare_digest(_signature(request, day, region), asked["X-Amz-Signature"]):
            return 403, "SignatureDoesNotMatch", "The request signature we calculated does not match.", ""
        return None


def _signature(request: web.Request, day: str, region: str) -> str:
    path, _, query = request.raw_path.partition("?")
    signed = request.url.query["X-Amz-SignedHeaders"].split(";")
    pairs = sorted(pair for pair in query.split("&") if not pair.startswith("X-Amz-Signature="))
    headers = "".join(f"{name}:{request.headers[name].strip()}\n" for name in signed)
    canonical = "\n".join([request.method, path, "&".join(pairs), headers, ";".join(signed), "UNSIGNED-PAYLOAD"])
    scope = f"{day}/{region}/s3/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", request.url.query["X-Amz-Date"], scope, digest])
    key = f"AWS4{SECRET}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


@asynccontextmanager
async def store(vendor: str) -> AsyncIterator[Store]:
    served = Store(vendor)
    runner = web.ServerRunner(web.Server(served, lingering_time=0))  # type: ignore[arg-type]
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    served.port = runner.addresses[0][1]
    try:
        yield served
    finally:
        await runner.cleanup()
