"""Runs with several tasks: units, budgets, sizes and hosts of their own."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

import markdown_text
import numpy as np
import pytest
from scipy import stats

from benchmark.app.bundle import bundle
from benchmark.errors import BenchError
from benchmark.plugins.registry import Registry
from leaderboard.analysis.compare import compare as compare_boards
from leaderboard.analysis.power import decidable
from leaderboard.analysis.sweeps import curves
from leaderboard.judge.board import judge
from leaderboard.judge.evidence import OWN_POOL
from leaderboard.judge.run import read_run
from leaderboard.pages.board_json import leaderboard_json
from leaderboard.pages.cell_facts import describe_cell
from leaderboard.pages.export import matrix_csv
from leaderboard.pages.reproduce_command import reproduce
from leaderboard.pages.writers import latex
from leaderboard.pages.writers.html import page as html_page
from leaderboard.stats.two_sample import paired_t
from leaderboard.stats.utility_test import compare, fidelity

from ..unpacked_page import Unpacked

SURROGATES = (
    ("surrogate", 0.9, 0.2),
    ("augmented", 0.0, 0.2),
    ("clumsy", 0.0, 1.5),
    ("idle", 0.0, 5.5),
    ("open", 0.0, 0.6),
)


def outcome(values: Any, identity: float = 20.0) -> dict[str, Any]:
    return {"psnr": list(values), "identity": [identity] * len(values)}


@pytest.fixture
def two(case: Any) -> Any:
    """Digits beside photos."""
    shared = case.scheme("adi")
    case.hit(shared, "adi", "prune", 5, wrong=4)
    case.innocent(shared, "adi", "none", 9)
    case.image_track(attacks=SURROGATES)
    return case


def verdicts(board: Any) -> dict[str, str]:
    return {cell.attack: cell.verdict.word for cell in board.cells if not cell.innocent}


# -- the paired t ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("loss", "state"), [(0.1, "kept"), (0.48, "unclear"), (0.9, "lost")])
def test_psnr_is_judged_by_a_one_sided_paired_t(loss: float, state: str) -> None:
    draw = np.random.default_rng(0)
    before = 28 + draw.normal(0, 3, 60)
    after = before - loss - draw.normal(0, 0.4, 60)
    found = compare(outcome(before), outcome(after), 0.5, "dB")
    low = stats.ttest_rel(before - 0.5, after, alternative="less").pvalue
    high = stats.ttest_rel(before - 0.5, after, alternative="greater").pvalue
    assert found.state == ("kept" if low <= 0.05 else "lost" if high <= 0.05 else "unclear") == state
    assert found.z == pytest.approx(stats.ttest_rel(before - 0.5, after).statistic)
    assert found.interval == pytest.approx(tuple(stats.ttest_rel(before, after).confidence_interval(0.9)))
    assert (found.unit, found.n) == ("dB", 60)
    assert found.change == pytest.approx(-found.delta)
    assert found.losses + found.gains == 60


def test_a_model_that_hardly_beats_doing_nothing_is_lost_whatever_its_loss() -> None:
    before = np.linspace(21, 23.8, 20)
    idle = compare(outcome(before), outcome(before), 0.5, "dB")
    assert (idle.state, idle.useless, idle.delta) == ("lost", True, 0.0)
    assert compare(outcome(before), outcome(before + 0.7), 0.5, "dB").state == "kept"


def test_equal_losses_leave_no_doubt_and_one_image_says_nothing() -> None:
    same = np.full(5, 30.0)
    assert fidelity(same, same, 0.5).state == "kept"
    assert fidelity(same, same - 2, 0.5).state == "lost"
    assert fidelity(same, same - 0.5, 0.5).state == "unclear"
    assert fidelity(same[:1], same[:1], 0.5).state == "unclear"
    assert decidable(fidelity(same[:1], same[:1], 0.5)) == (None, None)


def test_outcomes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="same images"):
        compare(outcome([1.0, 2.0]), outcome([1.0]), 0.5, "dB")
    with pytest.raises(ValueError, match="counts in dB"):
        compare({"correct": "01"}, {"correct": "01"}, 0.5, "dB")
    with pytest.raises(ValueError, match="finite"):
        compare(outcome([1.0, float("inf")]), outcome([1.0, 2.0]), 0.5, "dB")


def test_what_could_be_decided_is_where_the_verdict_turns() -> None:
    draw = np.random.default_rng(1)
    before, noise = 28 + draw.normal(0, 2, 50), draw.normal(0, 0.5, 50)
    kept, lost = decidable(fidelity(before, before - noise, 1.0))
    assert kept is not None
    assert lost is not None
    for loss, state in (
        (kept - 1e-6, "kept"),
        (kept + 1e-6, "unclear"),
        (lost - 1e-6, "unclear"),
        (lost + 1e-6, "lost"),
    ):
        assert fidelity(before, before - noise + noise.mean() - loss, 1.0).state == state


def test_two_runs_are_compared_image_by_image() -> None:
    before = [30.0, 29.0, 31.0, 28.0]
    after = [29.0, 28.5, 30.1, 27.6]
    assert paired_t(before, after) == pytest.approx(0.0176489, abs=1e-7)  # t = .7 / (.294392 / 2), 3 degrees of freedom
    assert paired_t(before, before) == 1.0


# -- a run of two tracks --------------------------------------------------------------------------------------------


def test_each_track_is_judged_in_its_own_unit_at_its_own_budget(two: Any) -> None:
    board = two.board()
    assert verdicts(board) == {
        "prune": "removed", "surrogate": "survived", "augmented": "removed", "clumsy": "utility-lost",
        "idle": "utility-lost", "open": "undecided",
    }  # fmt: skip
    (cell,) = board.at("deepmodel", "augmented")
    assert (cell.task, cell.unit, cell.accuracy) == ("photos", "dB", pytest.approx(29.8, abs=0.05))
    assert cell.utility.change == pytest.approx(-0.1, abs=0.05)
    assert cell.after.log10_p_key is None
    digits, photos = board.parts
    assert [row.label for row in digits.attacks] == ["prune"]
    assert [row.label for row in photos.attacks] == [label for label, _, _ in SURROGATES]
    assert (digits.host_operations, photos.host_operations) == (1000, 4000)


def test_the_budget_in_points_leaves_images_alone(two: Any) -> None:
    usual, wider = two.board(), two.board(budget=10)
    assert [(track.budget, track.unit) for track in wider.tracks] == [(10, "points"), (0.5, "dB")]
    assert verdicts(usual) == verdicts(wider)
    (cell,) = wider.at("deepmodel", "augmented")
    assert "--budget 10" in reproduce(wider, cell)
    assert "--budget" not in reproduce(usual, cell)


def test_a_null_that_does_not_do_its_job_is_no_null(two: Any, case: Any) -> None:
    (cell,) = two.board().at("deepmodel", "augmented")
    assert "useless" not in cell.after.pools[OWN_POOL]
    case.run["schemes"], case.run["attacks"], case.run["cells"], case.run["jobs"] = [], [], [], {}
    case.run["data"] = case.run["data"][:1]
    case.image_track(losses=[0.1] * 12 + [6.0] * 4, attacks=SURROGATES)
    board = case.board()
    (cell,) = board.at("deepmodel", "augmented")
    assert (cell.after.pools[OWN_POOL]["J"], cell.after.pools[OWN_POOL]["useless"]) == (12, 4)
    assert board.useless_nulls == {"photos": 4}
    (row,) = board.schemes
    assert row.false_alarms.nulls == 12
    text = markdown_text.page(board)
    assert "16 (4 left out: below 3 dB over doing nothing)" in text
    assert "and 4 more that don't do their task" in describe_cell(board, cell)


def test_every_page_names_the_unit(two: Any) -> None:
    board = two.board()
    text = markdown_text.page(board)
    assert "5 points on digits and 0.5 dB on photos" in text
    for said in ("### photos, image-to-image", "#### Removal", "change \\[90 %\\], dB", "kept up to, dB", "budget, dB",
                 "29.90 dB", "| photos | image-to-image |"):  # fmt: skip
        assert said in text, said
    on_photos = markdown_text.pages(board)["matrix-removal.md"].split("### photos, image-to-image")[1]
    assert "the mean change of utility in dB." in on_photos
    (header, first, *_) = next(markdown_text.tables(on_photos))
    assert (len(header), first[1].split("<br>")[-1]) == (2, "-0.10")  # no column of the other track's scheme


def test_a_board_of_one_attack_has_the_tracks_that_it_serves(two: Any) -> None:
    whole = two.board()
    alone = whole.only(attacks=["augmented"])
    assert [part.track.task for part in alone.parts] == ["photos"]
    assert {cell.attack for cell in alone.cells} == {"augmented"}
    assert [row.label for row in alone.schemes] == ["adi", "deepmodel"]
    adi = whole.only(schemes=["adi"])
    assert ([part.track.task for part in adi.parts], len(adi.attacks)) == (["digits"], len(whole.attacks))
    assert whole.only().cells == whole.cells
    assert "image-to-image" not in markdown_text.pages(whole)["attacks/prune.md"]


def test_the_other_pages_name_the_unit(two: Any) -> None:
    board = two.board()
    html = html_page(board)
    assert ("removal", "photos") in {(one.kind, one.task) for one in Unpacked(html).squares}
    assert "0.5 dB on photos" in html
    drawn = latex.page(board)
    assert drawn.count("\\begin{longtable}") == 2
    assert "0.5 dB" in drawn
    (cell,) = board.at("deepmodel", "idle")
    assert "dB over doing nothing, below 3" in describe_cell(board, cell)


def test_ssim_stands_beside_psnr_and_decides_nothing(two: Any) -> None:
    board = two.board()
    (cell,) = board.at("deepmodel", "augmented")
    assert cell.ssim == pytest.approx(0.9)
    assert re.search(r"mean PSNR +29\.80 dB, SSIM 0\.900", describe_cell(board, cell))
    page = Unpacked(html_page(board))
    (told,) = page.square("deepmodel", "augmented", "removal").cells
    assert "29.80 dB, SSIM 0.900" in str(page.all_facts(told))
    before = verdicts(board)
    for id in two.run["jobs"]:
        record = two.store.read(id)
        if record["job"]["world"]["task"] == "photos" and "utility" in record["result"]:
            seen = {name: value for name, value in record["result"]["utility"].items() if name != "ssim"}
            two.store.write(record | {"result": {**record["result"], "utility": seen}})
    older = two.board()
    assert verdicts(older) == before
    (cell,) = older.at("deepmodel", "augmented")
    assert cell.ssim is None
    assert "SSIM" not in describe_cell(older, cell)


def test_what_embedding_did_to_the_images_stands_with_its_cost(two: Any) -> None:
    board = two.board()
    for page in (markdown_text.page(board), html_page(board)):
        assert page.count("marked against unmarked") == 1  # the other track has no such column
        assert "29.90 dB, SSIM 0.900" in page
        assert "35.00 dB, SSIM 0.970" in page
    (found,) = json.loads(leaderboard_json(board))["schemes"][1]["fidelity"]
    assert found["distortion"] == {"psnr": 35.0, "ssim": pytest.approx(0.97)}


@pytest.mark.parametrize("empty", ["digits", "photos"])
def test_a_track_without_a_scheme_is_not_spoken_of(two: Any, empty: str) -> None:
    gone = {"digits": "adi", "photos": "deepmodel"}[empty]
    other = {"digits": "photos", "photos": "digits"}[empty]
    two.run["schemes"] = [one for one in two.run["schemes"] if one["label"] != gone]
    two.run["cells"] = [one for one in two.run["cells"] if one["scheme"] != gone]
    board = two.board()
    text, html, drawn = markdown_text.page(board), html_page(board), latex.page(board)
    for page in (text, html):
        assert "0 schemes" not in page
        assert "othing was judged" not in page
        assert re.search(rf"attack settings? on {other}", page)
        assert f" on {empty}" not in page
        assert f", {empty}" not in page
    assert text.count("1 scheme against") == 1
    assert (drawn.count("begin{longtable}"), empty in drawn) == (1, False)
    assert [one["task"] for one in json.loads(leaderboard_json(board))["data"]] == ["digits", "photos"]


def test_csv_and_json_have_a_unit(two: Any) -> None:
    board = two.board()
    lines = {
        line["attack"]: line for line in csv.DictReader(io.StringIO(matrix_csv(board))) if line["innocent"] == "False"
    }
    assert (lines["prune"]["unit"], lines["augmented"]["unit"]) == ("points", "dB")
    assert float(lines["augmented"]["accuracy"]) == pytest.approx(29.8, abs=0.05)
    assert float(lines["augmented"]["utility_change"]) == pytest.approx(-0.1, abs=0.05)
    assert (lines["augmented"]["budget"], lines["prune"]["budget"]) == ("0.5", "5.0")
    assert float(lines["augmented"]["of_training_a_host"]) == 1.0
    assert (float(lines["augmented"]["ssim"]), lines["prune"]["ssim"]) == (pytest.approx(0.9), "")
    found = json.loads(leaderboard_json(board))
    assert [one["unit"] for one in found["data"]] == ["points", "dB"]
    assert [one["host_operations"] for one in found["data"]] == [1000, 4000]
    assert {cell["unit"] for cell in found["cells"] if cell["scheme"] == "deepmodel"} == {"dB"}


def test_the_thief_chooses_by_the_loss_of_his_own_images(case: Any) -> None:
    strengths = (0.1, 0.5, 0.9)
    case.image_track(attacks=[(f"noise(amount={amount})", 0.5, amount) for amount in strengths])
    for attack, amount in zip(case.run["attacks"], strengths, strict=True):
        attack["stages"] = [{"name": "noise", "parameters": {"amount": amount}}]
    for id, job in list(case.run["jobs"].items()):
        if job["label"].startswith("photos noise"):
            record = case.store.read(id)
            loss = {"0.1": 0.1, "0.5": 0.4, "0.9": 0.8}[job["label"][-4:-1]]
            seen = {"before": outcome([30.0, 31.0, 32.0]), "after": outcome([30 - loss, 31 - loss, 32 - loss])}
            case.store.write(record | {"result": record["result"] | {"thief_utility": seen}})
    board = case.board()
    (curve,) = curves(board)
    assert (curve.choice, curve.unit, curve.budget) == (0.5, "dB", 0.5)
    lines = list(csv.DictReader(io.StringIO(matrix_csv(board))))
    assert [line["attack"] for line in lines if line["thiefs_choice"] == "True"] == ["noise(amount=0.5)"]
    assert sum("thief's choice" in one.lines for one in Unpacked(html_page(board)).squares) == 1
    assert "at most 0.5 dB" in markdown_text.page(board)


def test_two_boards_of_two_tracks_compare(two: Any) -> None:
    board = two.board()
    found = compare_boards(board, board)
    assert found.same == len(board.cells)
    with pytest.raises(BenchError, match="one alpha and one budget"):
        compare_boards(board, two.board(budget=2))


def test_a_scheme_without_a_task_stands_with_the_main_track(two: Any) -> None:
    two.run["schemes"].append(dict(two.run["schemes"][1], label="lonely", task=None))
    two.cell("lonely", "prune", {}, reason="no track for image-to-image schemes")
    digits = two.board().parts[0]
    assert [row.label for row in digits.schemes] == ["adi", "lonely"]
    assert "no track for image-to-image" in markdown_text.page(two.board())


def test_an_older_run_is_refused_in_one_sentence(two: Any) -> None:
    two.run["data"] = {"task": "digits"}
    with pytest.raises(BenchError, match="written by another version"):
        two.board()


@pytest.mark.parametrize(("task", "budget"), [("digits", 7.0), ("photos", 0.5)])
def test_a_bundle_is_judged_at_the_thresholds_of_its_own_cells_track(
    two: Any, tmp_path: Path, task: str, budget: float
) -> None:
    """A budget in points moves no image cell; what isn't installed is named in bundle.json."""
    jobs = next(one for one in two.board().owners() if one.task == task).jobs
    digest = hashlib.sha256(b"tensors").hexdigest()
    for role in ("marked", "attacked", "judged", "fresh"):
        record = two.store.read(jobs[role])
        artefacts = {"artefacts": {"service": digest, "key": digest}}
        two.store.write(record | {"result": record["result"] | artefacts})
        for kind in ("service", "key"):
            path = two.store.artefact_path(jobs[role], kind)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"tensors")
    board = two.board(alpha=0.01, budget=7)
    cell = next(one for one in board.owners() if one.task == task)
    bundle(board, [cell], two.store, Registry.discover(()), tmp_path / "bundle")
    (alone,) = (again := judge(read_run(tmp_path / "bundle"))).cells
    assert [(track.task, track.alpha, track.budget) for track in again.tracks] == [(task, 0.01, budget)]
    assert (alone.verdict, alone.after, alone.utility) == (cell.verdict, cell.after, cell.utility)
    left_out = json.loads((tmp_path / "bundle" / "bundle.json").read_text())["left_out"]
    assert "is not installed" in left_out["code/scheme-toy.py.txt"]
