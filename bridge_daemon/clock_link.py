"""Ableton Link as a transport: the tempo of the session, and whether it plays."""

from __future__ import annotations
