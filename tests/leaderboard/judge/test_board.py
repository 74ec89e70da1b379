"""From a run's records to its board: every word, missing records, thresholds, tallies."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from benchmark.errors import BenchError
from leaderboard.judge.board import Board, judge
from leaderboard.judge.cell import Cell
from leaderboard.judge.run import read_run
from leaderboard.judge.verdicts import Tally, Verdict
from leaderboard.pages.cell_facts import describe_cell
from leaderboard.pages.sections import innocents, protocol
from leaderboard.pages.sections.legend import LEGEND, RARE

from ..conftest import observation, outcomes


def cell(board: Board, attack: str, scheme: str = "adi", *, innocent: bool = False) -> Cell:
    (found,) = board.at(scheme, attack, innocent=innocent)
    return found


def test_every_word_occurs_where_it_should(full: Any) -> None:
    board = full.board()
    assert cell(board, "survived").verdict == Verdict("survived")
    assert cell(board, "useless").verdict == Verdict("survived", flags=("useless",))
    assert cell(board, "unprovable").verdict == Verdict("unprovable", "gate lost: fidelity")
    assert cell(board, "removed").verdict == Verdict("removed")
    assert cell(board, "utility-lost").verdict.word == "utility-lost"
    for why in ("evidence", "utility", "both", "nulls"):
        assert cell(board, f"undecided ({why})").verdict == Verdict("undecided", why)
    for word in ("crashed", "timeout", "oom", "not-run", "not-applicable"):
        assert cell(board, word).verdict.word == word
    assert cell(board, "killed").verdict.word == "crashed"
    assert cell(board, "survived", "weak").verdict.word == "embed-failed"
    assert cell(board, "forged").verdict.word == "forged"
    assert cell(board, "rejected").verdict == Verdict("rejected", "gate lost: fidelity")
    assert cell(board, "undecided claim").verdict == Verdict("undecided", "gate unclear: fidelity")
    assert cell(board, "none", innocent=True).verdict.word == "not-marked"
    assert cell(board, "survived", innocent=True).verdict.word == "false-positive"
    seen = {one.verdict.word for one in board.cells} | {flag for one in board.cells for flag in one.verdict.flags}
    assert seen == set(LEGEND) - set(RARE)


def test_evidence_and_utility_are_those_of_the_records(full: Any) -> None:
    found = cell(full.board(), "utility-lost")
    assert found.before is not None
    assert found.after is not None
    assert found.utility is not None
    assert (found.before.total, found.after.total, found.after.n) == (96, 5, 100)
    assert (found.utility.losses, found.utility.gains, found.utility.n) == (80, 0, 400)
    assert found.accuracy == pytest.approx(0.8)
    assert found.cost is not None
    assert found.cost.steps == 60


def know_the_majority(case: Any, job: str, wrong: int) -> None:
    """The record says what the most frequent class gets, too: all but `wrong`."""
    record = case.store.read(job)
    record["result"]["utility"]["majority"] = outcomes(wrong)
    case.store.write(record)


def test_a_model_that_does_not_beat_the_most_frequent_class_is_of_no_use(case: Any) -> None:
    """12 wrong of 400 is within the budget, and what always naming the class of 97 % gets."""
    shared = case.scheme("adi")
    case.hit(shared, "adi", "before", 5, wrong=12)
    zeros, better = (case.hit(shared, "adi", name, 5, wrong=wrong) for name, wrong in (("zeros", 12), ("better", 8)))
    for jobs in (zeros, better):
        know_the_majority(case, jobs["attacked"], 12)
    board = case.board()
    assert [cell(board, name).verdict.word for name in ("before", "zeros", "better")] == [
        "removed", "utility-lost", "removed",
    ]  # fmt: skip
    assert "lost: it does not beat the most frequent class" in describe_cell(board, cell(board, "zeros"))


def test_a_null_that_does_not_beat_it_is_no_null(case: Any) -> None:
    case.hit(case.scheme("adi"), "adi", "prune", 5)
    nulls = [id for id, job in case.run["jobs"].items() if job["kind"] == "null"]
    for job in nulls:
        know_the_majority(case, job, 8 if job in nulls[:4] else 40)
    board = case.board()
    after = cell(board, "prune").after
    assert after is not None
    assert (after.pools["clean"]["J"], after.pools["clean"]["useless"]) == (12, 4)
    assert board.useless_nulls == {"digits": 4}
    assert "16 (4 left out: no better than the most frequent class)" in str(protocol.tasks(board).rows)


def test_a_model_whose_gate_fails_as_delivered_was_not_marked(case: Any) -> None:
    """Its owner's claim would have been refused before any thief came."""
    shared = case.scheme("adi")
    record = case.store.read(shared["fresh"])
    record["result"]["observations"] = [observation(96, gate_wrong=80)]
    case.store.write(record)
    case.hit(shared, "adi", "prune", observation(96, gate_wrong=0))
    assert cell(case.board(), "prune").verdict == Verdict("embed-failed", "gate lost: fidelity, before the attack")


