"""Ways to give the service an ``audio_url`` for a source on this machine."""
