"""Musical time: transports of DAWs, MIDI clock, MIDI time code and Ableton Link; beats, bars and seconds.

May use settings, domain, util and errors.
"""

__all__ = ["link", "midi", "musical", "transport"]
