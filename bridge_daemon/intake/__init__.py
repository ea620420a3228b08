"""The ways in: OSC, MIDI, watched folders, script inboxes."""
