"""The figures: which there are, that they repeat to the byte, and that names stay text."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib")
from leaderboard.analysis.sweeps import Curve, Point
from leaderboard.pages import figures as drawing
from leaderboard.pages.figures import figures

from ..conftest import NULL_HITS, observation

ROOT = Path(__file__).resolve().parents[3]
CURVE = Curve("adi", "prune(amount=*)", "amount", [
    Point(0.1, 0.0, -9.0, 0.96, "survived"), Point(0.5, -3.0, -4.0, 0.4, "survived"),
    Point(0.9, -60.0, 0.0, 0.1, "utility-lost"),
], choice=0.5)  # fmt: skip


def test_every_figure_is_there_and_repeats_to_the_byte(full: Any) -> None:
    board = full.board()
    first = figures(board, [CURVE])
    assert sorted(first) == [
        f"{name}.{kind}" for name in ("curves", "false-positives") for kind in ("pdf", "png", "svg")
    ]
    assert figures(board, [CURVE]) == first
    for name, image in first.items():
        if name.endswith("svg"):
            assert ElementTree.fromstring(image).tag.endswith("svg")
        assert name.endswith("svg") or image.startswith((b"\x89PNG", b"%PDF"))
        assert b"CreationDate" not in image
        assert b"dc:date" not in image
        assert b"Software" not in image


@pytest.mark.parametrize("display", ["module://matplotlib_inline.backend_inline", "nonsense"])
def test_neither_a_notebook_s_display_nor_a_style_file_matters(full: Any, tmp_path: Path, display: str) -> None:
    expected = figures(full.board(), [])
    (tmp_path / "matplotlibrc").write_text("axes.facecolor: red\nfont.size: 30\n")
    script = (
        "import os, sys; from pathlib import Path; from leaderboard.judge.board import judge\n"
        "from benchmark.store.records import RecordStore; from leaderboard.judge.run import read_run\n"
        "from leaderboard.pages.figures import figures; folder = Path(sys.argv[1])\n"
        "board = judge(read_run(folder, RecordStore(folder / 'store')))\n"
        "sys.stdout.buffer.write(figures(board)['false-positives.svg'])\n"
        "assert os.environ['MPLBACKEND']"
    )
    run = [sys.executable, "-c", script, str(full.folder)]
    environment = os.environ | {"MPLBACKEND": display, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == expected["false-positives.svg"]


def test_the_false_positive_panel_shows_nulls_theta_and_mark(full: Any) -> None:
    axes = drawing.false_positives(full.board()).axes[0]
    nulls = axes.collections[0].get_offsets()[:, 0].tolist()
    assert sorted(round(21 * over, 6) for over in nulls) == sorted(NULL_HITS)  # theta is 21
    assert list(axes.lines[0].get_xdata()) == [1.0, 1.0]


def test_nulls_that_do_not_count_are_not_shown_and_others_in_the_view_that_decides(case: Any) -> None:
    def viewed(bits: int, aligned: int) -> dict[str, Any]:
        seen = observation(bits)
        seen["channels"]["aligned"] = observation(aligned)["channels"]["bits"]
        return {**seen, "views": ["aligned"]}

    shared = case.scheme("adi")
    useless = case.images("null", "it does nothing", [], loss=8.0)
    models = [*case.store.read(shared["nulls"])["job"]["suspects"], useless]
    shared["fresh"] = case.judged("viewed", shared["marked"], [shared["marked"]], [viewed(12, 96)])
    seen = [viewed(50, hits) for hits in (*NULL_HITS, 99)]
    shared["nulls"] = case.judged("viewed nulls", shared["marked"], models, seen)
    case.hit(shared, "adi", "prune", viewed(12, 96))
    (cell,) = case.board().cells
    axes = drawing.false_positives(case.board()).axes[0]
    nulls = axes.collections[0].get_offsets()[:, 0].tolist()
    assert cell.before.view == "aligned"
    assert sorted(round(cell.before.theta * over, 6) for over in nulls) == sorted(NULL_HITS)


def test_each_innocent_stands_against_its_own_seed_s_threshold(case: Any) -> None:
    """15 hits of 40 are present under one seed's key, 15 of 100 are not under the other's."""
    for replicate, items in enumerate((40, 100)):
        shared = case.scheme("adi", replicate)
        seen = {"hits": "1" * 15 + "0" * (items - 15), "law": {"kind": "binomial", "p": 0.1}}
        one = {"evidence": "bits", "channels": {"bits": seen}, "gates": {}, "unreadable": None}
        fresh = {**one, "channels": {"bits": {**seen, "hits": "1" * items}}}
        nulls = case.store.read(shared["nulls"])["job"]["suspects"]
        shared["fresh"] = case.judged(f"fresh of {items}", shared["marked"], [shared["marked"]], [fresh])
        shared["nulls"] = case.judged(f"nulls of {items}", shared["marked"], nulls, [one] * len(nulls))
        suspect = case.model("null", f"the innocent {items}", [], wrong=8)
        judged = case.judged(f"innocent of {items}", shared["marked"], [suspect], [one])
        case.attack("none", "control")
        jobs = {"marked": shared["marked"], "suspect": suspect, "judged": judged, "nulls": shared["nulls"]}
        case.cell("adi", "none", jobs, replicate, innocent=True)
        attacked = case.model("attacked", f"attacked of {items}", [shared["marked"]])
        judged = case.judged(f"judged of {items}", shared["marked"], [attacked], [fresh])
        case.cell("adi", "none", {**shared, "attacked": attacked, "judged": judged}, replicate)
    axes = drawing.false_positives(case.board()).axes[0]
    crosses = axes.collections[1].get_offsets()[:, 0].tolist()
    assert crosses == pytest.approx([15 / 12, 15 / 21])  # theta of 40 items is 12, of 100 it is 21
    assert [place > 1 for place in crosses] == [True, False]


def test_curves_of_each_unit_have_a_figure_of_their_own(full: Any) -> None:
    photos = dataclasses.replace(CURVE, unit="dB")
    assert {"curves.png", "curves-2.svg"} <= figures(full.board(), [CURVE, photos]).keys()


def test_two_settings_are_no_curve(full: Any) -> None:
    short = Curve("adi", "jpeg(quality=*)", "quality", CURVE.points[:2])
    assert "curves.svg" not in figures(full.board(), [short])


def test_names_are_neither_formulas_nor_markup(case: Any) -> None:
    hostile = "$\\frac{$ --> <script>x</script> 中\u202e\n" + "long " * 40
    case.hit(case.scheme(hostile), hostile, hostile, 5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = figures(case.board())
    root = ElementTree.fromstring(drawn["false-positives.svg"])
    assert not [element for element in root.iter() if str(element.tag).endswith("script")]


def test_a_run_without_a_record_draws_nothing(case: Any) -> None:
    case.attack("prune")
    case.row("adi")
    case.cell("adi", "prune", {"marked": "0" * 64})
    assert figures(case.board()) == {}


def test_long_names_stay_apart() -> None:
    long = ["passport(version=v2,recipe=signed,binding=identity,norm=house,epochs=0)"]
    long += [long[0].replace("epochs=0", f"epochs={epochs}") for epochs in (5, 50)]
    shown = drawing.told_apart(long, {}, 40)
    assert len(set(shown.values())) == 3
    assert max(map(len, shown.values())) <= 40
    middle = [f"{'a' * 40}{number}{'b' * 40}" for number in range(2)]
    assert len(set(drawing.told_apart(middle, {}, 40).values())) == 2
    assert drawing.told_apart(["x(a=1)"], {"x(a=1)": "x"}, 40) == {"x(a=1)": "x"}
