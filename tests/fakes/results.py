"""What the service says of a job, and the file that it made: the truth, before any fault is put on it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.fakes import audio
from tests.fakes.memory import Job, Memory

#: name → the keys added to a finished job's document, from the URL and what is known of the file.
SHAPES: dict[str, Callable[[Any, dict[str, Any]], dict[str, Any]]] = {
    "data_url": lambda url, about: {"result": {"data": [{"url": url, **about}], "usage": {"billable_units": 1}}},
    "result_url": lambda url, _: {"result": {"url": url}},
    "result_audio_url": lambda url, _: {"result": {"audio_url": url}},
    "result_audio_object": lambda url, about: {"result": {"audio": {"url": url, **about}}},
    "result_output_string": lambda url, _: {"result": {"output": url}},
    "result_outputs_list": lambda url, _: {"result": {"outputs": [url]}},
    "result_urls": lambda url, _: {"result": {"urls": [url]}},
    "result_string": lambda url, _: {"result": url},
    "top_level_data": lambda url, about: {"result": None, "data": [{"url": url, **about}]},
    "output_url": lambda url, _: {"result": None, "output_url": url},
}


def document(service: Memory, job: Job) -> dict[str, Any]:
    """Return what the service says of a job now."""
    now, done = service.now(), job.created_at + job.seconds
    fraction = min(0.99, (now - job.created_at) / job.seconds) if job.seconds else 0.99
    said: dict[str, Any] = {"job_id": job.remote_id, "status": "queued" if fraction < 0.1 else "processing"}
    if service.progress:
        said["progress"] = round(fraction, 3)
    said |= {"created_at": _stamp(job.created_at), "completed_at": None, "result": None, "error": None}
    if job.failed:
        said |= {"status": "failed", "completed_at": _stamp(now), "error": job.error}
    elif now >= done and not job.looking:
        about = {
            "content_type": audio.KINDS[job.extension],
            "duration_seconds": service.told_seconds or _seconds(service, job),
        }
        url = signed(service, job) if service.hostile_url is None else service.hostile_url
        said |= {"status": "completed", "progress": 1.0, "completed_at": _stamp(done)}
        said |= SHAPES[service.result_shape](url, about)
    return said


def rendered(service: Memory, job: Job | None, extension: str | None = None) -> tuple[bytes, str]:
    """Return the file of a job, a tone whose pitch comes from the seed, and its content type."""
    assert job is not None
    kind = extension or job.extension
    pitch = 200.0 + job.body.get("seed", 240) % 600
    form = (service.take_rate, service.take_channels, service.take_bits)
    return audio.render(kind, _seconds(service, job), *form, pitch), audio.KINDS[kind]


def signed(service: Memory, job: Job) -> str:
    """Return a URL of a job's file, signed anew over its exact bytes, as AWS SigV4 signs."""
    index = list(service.jobs).index(job.remote_id)
    end = str(int(service.now() + service.url_seconds))
    target = f"/out/{index}.{job.extension}{service.url_path}?exp={end}{service.url_query}"
    return f"{service.url}{target}&sig={_signature(service, target)}"


def of_url(service: Memory, target: str) -> Job | None:
    """Return the job of a signed URL; None when the signature is wrong, was made over other bytes, or has ended."""
    whole, _, signature = target.rpartition("&sig=")
    found = re.match(r"/out/(\d+)\.[^?]*\?exp=(\d+)", whole)
    if found is None or not hmac.compare_digest(_signature(service, whole), signature):
        return None
    return list(service.jobs.values())[int(found[1])] if service.now() <= int(found[2]) else None


def _signature(service: Memory, target: str) -> str:
    digest = hmac.new(service.key.encode(), target.encode("utf-8", "surrogateescape"), hashlib.sha256).digest()
    return base64.b64encode(digest).decode().replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")


def _seconds(service: Memory, job: Job) -> float:
    return float(job.body.get("duration", 190.0) if service.take_seconds is None else service.take_seconds)


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
