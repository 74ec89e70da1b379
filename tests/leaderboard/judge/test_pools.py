"""Two pools of nulls: the larger p decides, and a suspect's own lineage is in neither."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import markdown_text
import numpy as np
import pytest
from scipy import stats

from leaderboard.analysis.error_rates import calibrate
from leaderboard.judge.case_file import read_case
from leaderboard.judge.cell import Cell
from leaderboard.judge.evidence import OWN_POOL, weigh
from leaderboard.judge.results import null_observations, nulls_of, observations
from leaderboard.pages import wording
from leaderboard.pages.cell_facts import describe_cell
from leaderboard.pages.studies.calibration_page import calibration_page
from leaderboard.stats.null_tests import SURROGATE_POOL

SCORE = 0.4  # of a suspect: far above clean nulls, about what surrogates of them show
HIGH = [(0.2 + 0.1 * (index % 3), 0.2) for index in range(8)]


def cells(case: Any, surrogates: Sequence[tuple[float, float]]) -> tuple[Any, Cell]:
    case.image_track(attacks=[("surrogate", SCORE, 0.2)], surrogates=surrogates)
    board = case.board()
    return board, next(cell for cell in board.cells if not cell.innocent)


@pytest.mark.parametrize(
    ("surrogates", "word", "counted"),
    [
        ((), "survived", False),
        (HIGH, "removed", True),  # even unlimited nulls like these would ask for 0.55
        (HIGH[:7], "survived", False),  # too few to count: printed only
        ([*HIGH[:7], (0.3, 6.0)], "survived", False),  # the eighth hardly beats doing nothing
    ],
)
def test_the_larger_p_over_the_pools_decides(
    case: Any, surrogates: Sequence[tuple[float, float]], word: str, counted: bool
) -> None:
    board, cell = cells(case, surrogates)
    assert cell.after is not None
    assert cell.verdict.word == word
    pools = cell.after.pools
    larger = max(pools, key=lambda name: pools[name]["log10_p"]) if counted else OWN_POOL
    assert cell.after.log10_p_null == pools[larger]["log10_p"]
    assert larger == (SURROGATE_POOL if counted else OWN_POOL)
    if counted:
        totals = [score for score, _ in surrogates]
        assert cell.after.theta0 == pytest.approx(np.mean(totals) + stats.norm.isf(1e-3) * np.std(totals, ddof=1))
    assert cell.before is not None
    assert cell.before.pools.keys() == pools.keys()
    said = describe_cell(board, cell)
    assert ("surrogate nulls  " in said) is bool(surrogates)
    if surrogates:
        able = sum(loss < 5 for _, loss in surrogates)
        assert pools[SURROGATE_POOL]["J"] == able
        assert board.useless_nulls == ({} if able == len(surrogates) else {"photos": 1})
    said = markdown_text.page(board)
    assert (f"| 16 clean, {len(surrogates)} surrogates" in said) is bool(surrogates)
    assert (wording.ABOUT_SURROGATES in said) is bool(surrogates)


def test_a_planned_pool_that_was_not_judged_leaves_no_verdict(case: Any) -> None:
    shared = case.image_track(attacks=[("surrogate", SCORE, 0.2)], surrogates=HIGH)
    case.store.record_path(shared["surrogate_nulls"]).unlink()
    board = case.board()
    assert [cell.verdict.word for cell in board.cells] == ["not-run"] * 2
    assert all(cell.before is None and cell.after is None for cell in board.cells)
    (row,) = board.schemes
    assert row.false_alarms.nulls == 0


def test_an_innocent_is_not_measured_by_its_own_null_or_the_surrogate_of_it(case: Any) -> None:
    shared = case.image_track(surrogates=HIGH)
    run = case.read()
    suspect = run.records[shared["nulls"]]["job"]["suspects"][3]
    again = case.images("attacked", "photos null 3, attacked otherwise", [suspect])
    for model, left in ((suspect, (15, 7)), (again, (15, 7)), (case.images("null", "photos other", []), (16, 8))):
        judged = case.judged(f"photos {model} seen", shared["marked"], [model], [_seen(SCORE)])
        jobs = {"suspect": model, "judged": judged, **{name: shared[name] for name in ("nulls", "surrogate_nulls")}}
        after = read_case(case.read(), jobs, innocent=True, claim=False).after
        assert after is not None
        pools = after.at(1e-3).pools
        assert (pools[OWN_POOL]["J"], pools[SURROGATE_POOL]["J"]) == left


def _seen(mean: float) -> dict[str, Any]:
    values = [mean + 0.1 * (index % 5 - 2) for index in range(40)]
    return {"evidence": "projection", "channels": {"projection": {"values": values}}, "gates": {}, "unreadable": None}


def test_false_alarms_leave_out_the_surrogate_of_the_accused_null(case: Any) -> None:
    """Null 3 stands out and so does its surrogate, which would excuse it if it counted."""
    low = [(0.02 * (index % 3), 0.2) for index in range(9)]
    shared = case.image_track(attacks=[("surrogate", SCORE, 0.2)], surrogates=[*low[:3], (0.5, 0.2), *low[4:]])
    record = case.store.read(shared["nulls"])
    record["result"]["observations"][3] = _seen(0.5)
    case.store.write(record)
    board = case.board()
    (row,) = board.schemes
    assert (row.false_alarms.null_fired, row.false_alarms.nulls) == (1, 16)
    seen = observations(board.run, shared["surrogate_nulls"])
    own = [one for index, one in enumerate(observations(board.run, shared["nulls"])) if index != 3]
    assert weigh(_seen(0.5), {OWN_POOL: own, SURROGATE_POOL: seen}, 1e-3).state != "present"


def test_a_claim_is_measured_by_both_pools_under_its_own_key(case: Any) -> None:
    shared = case.image_track(surrogates=HIGH)
    case.attack("claiming", "ambiguity")
    attacked = case.images("attacked", "photos claimed", [shared["marked"]])
    models = {name: case.read().records[shared[name]]["job"]["suspects"] for name in ("nulls", "surrogate_nulls")}
    theirs = {
        name: case.judged(f"photos claim on {name}", attacked, some, [_seen(0.9 + 0.01 * (i % 3)) for i, _ in
                                                                      enumerate(some)])
        for name, some in models.items()
    }  # fmt: skip
    judged = case.judged("photos claim", attacked, [attacked], [_seen(1.0)])
    jobs = shared | {f"fresh_{name}": shared[name] for name in theirs} | theirs
    case.cell("deepmodel", "claiming", jobs | {"attacked": attacked, "judged": judged})
    (cell,) = case.board().at("deepmodel", "claiming")
    assert [round(cell.after.pools[pool]["max"], 2) for pool in (OWN_POOL, SURROGATE_POOL)] == [0.92, 0.92]
    assert [round(cell.before.pools[pool]["max"], 2) for pool in (OWN_POOL, SURROGATE_POOL)] == [0.04, 0.4]


def test_a_calibration_measures_by_both_pools(case: Any) -> None:
    """Nine surrogates: eight are left where the suspect shares its null with one of them."""
    surrogates = [*HIGH, (0.3, 0.2)]
    shared = case.image_track(surrogates=surrogates)
    run = case.read()
    null = run.records[shared["nulls"]]["job"]["suspects"][3]
    attacked = case.images("attacked", "photos attacked null 3", [null])
    pool = case.judged("photos attacked nulls", shared["marked"], [attacked], [_seen(SCORE)])
    entry = {
        "scheme": "deepmodel", "marked": shared["marked"], "fresh": shared["fresh"], "crossed": [],
        "drawn": case.job("drawn", "none", [], status="not-applicable", reason="no such test"),
        "pools": {"clean": shared["nulls"], "attacked": pool},
    }  # fmt: skip
    found = {}
    for surrogate_nulls in (None, shared["surrogate_nulls"]):
        case.run["calibration"] = [{**entry, "surrogate_nulls": surrogate_nulls}]
        run = case.read()
        (one,) = calibrate(run)
        found[surrogate_nulls is None] = one
    accused = {alone: one.pools[1].both[1e-3].count for alone, one in found.items()}
    assert accused == {True: 1, False: 0}
    others = {
        OWN_POOL: null_observations(run, shared["nulls"], attacked),
        SURROGATE_POOL: null_observations(run, shared["surrogate_nulls"], attacked),
    }
    assert [len(some) for some in others.values()] == [15, 8]
    assert found[False].pools[1].least_log10_p == weigh(_seen(SCORE), others, 1e-3).log10_p
    assert len(nulls_of(run, shared["surrogate_nulls"])) == 9
    assert found[False].power[1e-3] < found[True].power[1e-3]
    assert "16 clean, 9 surrogates on photos" in calibration_page(run, [found[False]])
