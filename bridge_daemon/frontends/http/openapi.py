"""The OpenAPI 3.1 description of the API, made from the table of routes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from bridge_daemon import __version__
from bridge_daemon.domain import ids
from bridge_daemon.frontends.http.routing import Access, Route

Data = dict[str, Any]
_REF: Final = "#/components/schemas/{model}"
_PATH_PARTS: Final = {
    "job": {"description": "The id of a job.", "schema": {"type": "string", "pattern": f"^{ids.JOB}$"}},
    "source": {"description": "The SHA-256 of a source.", "schema": {"type": "string", "pattern": "^[0-9a-f]{64}$"}},
    "file": {"description": "The name of a file of the page.", "schema": {"type": "string"}},
}
_WHO: Final[dict[Access, list[Data]]] = {
    Access.OPEN: [],
    Access.TOKEN: [{"token": []}],
    Access.SESSION: [{"token": []}, {"session": []}],
}
_ERROR: Final[Data] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "charge", "next"],
            "properties": {
                "code": {"type": "string", "description": "A code of docs/errors.md."},
                "message": {"type": "string"},
                "charge": {"enum": ["none", "possible", "confirmed"]},
                "next": {"type": "string"},
                "faults": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["field", "value", "allowed"],
                        "properties": {"field": {"type": "string"}, "value": {}, "allowed": {"type": "string"}},
                    },
                },
            },
        }
    },
}


def description(routes: Sequence[Route]) -> Data:
    """Return the description as plain data."""
    models = list({route.body for route in routes if route.body is not None})
    models.sort(key=lambda model: model.__name__)
    _, schemas = models_json_schema([(model, "validation") for model in models], ref_template=_REF)
    paths: dict[str, Data] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "daw-bridge", "version": __version__, "description": "The HTTP API, on loopback only."},
        "servers": [{"url": "http://127.0.0.1:9131"}],
        "paths": paths,
        "components": {
            "schemas": schemas.get("$defs", {}) | {"Error": _ERROR},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "The content of the file token."},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "daw-bridge-PORT",
                    "description": "Writing needs Origin or Sec-Fetch-Site beside it, as browsers send them.",
                },
            },
        },
    }


def _operation(route: Route) -> Data:
    told: Data = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "security": _WHO[route.access],
        "responses": _responses(route),
    }
    parts = re.findall(r"{(\w+)}", route.path)
    parameters = [{"name": name, "in": "path", "required": True} | _PATH_PARTS[name] for name in parts]
    parameters += [
        {"name": one.name, "in": "query", "description": one.meaning, "schema": one.schema()}
        | ({"style": "form", "explode": False} if one.schema()["type"] == "array" else {})
        for one in route.query
    ]
    if parameters:
        told["parameters"] = parameters
    if (body := _body(route)) is not None:
        told["requestBody"] = body
    if route.per_minute is not None:
        told["x-calls-per-minute"] = route.per_minute
    if route.writes:
        told["x-longest-body"] = route.longest
    return told


def _operation_id(route: Route) -> str:
    words = re.sub(r"[^a-z]+", " ", route.path.removeprefix("/api").lower()).split()
    return "-".join([route.method.lower(), *(words or ["page"])])


def _body(route: Route) -> Data | None:
    if route.raw:
        schema = {"type": "string", "format": "binary"}
        return {"required": True, "content": {media: {"schema": schema} for media in route.raw}}
    if route.body is None:
        return None
    required = any(field.is_required() for field in route.body.model_fields.values())
    schema = {"$ref": _REF.format(model=route.body.__name__)}
    return {"required": required, "content": {"application/json": {"schema": schema}}}


def _responses(route: Route) -> Data:
    schema: Data = {"type": "object"} if route.media == "application/json" else {"type": "string"}
    content = {route.media: {"schema": schema}}
    error = {
        "description": "Refused.",
        "content": {"application/json": {"schema": {"$ref": _REF.format(model="Error")}}},
    }
    good = {str(status): {"description": "Done.", "content": content} for status in route.answers}
    return good | {"4XX": error, "503": error}
