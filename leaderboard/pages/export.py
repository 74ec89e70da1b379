"""The pages of a run on the disk; `matrix.csv`, one line per cell, and `records.jsonl`, every record."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmark.errors import BenchError
from benchmark.store import atomic
from leaderboard.analysis.reproduction import is_reproduction
from leaderboard.analysis.sweeps import Curve, choices, curves
from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.judge.evidence import OWN_POOL, Evidence
from leaderboard.judge.gc_pause import paused
from leaderboard.judge.run import Run
from leaderboard.judge.summaries import work_share
from leaderboard.pages import markdown, wording
from leaderboard.pages.bibliography import bibliography
from leaderboard.pages.board_json import leaderboard_json
from leaderboard.pages.md_table import one_line
from leaderboard.pages.reproduction_page import page as reproduction_page
from leaderboard.pages.reproduction_page import reproduction_json
from leaderboard.stats.utility_test import SCALE

FIGURES = "figures"  # the folder of the figures, beside the pages
NAMES = ("matrix", "cost", "false-positives", "curves")
KINDS = ("png", "svg")
_FORMULA = ("=", "+", "-", "@")


@paused()
def write_pages(board: Board, folder: Path, *, figures: bool = False) -> list[Path]:
    """Write every page of the board into `folder`, each whole or not at all; returns their paths.

    figures: draw them, too, which takes seconds. Where they are not drawn, those of another board are removed: a
    figure never contradicts the pages beside it. Raises BenchError where the folder can't be written.
    """
    swept = curves(board)
    pages: dict[str, str | bytes] = {name: make() for name, make in page_makers(board, swept).items()}
    pages |= _reproduction(board)
    drawn: dict[str, bytes] = {}
    if figures:
        from leaderboard.pages.figures import figures as draw

        drawn = draw(board, swept)
    if figures or not _holds(folder / "matrix.csv", str(pages["matrix.csv"])):
        _remove_figures(folder, set(drawn))
    pages |= {f"{FIGURES}/{name}": image for name, image in drawn.items()}
    return [write_page(folder / name, page) for name, page in pages.items()]


def write_reproduction(board: Board, folder: Path) -> list[Path]:
    """Write the page of a run that reproduces a work, without those of the leaderboard."""
    return [write_page(folder / name, page) for name, page in _reproduction(board).items()]


def _reproduction(board: Board) -> dict[str, str]:
    if not is_reproduction(board.run):
        return {}
    return {
        "reproduction.md": reproduction_page(board),
        "reproduction.json": reproduction_json(board),
    }


def page_makers(board: Board, swept: Sequence[Curve] | None = None) -> dict[str, Callable[[], str]]:
    """What writes each page, by file name. swept: the board's curves, where they are known already."""
    from leaderboard.pages import (
        html,  # their engines load slowly, and only here
        latex,  # their engines load slowly, and only here
    )

    found = curves(board) if swept is None else swept
    return {
        "leaderboard.md": lambda: markdown.page(board, found),
        "leaderboard.html": lambda: html.page(board, found),
        "leaderboard.json": lambda: leaderboard_json(board),
        "leaderboard.tex": lambda: latex.page(board),
        "works.bib": lambda: bibliography(board),
        "matrix.csv": lambda: matrix_csv(board, found),
        "records.jsonl": lambda: records(board.run),
    }


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False


def _remove_figures(folder: Path, kept: set[str]) -> None:
    for path in (path for name in NAMES for kind in KINDS for path in (folder / FIGURES).glob(f"{name}*.{kind}")):
        if path.name not in kept and path.exists():
            try:
                path.unlink()
            except OSError as error:
                raise BenchError(f"{path} can't be removed ({error.strerror}): it shows an older board") from error


def write_page(path: Path, page: str | bytes) -> Path:
    """Write a page, text or image, whole or not at all. Raises BenchError where it can't be written."""
    try:
        atomic.write(path, page.encode() if isinstance(page, str) else page)
    except OSError as error:
        raise BenchError(f"{path} can't be written ({error.strerror}): choose another folder or free space") from error
    return path


def records(run: Run) -> str:
    """Every record of the run as JSON, one per line, sorted by id."""
    ordered = sorted(run.records.values(), key=lambda record: str(record["id"]))
    return "".join(json.dumps(record, sort_keys=True, separators=(",", ":")) + "\n" for record in ordered)


