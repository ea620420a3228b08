"""``python -m bridge_daemon``: the same as ``daw-bridge``."""

from bridge_daemon.cli import main

if __name__ == "__main__":
    main()
