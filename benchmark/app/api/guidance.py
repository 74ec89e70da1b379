"""What would protect a model, as Python functions: `wb.audit` tries it out, `wb.advise` answers from the boards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchmark.app.api.functions import AnyPath, run
from benchmark.data.own_images import is_own
from benchmark.data.tasks import find_task
from leaderboard.judge.board import Board

if TYPE_CHECKING:
    from leaderboard.analysis.advice import Advice


def audit(
    schemes: str | Sequence[str] = "standard",
    attacks: str | Sequence[str] = "standard",
    *,
    out: AnyPath | None = None,
    **options: Any,
) -> tuple[Board, list[Path]]:
    """Run schemes against attacks on one model and write a page of what would protect it: `bench audit`.

    options: those of `run`, by which the model is named, too. out: the folder of audit.md and audit.html, None for that
    of the run's pages. Returns the board and the paths of both forms of the page. Raises BenchError as `run` does.
    """
    from leaderboard.pages.studies.audit import write_audit

    board = run(schemes, attacks, **options)
    results = Path(options.get("results", "results"))
    folder = results / board.run.described["run"] if out is None else Path(out)
    return board, write_audit(board, folder, results)


def advise(
    release: Literal["weights", "api"], labelled: int, *, budget: float | None = None, task: str | None = None
) -> Advice:
    """Which scheme suits an owner, answered from the published boards alone: `bench advise`.

    release: what he gives out, the model or its answers. labelled: images of the thief's own that have labels. budget:
    points of accuracy that an attack may cost, None for each board's. task: None for every task of a board; one of
    which no record speaks is in `.silent`. Raises BenchError, where the package was installed without boards as well.
    """
    from leaderboard.analysis.advice import advice

    if task is not None and not is_own(task):
        find_task(task)
    return advice(release, labelled, budget, task)
