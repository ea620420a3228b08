"""The docs cannot rot: what exists is described, and pages made of code are up to date."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from bridge_daemon.domain.job import State
from bridge_daemon.domain.request import Place, Request
from bridge_daemon.errors import CODES
from bridge_daemon.frontends.http.route_table import ROUTES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def _tables():
    spec = importlib.util.spec_from_file_location("make_tables", DOCS / "make_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("file", _tables().FILES)
def test_files_made_of_code_are_up_to_date(file: str) -> None:
    assert (ROOT / file).read_text(encoding="utf-8") == _tables().FILES[file](), "run: make docs"


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_described(code: str) -> None:
    assert f"`{code}`" in (DOCS / "errors.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("route", [route.name for route in ROUTES])
def test_every_route_is_described(route: str) -> None:
    page = (DOCS / "http.md").read_text(encoding="utf-8")
    assert f"`{route}`" in page or f"`{route}?" in page


@pytest.mark.parametrize("state", State)
def test_every_state_is_described(state: State) -> None:
    assert f"`{state}`" in (DOCS / "how-it-works.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("key", [*Request.model_fields, *Place.model_fields])
def test_every_key_of_a_request_is_described(key: str) -> None:
    page = (DOCS / "http.md").read_text(encoding="utf-8")
    assert f"`{key}`" in page or f"{key}," in page or f"{key}}}" in page


def test_links_between_pages_lead_somewhere() -> None:
    import re

    for page in [*ROOT.glob("*.md"), *DOCS.glob("*.md"), *(ROOT / "tests").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} → {target}"
