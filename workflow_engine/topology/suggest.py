"""The question "did you mean ...?" for names of any kind, bounded in time."""

from collections.abc import Collection
from difflib import get_close_matches

#: how many misses per list of names get a fuzzy search; the rest only an exact one by case
_SEARCHES = 20


class Suggester:
    """Finds the known name that was probably meant."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._folded: dict[str, str] | None = None
        self._left = _SEARCHES

    def nearest(self, name: str) -> str | None:
        """Return the closest known name, or None."""
        if self._folded is None:
            self._folded = {_fold(known): known for known in self._names}
        if found := self._folded.get(_fold(name)):
            return found
        if self._left <= 0 or len(name) > 200:
            return None
        self._left -= 1
        close = get_close_matches(_fold(name), self._folded, n=1, cutoff=0.7)
        return self._folded[close[0]] if close else None

    def remedy(self, name: str) -> str:
        """Return `Did you mean "..."?`, or an empty string."""
        found = self.nearest(name)
        return f'Did you mean "{found}"?' if found else ""


def _fold(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "").replace(" ", "")
