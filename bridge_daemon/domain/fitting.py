"""How a take is to fit its place: what counts where nobody says it, and how much longer a take is asked for then."""

from __future__ import annotations

from typing import Final

from bridge_daemon.domain.request import Place

_TEMPI: Final = (20.0, 400.0)  # BPM
_WHOLE: Final = 0.01  # bars; a length so near to whole bars is that many
#: A take may be so much slower or faster than asked and still be made to fit, as a part of its length (fit/grid.py).
_OFF: Final = 0.04
_LATE: Final = 0.5  # s: a take begins so late, and the model lets its end fade


def whole_bars(bars: float) -> int | None:
    """Return a number of bars that is as good as whole, None if it is not."""
    return round(bars) if round(bars) >= 1 and abs(bars - round(bars)) < _WHOLE else None


def tempo_of(place: Place, tempo: float | None) -> float | None:
    """Return the tempo of a place, else the given one, BPM, as far as it is one that a take can be measured by."""
    found = place.tempo or tempo
    return found if found is not None and _TEMPI[0] <= found <= _TEMPI[1] else None


def bars_of(place: Place, tempo: float | None) -> tuple[int, int | None]:
    """Return the quarter notes of a bar of a place, and its bars; None if its length is no whole number of them."""
    numerator, denominator = (int(part) for part in (place.time_signature or "4/4").split("/"))
    beats, bars = numerator * 4 / (denominator or 4), place.bars
    found = tempo_of(place, tempo)
    if bars is None and found is not None and place.length is not None and beats:
        bars = whole_bars(place.length * found / 60 / beats)
    if beats != round(beats):  # of 7/8: two bars of it have whole beats
        beats, bars = beats * 2, bars // 2 if bars is not None and bars % 2 == 0 else None
    return max(1, round(beats)), bars


def moved(place: Place, seconds: float, tempo: float | None) -> Place:
    """Return a place that is later by some seconds; without a tempo its beats are not known any more."""
    if not seconds:
        return place
    position = None if place.position is None else round(place.position + seconds, 6)
    beats = None if place.beats is None or tempo is None else round(place.beats + seconds * tempo / 60, 6)
    return place.model_copy(update={"position": position, "beats": beats})


def fit_of(fit: str | None, client: str | None, place: Place, tempo: float | None, *, continues: bool = False) -> str:
    """Return how a take is to fit: as asked, else by its place, if a client brings it there, which can undo that.

    Whole bars in a slot loop, whole bars elsewhere go on the grid; what has its length in seconds is left alone. What
    continues its source goes on with its beats.
    """
    if fit is not None:
        return fit
    if continues:
        return "grid"
    if client is None or bars_of(place, tempo)[1] is None:
        return "off"
    in_a_slot = place.target == "session" or (place.target is None and place.slot is not None)
    return "loop" if in_a_slot else "grid"


def spare_of(fit: str, place: Place, tempo: float | None, seconds: float, *, continues: bool = False) -> float:
    """Return by how many seconds a take of a length is asked for longer, so that it fills its bars once it fits.

    A loop gets a bar more: there its seam finds what it blends with, and it may begin a bar later. So does what
    continues its source: it may go on within a bar.
    """
    (beats, bars), found = bars_of(place, tempo), tempo_of(place, tempo)
    if fit not in ("grid", "loop") or found is None or (bars is None and not continues):
        return _LATE if continues else 0.0
    bar = beats * 60 / found if fit == "loop" or continues else 0.0
    return round(_OFF * seconds + _LATE + bar, 3)


def asked_of(duration: float, cut: float | None, spare: float | None) -> float:
    """Return the length of a take that was asked for, s, of what the service is asked for and what is made of that."""
    return cut if cut is not None else round(duration - (spare or 0), 6)
