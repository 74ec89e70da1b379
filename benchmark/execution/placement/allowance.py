"""How many jobs a GPU trains at a time, found by trying: more, as long as more gets done."""

from __future__ import annotations

START = 2  # one that computes, and one whose process reads, evaluates or writes meanwhile
GAIN = 1.05  # less than this is no gain
FEWEST = 3  # jobs that a rate is taken from, or as many as train at a time
TRY_AGAIN = 50  # jobs after which a number that was found is doubted


class Allowance:
    """The number of jobs that may train at a time on one GPU, between 1 and `most`.

    The rate of a number is that many times the expected over the taken seconds of the jobs that ran at it from
    beginning to end. The number grows by half while the rate grows with it; where it no longer does, the last one that
    gained is kept, and the next is tried again when TRY_AGAIN jobs have ended.
    """

    def __init__(self, most: int, start: int = START) -> None:
        self.most, self.now = most, min(start, most)
        self._seen: list[tuple[float, float]] = []  # expected and taken seconds at this number
        self._best: tuple[int, float] | None = None  # the last number that gained, and its rate
        self._found = False

    def ended(self, beside: int, expected: float, took: float) -> None:
        """A job that trained is done, in `took` seconds; `beside`: how many trained all the while, itself included."""
        if beside != self.now or took <= 0:
            return
        self._seen.append((expected, took))
        if len(self._seen) < (TRY_AGAIN if self._found else max(FEWEST, self.now)):
            return
        rate = self.now * sum(one for one, _ in self._seen) / sum(one for _, one in self._seen)
        self._seen = []
        if self._best is None or self._found or rate >= GAIN * self._best[1]:
            self._best = self.now, rate
            self._found = self.now == self.most
            self.now = min(self.most, self.now + max(1, self.now // 2))
        else:
            self.now, self._found = self._best[0], True
