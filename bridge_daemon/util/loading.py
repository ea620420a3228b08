"""Modules that no start waits for: they are loaded when they are needed, and on a thread.

Loaded on the event loop, numpy or aiohttp would hold it up for a tenth of a second.
"""

from __future__ import annotations

import asyncio
import gc
import importlib

_loaded: set[str] = set()


async def load(*modules: str) -> None:
    """Return when the modules are loaded; after that, to import them takes no time."""
    if not _loaded.issuperset(modules):
        await asyncio.to_thread(load_now, *modules)


def load_now(*modules: str) -> None:
    """Load modules right here, on a thread that may take its time."""
    for module in modules:
        importlib.import_module(module)
        _loaded.add(module)
    if gc.get_freeze_count():  # what is there for good stays out of the garbage collector's rounds
        gc.freeze()
