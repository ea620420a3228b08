"""Whether everything is as it should be, and what to send to somebody who helps: doctor and support bundle.

May use publish, engine, client, install, settings, home, journal, audio, domain, util and errors.
"""

__all__ = ["bundle", "doctor"]
