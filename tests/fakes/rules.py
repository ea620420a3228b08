"""What the service's page allows in the body of a POST. Strict: a mistake of ours has to show up here."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

MODES = ("text-to-audio", "audio-to-audio")
#: Of models that list it; the model's maker has it for 2.5, with a start and an end in seconds and without a strength.
INPAINT = "audio-inpaint"
MASK = (0, 190)
#: name → (least, greatest); all are numbers.
RANGES = {"duration": (1, 190), "steps": (30, 100), "cfg_scale": (1, 25), "strength": (0, 1), "seed": (0, 2**32 - 2)}
#: The page's notes on audio-to-audio recommend 6 to 8 steps against its own table.
STEPS_TRANSFORM = (6, 100)
WORDS = {"mode": MODES, "output_format": ("mp3", "wav")}
TEXTS = ("model", "prompt", "audio_url")
FIELDS = frozenset({*RANGES, *WORDS, *TEXTS, "random_seed"})


class Refused(Exception):
    """The service says no and does not charge."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def refused(message: str) -> Refused:
    return Refused(422, "invalid_request", message)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise refused(f"a field came twice: {sorted(n for n in set(names) if names.count(n) > 1)}")
    return dict(pairs)


def _no_constant(text: str) -> float:
    raise refused(f"{text} is not JSON")


def parse(raw: bytes) -> dict[str, Any]:
    """Return the body as an object; anything else is refused."""
    try:
        body = json.loads(raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except ValueError as error:
        raise refused(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise refused("the body is not an object")
    return body


def check(
    body: dict[str, Any],
    models: tuple[str, ...],
    uploads: Collection[str] = (),
    mask: tuple[str, str] | None = None,
) -> None:
    """Refuse what the page does not allow.

    ``uploads`` are the files that the service has itself, ``mask`` the names of the edges of a region, for a model that
    replaces one.
    """
    if mask is not None and body.get("mode") == INPAINT:
        _inpaint(body, mask)
        body = {name: value for name, value in body.items() if name not in mask} | {"mode": "audio-to-audio"}
    if unknown := sorted(set(body) - FIELDS):
        raise refused(f"unknown fields: {unknown}")
    for name in ("model", "prompt"):
        if name not in body:
            raise refused(f"{name} is required")
    for name, words in WORDS.items():
        if name in body and body[name] not in words:
            raise refused(f"{name} must be one of {words}")
    _texts(body, models)
    transform = body.get("mode") == "audio-to-audio"
    for name in sorted(RANGES.keys() & body.keys()):
        _in_range(name, body[name], STEPS_TRANSFORM if name == "steps" and transform else RANGES[name])
    _seed(body)
    _mode(body, transform, uploads)


def _inpaint(body: dict[str, Any], mask: tuple[str, str]) -> None:
    for name in mask:
        _in_range(name, body.get(name), MASK)
    if body[mask[0]] >= body[mask[1]]:
        raise refused(f"{mask[1]} must be more than {mask[0]}")
    if "strength" in body:
        raise refused("strength: audio-to-audio only")


def check_listed(body: dict[str, Any], listed: Any) -> None:
    """Refuse what the catalogue of a model of its own does not list; model and prompt are always taken."""
    if listed is None:
        return
    names = {row["name"] if isinstance(row, dict) else row for row in listed}
    if unknown := sorted(set(body) - names - {"model", "prompt"}):
        raise refused(f"not listed: {unknown}")


def _texts(body: dict[str, Any], models: tuple[str, ...]) -> None:
    for name in TEXTS:
        if name in body and (not isinstance(body[name], str) or not body[name].strip()):
            raise refused(f"{name} must be text")
    if body["model"] not in models:
        raise Refused(404, "model_not_found", f"no model {body['model']!r}")


def _seed(body: dict[str, Any]) -> None:
    if not isinstance(body.get("random_seed", True), bool):
        raise refused("random_seed must be true or false")
    if "seed" in body and body.get("random_seed", True):
        raise refused("seed is used only with random_seed = false")


def _in_range(name: str, value: Any, span: tuple[float, float]) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not span[0] <= value <= span[1]:
        raise refused(f"{name} must be a number from {span[0]} to {span[1]}")
    if name in ("steps", "seed") and value != int(value):
        raise refused(f"{name} must be a whole number")


def _mode(body: dict[str, Any], transform: bool, uploads: Collection[str]) -> None:
    if transform and body.get("audio_url") in uploads:
        return
    if transform:
        parts = urlsplit(body.get("audio_url", ""))
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise refused("audio-to-audio needs audio_url, an http(s) URL")
    elif extra := sorted({"strength", "audio_url"} & set(body)):
        raise refused(f"{extra}: audio-to-audio only")
