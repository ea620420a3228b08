"""Ways to give the service an ``audio_url`` for a source on this machine: tunnel, bucket, upload.

May use engine, settings, home, journal, domain, util and errors.
"""

__all__ = ["bucket", "listener", "publisher", "store", "supervisor", "trial"]
