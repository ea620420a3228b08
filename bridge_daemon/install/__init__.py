"""Puts the scripts and devices that are shipped with the bridge into the DAWs, and takes them out again."""
