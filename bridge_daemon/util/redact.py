"""What must not be read by others is taken out of text: keys, tokens, signed URLs.

Used by the log, by ``config show`` and by the support bundle. It hides too much rather than too little.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import quote

HIDDEN: Final = "[hidden]"
#: A shorter secret would blank ordinary words; nothing that we keep secret is shorter.
SHORTEST_SECRET: Final = 8
_TAIL_FROM = 16  # a shorter key is not shown in part: its last four characters would be too much of it

# Counts are bounded: the texts of others come through here, and must not be able to keep the event loop busy.
_PATTERNS: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    # headers, as text, as JSON or as the repr of a dict; what is hidden already stays as it is
    (
        re.compile(
            r"(?i)(\b(?:proxy-)?authorization\b|\bx-api-key\b)(?!\\{0,3}[\"']?\s{0,9}[:=,]\s{0,9}b?\\{0,3}[\"']?\[hidden\])"
            r"(\\{0,3}[\"']?\s{0,9}[:=,]\s{0,9}(?:b(?=[\"']))?\\{0,3}[\"']?)(?:(?:bearer|basic)\s+)?"
            r"(?:\\(?![\"'])|[^\s\"',;)}\]\\])+"
        ),
        rf"\1\2{HIDDEN}",
    ),
    (re.compile(r"(?i)(\b(?:set-)?cookie\b)([\"']?\s{0,9}[:=,]\s{0,9}b?[\"']?)[^\r\n\"']+"), rf"\1\2{HIDDEN}"),
    (re.compile(r"(?i)\b(bearer)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    # keys by their look
    (re.compile(r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{6,}"), f"sk-{HIDDEN}"),
    (re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{12,}"), HIDDEN),
    (re.compile(r"\b(?:gh[opsur]_|github_pat_|hf_|glpat-|xox[abeprs]-)[A-Za-z0-9_-]{10,200}"), HIDDEN),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{5,2000}\.[A-Za-z0-9_-]{5,4000}(?:\.[A-Za-z0-9_-]{0,2000})?"), HIDDEN),
    (re.compile(r"(-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----)[^-]{1,20000}"), rf"\1{HIDDEN}"),
    # name and value
    (
        re.compile(
            r"(?i)((?:secret|passw(?:or)?d|api[_-]?key|access[_-]?key|auth[_-]?token|_token|(?<=[\"'])token)[A-Za-z0-9_-]{0,40})"
            r"(?!\\{0,3}[\"']?\s{0,9}[:=]\s{0,9}\\{0,3}[\"']?\[hidden\])"
            r"(\\{0,3}[\"']?\s{0,9}[:=]\s{0,9}\\{0,3}[\"']?)(?:\\(?![\"'])|[^\s\"',;)}\]\\])+"
        ),
        rf"\1\2{HIDDEN}",
    ),
    # URLs: who, what was signed, and the way to a published source
    (re.compile(r"(://)[^\s/?#\"'@]{1,500}@"), rf"\1{HIDDEN}@"),
    (re.compile(r"(?i)\b(https?://[^\s?#\"'<>]{0,2000})([?#])[^\s\"'<>]+"), rf"\1\2{HIDDEN}"),
    (re.compile(r"(/source/)[A-Za-z0-9_-]{12,}"), rf"\1{HIDDEN}"),
)

#: Options of tunnel programs that carry a credential, and the word after them.
_OPTION: Final = re.compile(
    r"(?i)((?:^|\s)--?[a-z-]*(?:token|secret|password|passwd|key|credentials?|auth|user)[a-z-]*[\s=]+)"
    r"(\"[^\"]*\"|'[^']*'|\S+)"
)
_ASSIGNMENT: Final = re.compile(
    r"(?i)((?:^|\s)[a-z0-9_]*(?:token|secret|password|key)[a-z0-9_]*=)(\"[^\"]*\"|'[^']*'|\S+)"
)
#: A long word with letters and digits and nothing of a path, a URL or a sentence in it.
_RANDOM: Final = re.compile(r"(?<![\w./:@-])(?=[\w+=-]*\d)(?=[\w+=-]*[A-Za-z])[\w+=-]{20,}(?![\w./:@-])")
#: The secret half of a key to a bucket, and a token of its session: base64, and nothing around it tells what it is.
_BASE64: Final = re.compile(
    r"(?<![\w/+=.-])(?=[a-z0-9/+]{0,60}[A-Z])(?=[A-Z0-9/+]{0,60}[a-z])(?=[A-Za-z/+]{0,60}\d)"
    r"[A-Za-z0-9+][A-Za-z0-9/+]{39,4000}={0,2}(?![\w/+=.-])"
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return ``text`` without the ``secrets`` and without whatever looks like a key or a signed URL."""
    for secret in secrets:
        if len(secret) < SHORTEST_SECRET:
            continue
        text = text.replace(secret, HIDDEN)
        if (escaped := quote(secret, safe="")) != secret:
            text = text.replace(escaped, HIDDEN)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact_for_others(text: str, secrets: Iterable[str] = ()) -> str:
    """Return text that leaves this machine: also without words after options, and without bare secrets of buckets."""
    return _BASE64.sub(HIDDEN, _without_words(redact(text, secrets)))


def _without_words(text: str) -> str:
    """Return text without the words that options and variables are given."""
    return _ASSIGNMENT.sub(rf"\1{HIDDEN}", _OPTION.sub(rf"\1{HIDDEN}", text))


def without_key(text: str, key: str | None) -> str:
    """Return text of others without our key, also if its letters are percent-encoded or written as JSON may."""
    if key is None or len(key) < SHORTEST_SECRET:
        return text
    return _any_way(key).sub(HIDDEN, text)


@lru_cache(maxsize=4)
def _any_way(key: str) -> re.Pattern[str]:
    letters = (rf"(?:{re.escape(c)}|%{ord(c):02x}|\\{{1,4}}u{ord(c):04x})" for c in key)
    return re.compile("".join(letters), re.IGNORECASE)


def redact_command(text: str) -> str:
    """Return a command line (of a tunnel program) without the credentials in it."""
    return _RANDOM.sub(HIDDEN, _without_words(redact(text)))


def mask(value: str) -> str:
    """Return what may be shown of a key: enough to tell two of one's own apart, e.g. ``sk-…abcd``."""
    head = "sk-" if value.startswith("sk-") else ""
    return f"{head}…{value[-4:]}" if len(value) >= _TAIL_FROM else f"{head}…"
