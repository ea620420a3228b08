"""What may spend: whether a render that came is sent by itself, and if not, why it waits. Decides only; does nothing.

A render spends by itself only where all of this is so: it appeared while the folder was being watched; the folder says
``spend = true`` or a sidecar lies beside it; it does not belong to a batch of more than ``max_batch``; the folder is
locked by this daemon and not open to all users; and its content was never sent before (folders_send.py). Everything
else is listed, with the reason, and waits for a person.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from bridge_daemon.domain.render import ASKS, BATCH, BEFORE, CHANGED, UNSAFE, Render, RenderState
from bridge_daemon.errors import InvalidRequest, SourceRefused
from bridge_daemon.frontends.folders.batch_limit import WINDOW, BatchLimiter
from bridge_daemon.frontends.folders.scan import FileFacts
from bridge_daemon.settings.sections import WatchedFolder

Why = tuple[str, str]  # code, and a sentence for people

_BEFORE: Final[Why] = (BEFORE, "It was there before the bridge watched the folder.")
#: A sidecar says nothing if nobody saw it come.
SIDECAR_BEFORE: Final[Why] = (BEFORE, "Its sidecar came while the bridge did not watch the folder.")
_ASKS: Final[Why] = (ASKS, "The folder does not spend by itself, and no sidecar lies beside it.")
#: It may be new, and may as well be what it was.
CHANGED_UNREAD: Final[Why] = (
    CHANGED,
    "It changed while it waited. Nobody saw it being written, and its content was not read before, so it may be the "
    "same as it was. Nothing was sent; send it by hand.",
)


class Doubt(Enum):
    """Whether a render that waits, and whose file changed, is a new one."""

    #: It is: its size is another one, or it was seen being written.
    NONE = auto()
    #: Its content has to be read.
    READ = auto()
    #: Nothing would be sent anyway: it stays what it was.
    STAYS = auto()


class Rules:
    """The rules of one folder, and its count of what came lately."""

    def __init__(self, settings: Callable[[], WatchedFolder], monotonic: Callable[[], float]) -> None:
        """``settings`` are those of this moment; ``monotonic`` is a clock that never jumps, s."""
        self._settings = settings
        self._burst = BatchLimiter(monotonic)
        self.unsafe: str | None = None  # why nothing in the folder may spend by itself

    # Counting

    def appears(self, name: str, *, sidecar: bool) -> None:
        """Count a file that appeared, and that would spend once it is whole."""
        if self._settings().spend or sidecar:
            self._burst.came(name)

    def dropped(self, name: str) -> None:
        """Do not count a file: it is gone, or not new."""
        self._burst.dropped(name)

    # Deciding

    def decide(self, look: FileFacts, *, before: bool) -> Why | None:
        """Return why a whole render does not spend by itself; None if it does, and then it is counted.

        ``before``: it was there, or was begun, before it could spend.
        """
        why = self._why_not(look, before)
        self._burst.settled(look.name)
        if why is None:
            self._burst.spent()
        return why

    def _why_not(self, look: FileFacts, before: bool) -> Why | None:
        if before:
            return _BEFORE
        if look.fault is not None:
            return SourceRefused.code, f'"{look.name}" {look.fault}. Nothing was sent.'
        settings = self._settings()
        if not (settings.spend or look.sidecar):
            return _ASKS
        if self.unsafe is not None:
            return UNSAFE, f"Nothing in this folder spends by itself: {self.unsafe}."
        self._burst.came(look.name)
        return self._batch() if self._burst.is_over(settings.max_batch) else None

    def broken(self) -> Why | None:
        """Return why what was decided a moment ago does not hold: it came with too many others."""
        return self._batch() if self._burst.is_broken(self._settings().max_batch) else None

    def _batch(self) -> Why:
        most = self._settings().max_batch
        return (
            BATCH,
            f"It came with others: more than max_batch = {most} in {WINDOW:g} s. Nothing of what waits was sent.",
        )

    def doubt(self, old: Render, look: FileFacts, *, before: bool, written: bool, sidecar: bool) -> Doubt:
        """Tell what is known of a render in the list whose file looks different now.

        What was sent, or is known, is not asked for here: its content is compared before anything is sent again.
        """
        waits = old.state in (RenderState.WAITING, RenderState.FORGOTTEN) and old.request is None and old.try_id is None
        if not waits or before or look.fault is not None or old.stamp == look.stamp or old.size != look.stamp[0]:
            return Doubt.NONE
        if self.heeds_sidecar(old, look, before=before, sidecar=sidecar):
            return Doubt.NONE
        spends = self._settings().spend or look.sidecar
        if written and (old.sha256 is None or not spends):
            return Doubt.NONE
        if spends:
            return Doubt.READ
        return Doubt.NONE if old.code == SourceRefused.code else Doubt.STAYS

    @staticmethod
    def heeds_sidecar(render: Render, look: FileFacts, *, before: bool, sidecar: bool) -> bool:
        """Return whether its sidecar sends a render that waits; ``sidecar``: it came, or changed, just now."""
        if not look.sidecar or render.state is not RenderState.WAITING or render.try_id is not None or before:
            return False
        # what waits for another reason than that nobody asked for it waits for a person
        return render.code == ASKS or (sidecar and render.code == InvalidRequest.code)
