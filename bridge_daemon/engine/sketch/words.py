"""What a prompt asks for, as far as the sketch engine understands it: tempo, key, meter and instruments.

No model stands behind this, only a table of words. What a prompt does not say is chosen from a hash of its text, so
that the same words always mean the same music.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

Part = Literal["drums", "bass", "pad", "pluck", "ambience"]
Feel = Literal["four", "backbeat", "broken", "half", "swing"]

#: Every instrument there is, in the order in which they are mixed.
PARTS: Final[tuple[Part, ...]] = ("drums", "bass", "pad", "pluck", "ambience")

#: Tempo that is taken from a number in the prompt, in quarter notes a minute.
SLOWEST: Final = 30.0
FASTEST: Final = 300.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """What is to be played, without the seed's share in it."""

    tempo: float  #: quarter notes a minute
    root: int  #: pitch class of the tonic, 0 = C .. 11 = B
    minor: bool
    beats: int  #: upper number of the meter
    unit: int  #: lower number of the meter: 2, 4, 8 or 16
    parts: tuple[Part, ...]  #: what the prompt asks for, never empty
    companions: tuple[Part, ...]  #: what may join when the prompt is followed loosely, nearest first
    feel: Feel  #: family of the drum patterns
    brightness: float  #: 0 dark .. 1 bright
    fingerprint: int  #: 64 bits of a hash of the prompt: what the words leave open comes from here

    @property
    def steps_per_bar(self) -> int:
        """Sixteenth notes in a bar."""
        return self.beats * 16 // self.unit

    @property
    def step_seconds(self) -> float:
        """Length of a sixteenth note in seconds."""
        return 15.0 / self.tempo


class _Genre(NamedTuple):
    tempo: float
    feel: Feel
    always: tuple[Part, ...]  # sounds beside the instruments that are named
    ensemble: tuple[Part, ...]  # plays when none is named


_DANCE: Final[tuple[Part, ...]] = ("drums",)
_GENRES: Final[dict[str, _Genre]] = {
    "techno": _Genre(130, "four", _DANCE, ("drums", "bass", "pluck")),
    "house": _Genre(124, "four", _DANCE, ("drums", "bass", "pad", "pluck")),
    "deep house": _Genre(122, "four", _DANCE, ("drums", "bass", "pad")),
    "trance": _Genre(138, "four", _DANCE, ("drums", "bass", "pad", "pluck")),
    "disco": _Genre(118, "four", _DANCE, ("drums", "bass", "pluck")),
    "edm": _Genre(128, "four", _DANCE, ("drums", "bass", "pad", "pluck")),
    "dance": _Genre(124, "four", _DANCE, ("drums", "bass", "pluck")),
    "drum and bass": _Genre(174, "broken", ("drums", "bass"), ("drums", "bass", "pad")),
    "drum & bass": _Genre(174, "broken", ("drums", "bass"), ("drums", "bass", "pad")),
    "drum n bass": _Genre(174, "broken", ("drums", "bass"), ("drums", "bass", "pad")),
    "dnb": _Genre(174, "broken", ("drums", "bass"), ("drums", "bass", "pad")),
    "jungle": _Genre(165, "broken", _DANCE, ("drums", "bass", "ambience")),
    "breakbeat": _Genre(132, "broken", _DANCE, ("drums", "bass", "pluck")),
    "dubstep": _Genre(140, "half", _DANCE, ("drums", "bass", "pad")),
    "trap": _Genre(140, "half", _DANCE, ("drums", "bass", "pluck")),
    "hip hop": _Genre(90, "swing", _DANCE, ("drums", "bass", "pluck")),
    "boom bap": _Genre(88, "swing", _DANCE, ("drums", "bass", "pluck")),
    "lo fi": _Genre(78, "swing", (), ("drums", "bass", "pad", "pluck")),
    "lofi": _Genre(78, "swing", (), ("drums", "bass", "pad", "pluck")),
    "trip hop": _Genre(84, "swing", _DANCE, ("drums", "bass", "pad")),
    "jazz": _Genre(112, "swing", (), ("drums", "bass", "pluck")),
    "funk": _Genre(106, "backbeat", _DANCE, ("drums", "bass", "pluck")),
    "rock": _Genre(118, "backbeat", _DANCE, ("drums", "bass", "pluck")),
    "pop": _Genre(110, "backbeat", (), ("drums", "bass", "pad", "pluck")),
    "synthwave": _Genre(100, "backbeat", (), ("drums", "bass", "pad", "pluck")),
    "reggae": _Genre(76, "half", _DANCE, ("drums", "bass", "pluck")),
    "ambient": _Genre(70, "half", (), ("pad", "ambience")),
    "cinematic": _Genre(84, "half", (), ("bass", "pad", "pluck", "ambience")),
    "orchestral": _Genre(84, "half", (), ("bass", "pad", "pluck")),
    "classical": _Genre(92, "backbeat", (), ("pad", "pluck")),
    "folk": _Genre(100, "backbeat", (), ("bass", "pluck")),
    "ballad": _Genre(70, "backbeat", (), ("bass", "pad", "pluck")),
    "waltz": _Genre(132, "backbeat", (), ("bass", "pad", "pluck")),
    "meditation": _Genre(60, "half", (), ("pad", "ambience")),
}