def test_scratch_is_compared_with_the_attacked_model(full: Any) -> None:
    """Scratch gets 20 of 400 wrong: within 5 points of a model with 8 wrong, not of one with none."""
    board = full.board()
    assert cell(board, "no-better-than-scratch").verdict.flags == ("no-better-than-scratch",)
    assert cell(board, "removed").verdict.flags == ()


def test_scratch_is_not_compared_with_itself(case: Any) -> None:
    shared = case.scheme("adi")
    jobs = case.hit(shared, "adi", "scratch", 9, wrong=0, kind="control")
    case.run["cells"][0]["jobs"] = jobs | {"scratch": jobs["attacked"]}
    assert cell(case.board(), "scratch").verdict == Verdict("removed")


def test_a_court_that_asks_for_commitment_rejects_what_the_other_believes(full: Any) -> None:
    found = cell(full.board(), "forged")
    assert found.committed == Verdict("rejected", "the key was not committed before the suspect existed")


def test_an_uncommitted_claim_is_charged_its_search(case: Any) -> None:
    shared = case.scheme("adi")
    case.hit(shared, "adi", "hash-bound", 29, kind="ambiguity")
    bound = {"well_formed": True, "bound": True, "hash_bound": False, "committed": True, "reason": None}
    case.hit(shared, "adi", "committed", 29, kind="ambiguity", admission=bound)
    board = case.board()
    assert cell(board, "committed").verdict.word == "forged"
    assert cell(board, "hash-bound").verdict.word != "forged"


def test_an_unreadable_suspect_is_no_evidence(full: Any) -> None:
    found = cell(full.board(), "unreadable")
    assert found.verdict == Verdict("removed", "its layer 3 has another shape")
    assert found.after is not None
    assert (found.after.total, found.after.n) == (0, 100)


def test_thresholds_change_verdicts_and_no_record(full: Any) -> None:
    run = full.read()
    before = json.dumps(run.records, sort_keys=True)
    strict, usual, lenient = judge(run, alpha=1e-6), judge(run), judge(run, alpha=0.05)
    assert [cell(b, "undecided (nulls)").verdict.word for b in (strict, usual, lenient)] == [
        "undecided", "undecided", "survived",
    ]  # fmt: skip
    assert cell(judge(run, budget=10.0), "undecided (utility)").verdict.word == "removed"
    assert cell(judge(run, budget=1.0), "undecided (utility)").verdict.word == "utility-lost"
    assert (usual.alpha, usual.budget) == (0.001, 5.0)
    assert json.dumps(run.records, sort_keys=True) == before


@pytest.mark.parametrize(("alpha", "budget"), [(0.0, None), (1.0, None), (None, 0.0), (None, 100.0)])
def test_thresholds_out_of_range_are_a_users_mistake(full: Any, alpha: float | None, budget: float | None) -> None:
    with pytest.raises(BenchError, match="between 0 and"):
        judge(full.read(), alpha, budget)


def test_a_failed_job_speaks_for_all_that_needed_it(case: Any) -> None:
    shared = case.scheme("adi")
    case.hit(shared, "adi", "prune", 96, status="crashed", reason="ValueError: no layers")
    found = cell(case.board(), "prune")
    assert found.verdict == Verdict("crashed", "ValueError: no layers")
    assert found.before is not None


