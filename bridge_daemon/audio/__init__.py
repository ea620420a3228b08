"""Everything that reads or writes sound: regions of sources, takes as Broadcast Wave, and peaks for a waveform.

All of it is synchronous; callers run it with ``asyncio.to_thread`` (decoder and resampler release the GIL). Files are
read in blocks, so memory does not grow with their length. Its modules load numpy: import them where they are first
needed, not at start.

May use domain, util and errors.
"""

__all__ = ["completeness", "mix", "peaks", "region", "render", "take", "view", "wav", "worker", "workers"]