_INSTRUMENTS: Final[dict[Part, str]] = {
    "drums": "drum|beat|kick|snare|hat|hi hat|hihat|clap|percussion|rhythm section|groove|cymbal|tom|conga|bongo|shaker"
    "|tambourine|drum machine|bass drum|kick drum|snare drum|drum kit|drumkit|909|breaks",
    "bass": "bass|sub|sub bass|bassline|bass line|808|bass guitar|synth bass|double bass|upright bass|reese|cello",
    "pad": "pad|string|choir|drone|organ|synth pad|string section|violin|viola|orchestra|brass|horn|atmosphere"
    "|vocal pad|accordion|voices|sustained chord",
    "pluck": "pluck|key|piano|guitar|arp|arpeggio|arpeggiated|lead|synth|synth lead|bell|marimba|vibraphone|harp"
    "|kalimba|rhodes|electric piano|keyboard|melody|banjo|ukulele|mandolin|sitar|xylophone|glockenspiel"
    "|wind chime|chime|celesta|koto|flute|music box|acoustic guitar|electric guitar",
    "ambience": "rain|wind|texture|noise|ambience|ocean|sea|wave|forest|vinyl|crackle|field recording|water|river|storm"
    "|thunder|bird|soundscape|hiss|static|fire|nature|city|street|room tone",
}
_PART_OF: Final[dict[str, Part]] = {w: part for part, words in _INSTRUMENTS.items() for w in words.split("|")}
#: Words that ask for silence of a part.
_ABSENT: Final[dict[str, Part]] = {"drumless": "drums", "beatless": "drums", "bassless": "bass"}

_SPEEDS: Final[dict[str, float]] = {
    "very slow": 52, "very fast": 168, "slow": 70, "slowly": 70, "fast": 144, "quick": 140, "rapid": 152, "largo": 50,
    "adagio": 66, "lento": 56, "andante": 88, "moderato": 108, "mid tempo": 104, "midtempo": 104, "moderate": 104,
    "allegro": 132, "vivace": 156, "presto": 176, "uptempo": 132, "up tempo": 132, "downtempo": 84, "down tempo": 84,
    "energetic": 132, "driving": 128, "relaxed": 80, "calm": 72, "chill": 82, "upbeat": 120,
}  # fmt: skip
_BRIGHTNESS: Final[dict[str, float]] = {
    "dark": 0.15, "warm": 0.3, "mellow": 0.25, "soft": 0.3, "muffled": 0.1, "deep": 0.25, "lofi": 0.25, "lo fi": 0.25,
    "gentle": 0.3, "bright": 0.85, "crisp": 0.85, "shiny": 0.9, "sparkling": 0.9, "sharp": 0.85, "airy": 0.75,
}  # fmt: skip

