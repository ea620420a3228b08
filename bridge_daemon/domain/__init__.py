"""Frozen data and what it means: requests, jobs, renders, models. No input or output.

May use util and errors.
"""

__all__ = [
    "again",
    "finding",
    "fitting",
    "ids",
    "job",
    "models",
    "parameters",
    "prompt_fields",
    "render",
    "request",
    "search",
    "sound_files",
    "views",
    "wildcards",
]
