"""Whether it is worth asking a judge the same again: while nothing it said was ever readable, few find out for all."""

from __future__ import annotations

import asyncio

SCOUTS = 5
"""So many rows at most are asked again before one answer was readable; when all of them were in vain, no row
is any more."""


class Hope:
    """One judge's, for one kind of answer. Rows wait while others find out, however many are under way.

    Without it, all rows that are under way at first would be asked again before the first of them
    shows that it was in vain.
    """

    def __init__(self) -> None:
        self._read = False
        self._scouting: set[str] = set()
        self._in_vain = 0
        self._changed = asyncio.Event()

    @property
    def is_gone(self) -> bool:
        """Nothing was ever readable, and asking again has not helped so often that it will not."""
        return not self._read and self._in_vain >= SCOUTS

    def was_read(self) -> None:
        """An answer was readable: whoever was not may be so the next time."""
        if not self._read:
            self._read = True
            self._tell()

    def was_in_vain(self) -> bool:
        """A row has been asked as often as it may be, and was never readable. Whether that was one too many."""
        self._in_vain += not self._read
        self._tell()
        return not self._read and self._in_vain == SCOUTS

    def may(self, row: str) -> bool | None:
        """Whether `row` is to be asked again; None: others find that out now. Whoever may has to `leave`."""
        if self._read or row in self._scouting:
            return True
        if self.is_gone:
            return False
        if len(self._scouting) + self._in_vain >= SCOUTS:
            return None
        self._scouting.add(row)
        return True

    async def worth(self, row: str) -> bool:
        """The same, as soon as it is known."""
        while (found := self.may(row)) is None:
            await self._changed.wait()
        return found

    def leave(self, row: str) -> None:
        """The row is over, whatever became of it."""
        if row in self._scouting:
            self._scouting.discard(row)
            self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