_MINOR_MOODS: Final = re.compile(r"\b(sad|dark|melanchol\w*|moody|tense|ominous|gloomy|tragic|eerie|haunting)\b")
_MAJOR_MOODS: Final = re.compile(r"\b(happy|joyful|uplifting|cheerful|bright|hopeful|sunny|playful)\b")
_NUMBER: Final = r"(\d{2,3}(?:\.\d{1,4})?)"
_TEMPO: Final = re.compile(
    rf"(?<![\d.]){_NUMBER}\s*-?\s*(?:bpm|beats\s+(?:per|a)\s+minute)\b|\b(?:bpm|tempo)\s*(?:of|=|:|at)?\s*{_NUMBER}(?!\d)",
    re.IGNORECASE,
)
_METER: Final = re.compile(r"(?<![\d/])(\d{1,2})/(2|4|8|16)(?![\d/])")
_ACCIDENTAL: Final = r"(\s?[#♯b♭]|[\s-]?sharp|[\s-]?flat)?"
#: A lower-case "a" before "minor key" is an article, and "a major" may go on with anything: "a major change".
_KEY: Final = re.compile(
    rf"(?<![\w#])([A-Ga-g]){_ACCIDENTAL}[\s-]?(minor|major|min|maj|dorian|phrygian|lydian|mixolydian|aeolian|ionian)\b"
    r"(?!\s+(?:key|mood|feel|scale|chord|tonality|change|third|mode))",
    re.IGNORECASE,
)
_SHORT_KEY: Final = re.compile(r"(?<![\w#])([A-G])([#♯b♭])?(m)(?![\w'])")
_IN_KEY: Final = re.compile(r"\b(?:[Ii]n|[Kk]ey\s+of|[Kk]ey:?)\s+([A-G])([#♯b♭]|[\s-]?sharp|[\s-]?flat)?(?![\w#'])")
_PITCH: Final = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_MINOR_MODES: Final = frozenset({"m", "min", "minor", "dorian", "phrygian", "aeolian"})

_DEFAULT_ENSEMBLES: Final[tuple[tuple[Part, ...], ...]] = (
    ("drums", "bass", "pad"),
    ("drums", "bass", "pluck"),
    ("drums", "bass", "pad", "pluck"),
    ("bass", "pad", "pluck"),
    ("pad", "pluck", "ambience"),
)


def _alternatives(words: Iterable[str]) -> str:
    # longest first, so that "bass drum" is found before "bass"
    return "|".join(re.escape(w) for w in sorted(words, key=len, reverse=True))


_TOKEN: Final = re.compile(rf"\b({_alternatives({*_PART_OF, *_GENRES, *_ABSENT})})(s|es)?\b")
_NEGATION: Final = re.compile(r"\b(?:no|without|minus|zero|not|never)\s+(?:any\s+)?(?:\w+\s+)?$")
_SPEED: Final = re.compile(rf"\b({_alternatives(_SPEEDS)})\b")
_TONE: Final = re.compile(rf"\b({_alternatives(_BRIGHTNESS)})\b")


def read(prompt: str) -> Score:
    """Read a prompt. Any text gives a score; the same text always gives the same."""
    fingerprint = int.from_bytes(hashlib.sha256(prompt.strip().encode()).digest()[:8], "big")
    # hyphens and underscores join words as spaces do; other punctuation stays, because it ends a "no ..."
    plain = re.sub(r"[\s_\-‐‑–]+", " ", prompt.lower())
    genres, wanted, unwanted = _instruments(plain)
    genre = genres[0] if genres else None  # of several, the first leads
    beats, unit = _meter(prompt, plain)
    root, minor = _key(prompt, plain, fingerprint)
    parts = _ensemble(genres, wanted, unwanted, fingerprint)
    tone = _TONE.search(plain)
    return Score(
        tempo=_tempo(prompt, plain, genre, fingerprint),
        root=root,
        minor=minor,
        beats=beats,
        unit=unit,
        parts=parts,
        companions=_companions(parts, unwanted, fingerprint),
        feel=genre.feel if genre else ("backbeat", "four")[fingerprint >> 9 & 1],
        brightness=_BRIGHTNESS[tone[1]] if tone else 0.5,
        fingerprint=fingerprint,
    )


