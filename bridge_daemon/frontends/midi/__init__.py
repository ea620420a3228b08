"""MIDI controllers: ports, gestures, bindings, arming, lights."""

__all__ = ["driver", "frontend", "gestures", "monitor", "port_types", "ports"]
