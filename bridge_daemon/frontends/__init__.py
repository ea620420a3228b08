"""The ways in and out, one folder for each transport: OSC, MIDI, watched folders, script mailboxes, HTTP.

A frontend turns what it hears into calls of actions and tells its clients what became of them. May use actions and
everything below; only osc may be used by its siblings.
"""

__all__ = ["folders", "frontend", "http", "mailbox", "midi", "osc"]