def _instruments(plain: str) -> tuple[list[_Genre], set[Part], set[Part]]:
    """Return the genres that are named, the instruments asked for, and those asked to be silent."""
    genres: list[_Genre] = []
    wanted: set[Part] = set()
    unwanted: set[Part] = set()
    negated_until = -1  # "no drums or bass": the refusal reaches over "or"
    for match in _TOKEN.finditer(plain):
        word = match[1]
        joined = negated_until >= 0 and plain[negated_until : match.start()].strip() in {"or", "and", "nor", "/"}
        negated = joined or _NEGATION.search(plain[: match.start()]) is not None
        negated_until = match.end() if negated else -1
        if word in _ABSENT:
            unwanted.add(_ABSENT[word])
        elif word in _PART_OF and not _is_tonality(plain, match):
            (unwanted if negated else wanted).add(_PART_OF[word])
        elif word in _GENRES and not negated:
            genres.append(_GENRES[word])
    return genres, wanted - unwanted, unwanted


def _is_tonality(plain: str, match: re.Match[str]) -> bool:
    """Return whether "key" means the tonality ("key of A", "minor key") and not a keyboard."""
    if match[0] != "key":
        return False
    after, before = plain[match.end() :], plain[: match.start()].rstrip()
    return re.match(r":| of\b| [a-g]\b", after) is not None or before.endswith(("minor", "major", "the", "a"))


def _ensemble(genres: list[_Genre], wanted: set[Part], unwanted: set[Part], fingerprint: int) -> tuple[Part, ...]:
    if wanted:
        chosen = wanted.union(*(genre.always for genre in genres))
    else:
        chosen = set(genres[0].ensemble if genres else _DEFAULT_ENSEMBLES[fingerprint % len(_DEFAULT_ENSEMBLES)])
    chosen -= unwanted
    # "no drums" may take away all there was; something has to sound
    rest = chosen or {p for p in PARTS if p not in unwanted} or {"pad"}
    return tuple(p for p in PARTS if p in rest)


def _companions(parts: tuple[Part, ...], unwanted: set[Part], fingerprint: int) -> tuple[Part, ...]:
    others = [p for p in PARTS if p not in parts and p not in unwanted]
    turn = (fingerprint >> 16) % len(others) if others else 0
    return tuple(others[turn:] + others[:turn])


def _tempo(prompt: str, plain: str, genre: _Genre | None, fingerprint: int) -> float:
    for match in _TEMPO.finditer(prompt):
        tempo = float(match[1] or match[2])
        if SLOWEST <= tempo <= FASTEST:
            return tempo
    if speed := _SPEED.search(plain):
        return _SPEEDS[speed[1]]
    return genre.tempo if genre else 84.0 + 4.0 * ((fingerprint >> 24) % 12)


def _meter(prompt: str, plain: str) -> tuple[int, int]:
    for match in _METER.finditer(prompt):
        beats, unit = int(match[1]), int(match[2])
        # half a bar of a whole note to two of them: shorter or longer patterns would not be heard as a bar
        if beats >= 2 and 6 <= beats * 16 // unit <= 32:
            return beats, unit
    return (3, 4) if re.search(r"\bwaltz", plain) else (4, 4)


def _key(prompt: str, plain: str, fingerprint: int) -> tuple[int, bool]:
    """Return pitch class and mode; a mood or the hash decides what the prompt leaves open."""
    if match := _KEY.search(prompt):
        return _pitch(match[1], match[2]), match[3].lower() in _MINOR_MODES
    if match := _SHORT_KEY.search(prompt):
        return _pitch(match[1], match[2]), True
    minor = _mode(plain, fingerprint)
    if match := _IN_KEY.search(prompt):
        return _pitch(match[1], match[2]), minor if re.search(r"\bminor\b", plain) else False
    return (fingerprint >> 32) % 12, minor


def _mode(plain: str, fingerprint: int) -> bool:
    if re.search(r"\bminor\b", plain):
        return True
    if re.search(r"\bmajor\b", plain):
        return False
    if _MINOR_MOODS.search(plain):
        return True
    return not _MAJOR_MOODS.search(plain) and bool(fingerprint >> 40 & 1)


def _pitch(letter: str, accidental: str | None) -> int:
    sign = (accidental or "").strip(" -").lower()
    shift = {"#": 1, "♯": 1, "sharp": 1, "b": -1, "♭": -1, "flat": -1}.get(sign, 0)
    return (_PITCH[letter.lower()] + shift) % 12