def matrix_csv(board: Board, swept: Sequence[Curve] = ()) -> str:
    """One line per cell, innocents among them; fields without a value are empty.

    swept: the run's curves; the cells that the thief would choose from them are marked. Texts that a spreadsheet would
    take for a formula start with a quote mark.
    """
    text = io.StringIO()
    chosen = choices(board, swept)
    lines = [
        _line(board, cell) | {"thiefs_choice": not cell.innocent and (cell.scheme, cell.attack) in chosen}
        for cell in (*board.cells, *board.beside)
    ]
    writer = csv.DictWriter(text, [*_line(board, None), "thiefs_choice"], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _field(value) for name, value in line.items()} for line in lines)
    return text.getvalue()


def _field(value: object) -> object:
    if not isinstance(value, str):
        return value
    plain = one_line(value)
    return f"'{plain}" if plain.startswith(_FORMULA) else plain


def _line(board: Board, cell: Cell | None) -> dict[str, Any]:
    """The columns of one cell; of None, only their names."""
    scheme = {row.label: row.described for row in board.schemes}.get(cell.scheme, {}) if cell else {}
    attack = {row.label: row.described for row in board.attacks}.get(cell.attack, {}) if cell else {}
    verdict, committed = (cell.verdict, cell.committed) if cell else (None, None)
    utility, cost, jobs = (cell.utility, cell.cost, cell.jobs) if cell else (None, None, {})
    return {
        "run": board.run.described["run"],
        "scheme": cell and cell.scheme,
        "attack": cell and cell.attack,
        "kind": cell and cell.kind,
        "replicate": cell and cell.replicate,
        "innocent": cell and cell.innocent,
        "verdict": verdict and verdict.word,
        "reason": verdict and verdict.reason,
        "flags": " ".join(verdict.flags) if verdict else None,
        "verdict_with_commitment": committed and committed.word,
        "reason_with_commitment": committed and committed.reason,
        "task": cell and cell.task,
        "unit": cell and cell.unit,
        "alpha": cell and board.part_of(cell).track.alpha,
        "budget": cell and board.part_of(cell).track.budget,
        **_evidence("", cell.after if cell else None),
        **_evidence("fresh_", cell.before if cell else None),
        "agreement": cell.agreement.labels if cell and cell.agreement else None,
        "largest_score_gap": cell.agreement.largest_gap if cell and cell.agreement else None,
        "accuracy": cell and cell.accuracy,
        "ssim": cell and cell.ssim,
        "utility_change": utility and utility.change,
        "utility_change_low": -SCALE[utility.unit] * utility.interval[1] if utility else None,
        "utility_change_high": -SCALE[utility.unit] * utility.interval[0] if utility else None,
        "utility_losses": utility and utility.losses,
        "utility_gains": utility and utility.gains,
        "utility_items": utility and utility.n,
        "utility_z": utility and utility.z,
        "utility_state": utility and utility.state,
        "gain_over_doing_nothing": utility and utility.gain,
        "gates": _listed({name: f"{gate.state} {wording.change(gate.delta, gate.unit)}"
                          for name, gate in cell.gates.items()}) if cell else None,
        "channels": _listed({name: f"{seen.total:g}/{seen.n}" for name, (_, seen) in cell.channels.items()})
        if cell else None,
        "release": scheme.get("release"),
        "court": scheme.get("court"),
        "access": attack.get("access"),
        "family": attack.get("family"),
        "thief_pool": cell and cell.pool,
        "thief_share": cell and cell.share,
        "seconds": cost and cost.seconds,
        "of_training_a_host": work_share(cost, board.part_of(cell).host_operations) if cell and cost else None,
        "peak_memory_mb": cost and cost.peak_memory_mb,
        "steps": cost and cost.steps,
        "samples": cost and cost.samples,
        "operations": cost and cost.operations,
        "labelled": cost and cost.labelled,
        "unlabelled": cost and cost.unlabelled,
        "queries": cost and cost.queries,
        **{f"job_{role}": jobs.get(role) for role in ("marked", "attacked", "suspect", "judged", "nulls")},
    }  # fmt: skip


def _evidence(prefix: str, found: Evidence | None) -> dict[str, Any]:
    pool = found.pools.get(OWN_POOL, {}) if found else {}
    names = (
        "state",
        "total",
        "n",
        "rate",
        "log10_p",
        "log10_p_key",
        "log10_p_null",
        "grade",
        "theta",
        "theta0",
        "upper",
    )
    columns = {name: getattr(found, name) if found else None for name in names}
    low, high = found.interval if found else (None, None)
    nulls = {"nulls": pool.get("J"), "null_mean": pool.get("mean"), "null_max": pool.get("max")}
    return {prefix + name: value for name, value in {**columns, "rate_low": low, "rate_high": high, **nulls}.items()}


def _listed(named: dict[str, str]) -> str:
    return "; ".join(f"{name} {value}" for name, value in named.items())