def test_a_failed_embedding_is_named_in_its_cells(case: Any) -> None:
    shared = case.scheme("adi")
    broken = case.model("marked", "marked broken", [], status="timeout", reason="stopped after 60 s")
    fresh = case.job("judged", "fresh broken", [broken], status=None)
    attacked = case.job("attacked", "attacked broken", [broken], status=None)
    judged = case.job("judged", "judged broken", [attacked, broken], status=None)
    case.attack("prune")
    jobs = shared | {"marked": broken, "fresh": fresh, "attacked": attacked, "judged": judged}
    case.cell("adi", "prune", jobs)
    assert cell(case.board(), "prune").verdict == Verdict("timeout", "stopped after 60 s")


def test_a_failed_parent_outside_the_cell_is_named(case: Any) -> None:
    shared = case.scheme("adi")
    null = case.model("null", "null 99", [], status="oom", reason="out of memory")
    nulls = case.job("judged", "nulls", [shared["marked"], null], status=None)
    case.hit(shared | {"nulls": nulls}, "adi", "prune", 96)
    assert cell(case.board(), "prune").verdict == Verdict("oom", "null 99: out of memory")


def test_observations_that_do_not_fit_cost_their_own_cell(case: Any) -> None:
    shared = case.scheme("adi")
    short = {"evidence": "bits", "channels": {"bits": {"hits": "111"}}, "gates": {}, "unreadable": None}
    case.hit(shared, "adi", "odd", short)
    case.hit(shared, "adi", "prune", 96)
    board = case.board()
    assert cell(board, "odd").verdict.word == "crashed"
    assert "can't be weighed" in str(cell(board, "odd").verdict.reason)
    assert cell(board, "prune").verdict.word == "survived"


def test_an_innocent_model_is_never_its_own_null(case: Any) -> None:
    shared = case.scheme("adi", nulls=(9,) * 15 + (60,))
    null = next(id for id, job in case.run["jobs"].items() if job["label"] == "null 15")
    case.innocent(shared, "adi", "none", 60, suspect=null)
    found = cell(case.board(), "none", innocent=True)
    assert found.after is not None
    assert found.after.pools["clean"]["J"] == 15
    assert found.verdict.word == "false-positive"


def test_false_alarms_count_models(full: Any) -> None:
    """Two verdicts, of one model: as it is, and attacked."""
    alarms = full.board().schemes[0].false_alarms
    assert (alarms.tally.count("false-positive"), alarms.fired, alarms.models) == (1, 1, 1)
    assert (alarms.null_fired, alarms.nulls) == (0, 16)
    assert alarms.null_bound == pytest.approx(0.171, abs=5e-4)


@pytest.mark.parametrize(("hits", "accused"), [(9, 0), (60, 1)])
def test_another_owners_model_is_printed_beside_the_innocents(case: Any, hits: int, accused: int) -> None:
    """It is marked, so it is no innocent model of the tally; where there is one seed there is none."""
    shared = case.scheme("adi")
    case.hit(shared, "adi", "prune", 96)
    assert "other owners' models accused" not in innocents.false_alarms(case.board()).header
    other = case.scheme("adi", replicate=1)["marked"]
    rival = case.judged("rival", shared["marked"], [other], [observation(hits, 0)])
    case.hit(shared | {"rival": rival}, "adi", "quantize", 96)
    case.hit(shared | {"rival": rival}, "adi", "finetune", 5)
    board = case.board()
    alarms = board.schemes[0].false_alarms
    assert (alarms.rival_fired, alarms.rivals, alarms.models) == (accused, 1, 0)
    assert innocents.false_alarms(board).rows[-1][-1] == f"{accused}/1"


def test_a_rival_of_several_models_is_none(case: Any) -> None:
    shared = case.scheme("adi")
    case.hit(shared | {"rival": shared["nulls"]}, "adi", "quantize", 96)
    (row,) = case.board().schemes
    assert row.false_alarms.rivals == 0


