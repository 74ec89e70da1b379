"""Two runs side by side: which tests, which family, which direction, and what is new, gone or lost."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from bench import bench_here

from benchmark.errors import BenchError
from leaderboard.analysis.compare import compare, words
from leaderboard.judge.board import judge
from leaderboard.judge.run import find_run
from leaderboard.pages.compare_text import as_json, describe
from leaderboard.stats.tails import holm
from leaderboard.stats.two_sample import fisher, mcnemar, welch

from ..conftest import NULL_HITS, observation


@pytest.fixture
def two(case: Any, tmp_path: Path) -> tuple[Any, Any]:
    """Two empty cases to fill."""
    return case, type(case)(tmp_path / "other")


def test_fisher_is_the_hypergeometric_sum() -> None:
    # Fisher's tea: 3 of 4 against 1 of 4: 2 (1 + 16) / 70
    assert fisher((3, 4), (1, 4)) == pytest.approx(34 / 70)
    assert fisher((40, 40), (0, 40)) == pytest.approx(2 / 107507208733336176461620, rel=1e-6)
    assert fisher((7, 40), (7, 40)) == pytest.approx(1.0)


def test_mcnemar_is_a_sign_test_of_the_discordant() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(5, 5) == 1.0
    assert mcnemar(10, 0) == mcnemar(0, 10) == pytest.approx(2 / 1024)
    assert mcnemar(8, 2) == pytest.approx(2 * (1 + 10 + 45) / 1024)


def test_welch() -> None:
    assert welch([1.0, 1.0], [1.0, 1.0]) == 1.0
    assert welch([1.0, 1.0], [2.0, 2.0]) == 0.0
    assert welch([0.0, 1.0, 2.0], [0.5, 1.5, 2.5]) == pytest.approx(0.573, abs=1e-3)  # t = .612, 4 degrees of freedom


def test_equal_models_are_found_changed_at_most_at_the_level() -> None:
    """400 comparisons of 20 cells with equal rates: at most binom.ppf(.999, 400, .05) = 34 name any cell."""
    rng = random.Random(5)
    named = 0
    for _ in range(400):
        hits = [tuple(sum(rng.random() < rate for _ in range(40)) for _ in "ab") for rate in [0.1, 0.9] * 10]
        named += min(holm([fisher((a, 40), (b, 40)) for a, b in hits])) <= 0.05
    assert named <= 34


def filled(case: Any, hits: int, wrong: int = 0, **options: Any) -> Any:
    shared = case.scheme("adi")
    case.hit(shared, "adi", "prune", hits, wrong, **options)
    case.hit(shared, "adi", "steady", 90)
    return case


def test_a_removed_mark_is_worse_and_beyond_chance(two: tuple[Any, Any]) -> None:
    a, b = filled(two[0], 96).board(), filled(two[1], 5).board()
    found = compare(a, b)
    (change,) = found.worse
    assert (change.after.attack, change.step, change.beyond_chance) == ("prune", -2, True)
    assert (found.same, found.tests) == (1, 2)  # the steady cell is the same record, and no part of the family
    evidence = next(test for test in change.tests if test.what == "evidence")
    assert evidence.p == pytest.approx(fisher((96, 100), (5, 100)))
    assert evidence.adjusted == pytest.approx(2 * evidence.p)
    assert compare(b, a).better[0].step == 2
    assert "survived -> removed; 96/100 -> 5/100 (Fisher 10^" in describe(a, b, found)
    json.dumps(as_json(a, b, found), allow_nan=False)


def test_utility_is_paired(two: tuple[Any, Any]) -> None:
    """20 more errors on the same 400 images: McNemar says 2^-19, two unpaired samples would say less."""
    a, b = filled(two[0], 96, 0).board(), filled(two[1], 96, 20).board()
    found = compare(a, b)
    assert found.worse == []
    (change,) = found.shifted
    utility = next(test for test in change.tests if test.what == "utility")
    assert utility.p == pytest.approx(2**-19)
    assert next(test for test in change.tests if test.what == "evidence").p == 1.0


def test_utility_is_not_paired_across_data(two: tuple[Any, Any]) -> None:
    filled(two[1], 96, 20).run["data"][0]["sha256"] = "cd" * 32
    (change, _) = compare(filled(two[0], 96).board(), two[1].board()).changes
    assert [test.what for test in change.tests] == ["evidence"]


def test_a_word_that_changes_within_chance_is_worse_and_says_so(two: tuple[Any, Any]) -> None:
    """21 of 100 is present, 20 is undecided: one hit less."""
    a, b = filled(two[0], 21).board(), filled(two[1], 20).board()
    (change,) = compare(a, b).worse
    assert not change.beyond_chance
    assert "within chance" in describe(a, b, compare(a, b))


def test_new_gone_and_lost(two: tuple[Any, Any]) -> None:
    one, other = (filled(case, 96) for case in two)
    one.hit(one.scheme("adi"), "adi", "old", 96)
    one.hit(one.scheme("adi"), "adi", "never", 96, status="crashed", reason="it fell")
    other.hit(other.scheme("adi"), "adi", "young", 96)
    other.attack("breaks")
    one.hit(one.scheme("adi"), "adi", "breaks", 96)
    other.hit(other.scheme("adi"), "adi", "breaks", 96, status="crashed", reason="it fell")
    found = compare(one.board(), other.board())
    assert ([cell.attack for cell in found.new], [cell.attack for cell in found.gone]) == (["young"], ["old", "never"])
    assert [cell.attack for cell in found.lost] == ["breaks", "old"]
    assert found.worse == []
    assert [cell.attack for cell in compare(other.board(), one.board()).lost] == ["young"]


def test_the_command_ends_with_what_happened(two: tuple[Any, Any], tmp_path: Path) -> None:
    """3 where B lost every verdict that A has elsewhere, 2 where nothing is in common."""

    def published(case: Any, name: str) -> str:
        folder = tmp_path / name
        folder.mkdir()
        run = case.read()
        (folder / "run.json").write_text((case.folder / "run.json").read_text())
        (folder / "records.jsonl").write_text("".join(json.dumps(one) + "\n" for one in run.records.values()))
        return str(folder)

    a, b = filled(two[0], 96), filled(two[1], 96)
    one, other = published(a, "one"), published(b, "same")
    assert bench_here("compare", one, other)[0] == 0
    b.run["cells"] = b.run["cells"][1:]
    assert bench_here("compare", one, published(b, "shorter"))[0] == 3
    assert bench_here("compare", str(tmp_path / "shorter"), one)[0] == 0
    b.run["cells"] = []
    code, _, error = bench_here("compare", one, published(b, "empty"))
    assert (code, "no cell in common" in error) == (2, True)


def test_b_is_judged_at_the_budgets_of_a_on_every_task(two: tuple[Any, Any], tmp_path: Path) -> None:
    folders = []
    for case, budget, points in zip(two, (0.5, 1.5), (5.0, 2.0), strict=True):
        filled(case, 96).image_track(attacks=(("augmented", 0.0, 1.0),))
        case.run["data"][0]["budget"], case.run["data"][1]["budget"] = points, budget
        case.read()
        folder = case.folder / "run"
        folder.mkdir()
        (folder / "run.json").write_text((case.folder / "run.json").read_text())
        folders.append(str(folder))
    code, output, error = bench_here("compare", *folders, "--json")
    assert code == 0, error
    found = json.loads(output)
    assert found["budgets"] == {
        "digits": {"budget": 5.0, "unit": "points"}, "photos": {"budget": 0.5, "unit": "dB"},
    }  # fmt: skip
    assert found["worse"] == found["better"] == []


def test_claims_innocents_and_refused_claims_have_a_direction(two: tuple[Any, Any]) -> None:
    def gated(hits: int, gate_wrong: int) -> dict[str, Any]:
        gate = {"before": "1" * 400, "after": "0" * gate_wrong + "1" * (400 - gate_wrong)}
        bits = {"hits": "1" * hits + "0" * (100 - hits), "law": {"kind": "binomial", "p": 0.1}}
        return {"evidence": "bits", "channels": {"bits": bits}, "gates": {"fidelity": gate}, "unreadable": None}

    boards = []
    for case, forged, accused, gate in ((two[0], 80, 9, 0), (two[1], 0, 60, 80)):
        shared = case.scheme("adi")
        case.hit(shared, "adi", "claim", gated(96, forged), kind="ambiguity")
        case.hit(shared, "adi", "gate", gated(96, gate))
        case.innocent(shared, "adi", "none", accused)
        boards.append(case.board())
    found = compare(*boards)
    steps = {(change.after.attack, change.after.innocent): words(change.after) for change in found.worse}
    assert steps == {
        ("claim", False): "forged, rejected with commitment",
        ("gate", False): "unprovable",
        ("none", True): "false-positive",
    }
    assert len(compare(*reversed(boards)).better) == 3


def viewed(bits: int, aligned: int | None) -> dict[str, Any]:
    """Bits under their law, and after alignment, where they were read so; `carried` is neither."""
    seen = observation(bits)
    views = {} if aligned is None else {"aligned": {"hits": observation(aligned)["channels"]["bits"]["hits"]}}
    return {**seen, "views": [*views], "channels": seen["channels"] | views}


@pytest.mark.parametrize(
    ("old", "new", "channel", "totals"),
    [
        (viewed(96, 95), viewed(12, 60), "aligned", (95, 60)),
        (viewed(12, 94), viewed(96, 12), "bits", (12, 96)),
        (viewed(5, None), viewed(5, 94), "bits", (5, 5)),
    ],
)
def test_one_channel_is_compared_where_the_deciding_views_differ(
    two: tuple[Any, Any], old: dict[str, Any], new: dict[str, Any], channel: str, totals: tuple[int, int]
) -> None:
    for case, seen in zip(two, (old, new), strict=True):
        shared = case.scheme("adi")
        nulls = case.store.read(shared["nulls"])
        nulls["result"]["observations"] = [viewed(hits, hits) for hits in NULL_HITS]
        case.store.write(nulls)
        case.hit(shared, "adi", "prune", seen)
    a, b = (case.board() for case in two)
    found = compare(a, b)
    (test,) = (one for one in found.changes[0].tests if one.what == "evidence")
    assert (test.channel, tuple(one.total for one in test.totals)) == (channel, totals)
    assert test.p == pytest.approx(fisher(*((total, 100) for total in totals)))
    assert f"{totals[0]}/100 -> {totals[1]}/100 in {channel} (Fisher" in describe(a, b, found)


def test_runs_of_different_tasks_are_refused(two: tuple[Any, Any]) -> None:
    a, b = (filled(case, 96) for case in two)
    b.run["data"][0]["task"] = b.run["profile"]["task"] = "fmnist"
    for scheme in b.run["schemes"]:
        scheme["task"] = "fmnist"
    with pytest.raises(BenchError, match="of different tasks, digits and fmnist: compare runs of the same task"):
        compare(a.board(), b.board())


def test_a_scheme_that_moved_to_another_task_is_refused(two: tuple[Any, Any]) -> None:
    """Both runs have both tasks, and one of them tests the scheme on the other."""
    a, b = (filled(case, 96) for case in two)
    for case in (a, b):
        case.image_track()
    for scheme in b.run["schemes"]:
        scheme["task"] = "photos"
    with pytest.raises(BenchError, match="adi was tested on digits in one run and on photos in the other"):
        compare(a.board(), b.board())


def test_boards_at_two_alphas_are_refused(two: tuple[Any, Any]) -> None:
    with pytest.raises(BenchError, match="one alpha"):
        compare(filled(two[0], 96).board(), filled(two[1], 96).board(alpha=0.01))


def test_boards_of_which_one_is_strict_are_refused(two: tuple[Any, Any]) -> None:
    a, b = (filled(case, 96).read() for case in two)
    with pytest.raises(BenchError, match="both strictly or neither"):
        compare(judge(a), judge(b, strict=True))
    a, b = (judge(run, strict=True) for run in (a, b))
    assert "budget 5 points, strictly\n" in describe(a, b, compare(a, b))
    assert as_json(a, b, compare(a, b))["strict"] is True


def test_a_folder_is_read_with_its_store_or_as_published(full: Any, tmp_path: Path) -> None:
    board = full.board()
    published = tmp_path / "elsewhere" / "published"
    published.mkdir(parents=True)
    (published / "run.json").write_text((full.folder / "run.json").read_text())
    lines = [json.dumps(record) for record in board.run.records.values()]
    (published / "records.jsonl").write_text("\n".join(lines) + "\n")
    assert find_run(published).records == board.run.records
    beside = full.folder / "made-up"
    beside.mkdir()
    (beside / "run.json").write_text((full.folder / "run.json").read_text())
    assert find_run(beside).records == board.run.records
