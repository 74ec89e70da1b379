"""From stored records to verdicts, scores and pages. Reads records only: numpy, scipy and pandas, no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from leaderboard.judge.board import Board
    from leaderboard.judge.run import Run


def frame(
    source: Board | Run | Path | str,
    alpha: float | None = None,
    budget: float | None = None,
    strict: bool | None = None,
) -> pd.DataFrame:
    """The judged cells of a run as a pandas table, one row per cell; docs/data-dictionary.md explains its columns.

    source: the folder of a run (`results/quick`), a published board (`published:quick`), a run or a board.
    alpha, budget: judge at another significance level (a probability) and utility budget (in points, on classification
    tasks); strict: let p_null count beside an exact p_key; by default as the run says. Raises BenchError where there is
    no such run, or a threshold is out of range.
    """
    from leaderboard.dataframe import cells, find_board

    return cells(find_board(source, alpha, budget, strict))