def test_a_null_that_would_be_accused_is_counted(case: Any) -> None:
    shared = case.scheme("adi", nulls=(9,) * 15 + (60,))
    case.hit(shared, "adi", "prune", 96)
    assert case.board().schemes[0].false_alarms.null_fired == 1


def test_tallies_count_undecided_both_ways_and_keep_boards_apart(full: Any) -> None:
    adi, weak = full.board().schemes
    removal = adi.tallies["removal"]
    assert (removal.held, removal.useless, removal.broken, removal.undecided, removal.judged) == (1, 2, 4, 4, 11)
    assert removal.shares == (pytest.approx(3 / 11), pytest.approx(7 / 11))
    assert removal.left_out == 6
    assert (adi.tallies["ambiguity"].broken, adi.committed["ambiguity"].broken) == (1, 0)
    assert adi.tallies["evasion"] == Tally({})
    assert (weak.tallies["removal"].judged, weak.tallies["removal"].left_out) == (0, 1)


def test_fidelity_is_paired_with_the_host(full: Any) -> None:
    (found,) = full.board().schemes[0].fidelity
    assert (found.host, found.marked, found.nulls) == (pytest.approx(0.98), 1.0, pytest.approx(0.98))
    assert found.drop is not None
    assert found.drop.delta == pytest.approx(-0.02)
    assert found.cost is not None
    assert found.cost.seconds == 8.0


def test_costs_are_relative_to_training_a_host(full: Any) -> None:
    board = full.board()
    attack = next(row for row in board.attacks if row.label == "removed")
    assert board.host_seconds == 2.0
    assert (attack.relative, attack.tier) == (1.0, 3)


def test_seeds_are_tallied_together(case: Any) -> None:
    for replicate, hits in enumerate((96, 96, 5)):
        shared = case.scheme("adi", replicate=replicate)
        case.hit(shared, "adi", "prune", hits, replicate=replicate)
    tally = case.board().schemes[0].tallies["removal"]
    assert (tally.held, tally.useless, tally.judged) == (2, 0, 3)
    assert len(case.board().schemes[0].fidelity) == 3


@pytest.mark.parametrize(("text", "said"), [
    (None, "holds no run.json"), ("{", "not valid JSON"), ("[]", "must be a table"),
    ('{"schema": 99}', "another version"), ('{"schema": 1}', "profile, run, schemes, version are missing"),
])  # fmt: skip
def test_a_folder_without_a_run_is_a_users_mistake(case: Any, text: str | None, said: str) -> None:
    if text is not None:
        (case.folder / "run.json").write_text(text)
    with pytest.raises(BenchError, match=said):
        read_run(case.folder, case.store)


def test_a_job_that_waits_for_nothing_is_not_to_do(case: Any) -> None:
    shared = case.scheme("adi")
    case.hit(shared, "adi", "unfit", 5, status="not-applicable", reason="v2 ships no passports")
    case.hit(shared, "adi", "broken", 5, status="crashed", reason="ValueError: wrong shape (prune.py:12)")
    case.hit(shared, "adi", "later", 5, status=None)
    case.hit(shared, "adi", "done", 5)
    run = case.read()
    states = {one["attack"]: [run.state(one["jobs"][role]) for role in ("attacked", "judged")]
              for one in run.described["cells"]}  # fmt: skip
    assert states == {
        "unfit": ["not-applicable", "not-applicable"], "broken": ["crashed", "blocked"],
        "later": ["to do", "to do"], "done": ["ok", "ok"],
    }  # fmt: skip


def test_a_damaged_record_is_a_missing_one(full: Any) -> None:
    target = next(c for c in full.run["cells"] if c["attack"] == "survived")["jobs"]["judged"]
    full.store.record_path(target).write_text("{")
    assert cell(full.board(), "survived").verdict.word == "not-run"


def test_no_part_of_the_leaderboard_needs_torch() -> None:
    """In a process of its own: what is imported here, other tests imported before."""
    code = (
        "import importlib, pkgutil, sys, leaderboard\n"
        "for one in pkgutil.walk_packages(leaderboard.__path__, 'leaderboard.'):\n"
        "    importlib.import_module(one.name)\n"
        "print('leaderboard.pages.export' in sys.modules, 'torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["True", "False"]
