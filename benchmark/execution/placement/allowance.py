"""How many jobs a GPU trains at a time, found by trying: more, as long as more gets done."""

from __future__ import annotations

START = 2  # one that computes, and one whose process reads, evaluates or writes meanwhile
WORTH_MORE = 1.05  # less than this is no gain
FEWEST = 4  # jobs that a rate is taken from, or half as many as train at a time
TRY_AGAIN = 100  # jobs after which a number that was found is doubted


class Allowance:
    """The number of jobs that may train at a time on one GPU, between 1 and `most`.

    The rate of a number is that many times the expected over the taken seconds of the jobs that ran at it. While the
    rate grows the number doubles, or goes halfway to the least that brought no gain, or to `most`; the last number that
    gained is kept. After TRY_AGAIN more jobs, which may be other ones, larger numbers are tried again.
    """

    def __init__(self, most: int, start: int = START) -> None:
        self.most, self.now = most, min(start, most)
        self._seen: list[tuple[float, float]] = []  # expected and taken seconds at this number
        self._best, self._rate = 0, 0.0  # the last number that gained, and what it gets done
        self._ceiling = most + 1  # no number from here on gains

    def ended(self, expected: float, took: float) -> None:
        """A job is done in `took` seconds that trained while as many did as were allowed."""
        self._seen.append((expected, took))
        found = self.now == self._best
        if len(self._seen) < (TRY_AGAIN if found else max(FEWEST, self.now // 2)):
            return
        rate = self.now * sum(one for one, _ in self._seen) / max(1e-9, sum(one for _, one in self._seen))
        self._seen = []
        if found:
            self._ceiling = self.most + 1
        if found or rate >= WORTH_MORE * self._rate:
            self._best, self._rate = self.now, rate
        else:
            self._ceiling = self.now
        self.now = max(self._best, min(2 * self._best, (self._best + self._ceiling) // 2))
