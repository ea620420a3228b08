"""Installers for people who have no Python: made on Linux by one command, ``make installers``."""
