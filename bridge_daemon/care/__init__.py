"""Whether everything is as it should be, and what to send to somebody who helps: doctor and support bundle.
The steps of the first run, and trials that cost nothing.

May use pipeline, publish, engine, client, install, settings, home, journal, audio, domain, util and errors.
"""

__all__ = ["bundle", "doctor", "first_run", "mac_permissions", "steps", "trial", "trial_daemon"]
