"""How the daemon proves to a client that it is the daemon, before the client shows its token.

A daemon that was killed leaves ``runtime.json`` behind, and any user of the machine may listen on its port by then. So
our own client first sends a nonce to ``/healthz``, and goes on only when the answer carries this proof, which only a
program that can read the token can make. The port is in it, so that an impostor cannot pass the question on.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final

NONCE_HEADER: Final = "X-Bridge-Nonce"
PROOF_HEADER: Final = "X-Bridge-Proof"
NONCE: Final = re.compile(r"[0-9a-f]{32,64}")


def prove(token: str, nonce: str, port: int) -> str:
    """Return the proof for a nonce, in hex."""
    return hmac.new(token.encode("utf-8"), f"daw-bridge/{port}/{nonce}".encode(), hashlib.sha256).hexdigest()
