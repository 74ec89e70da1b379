"""The table for a two-column paper: what it counts, what is bold, and that it fits."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import BenchError
from leaderboard.pages.writers.paper_table import as_csv, as_markdown, as_tex, paper_table

from ..conftest import published_board

CLASSES = {"article": r"\documentclass[twocolumn]{article}", "IEEEtran": r"\documentclass{IEEEtran}"}
HOSTILE = "[3pt] a_b^c~d\\input{x}%&#$ \\end{table} \u202e"


def rows(text: str) -> dict[str, list[str]]:
    return {line[1]: line[2:] for line in csv.reader(io.StringIO(text))}


def test_families_are_counted_over_settings_and_seeds(case: Any) -> None:
    for replicate, hits in enumerate((96, 5)):
        adi, rose = case.scheme("adi", replicate=replicate), case.scheme("rose", replicate=replicate)
        case.hit(adi, "adi", "prune", 96, replicate=replicate)
        case.hit(rose, "rose", "prune", hits, replicate=replicate)
        case.hit(rose, "rose", "jpeg", 17, kind="evasion", replicate=replicate)
    case.run["profile"]["seeds"] = 2
    table = paper_table(case.board(), "all", "all", "family")
    assert rows(as_csv(table)) == {"attack": ["adi", "rose"], "prune": ["2/2", "1/2"], "jpeg": ["–", "0–2/2"]}
    tex = as_tex(table)
    assert "prune & \\textbf{2/2} & 1/2 \\\\" in tex
    assert "jpeg & - & 0-2/2 \\\\" in tex
    assert "| removal | prune | **2/2** | 1/2 |" in as_markdown(table)


def test_settings_of_one_seed_are_powers_with_a_letter_where_the_mark_did_not_hold(full: Any) -> None:
    found = rows(as_csv(paper_table(full.board(), "adi", "survived,removed,utility-lost", "setting")))
    assert found["survived"] == ["−90"]
    assert [found[name][0].split()[-1] for name in ("removed", "utility-lost")] == ["b", "l"]


@pytest.mark.parametrize(
    ("schemes", "attacks", "sentence"),
    [
        ("adie", "all", "this run has no scheme 'adie': did you mean adi?"),
        ("all", "survive", "this run has no attack 'survive': did you mean survived"),
        ("", "all", "--schemes selects nothing"),
        ("weak", "removed", "none of these attacks was judged on one of these schemes"),
    ],
)
def test_what_the_run_lacks_is_one_sentence(full: Any, schemes: str, attacks: str, sentence: str) -> None:
    with pytest.raises(BenchError, match=re.escape(sentence)):
        paper_table(full.board(), schemes, attacks, "family")


def test_its_counts_are_those_of_the_board() -> None:
    board = published_board("quick-0.1")
    found = rows(as_csv(paper_table(board, "passport", "sign-flip", "family")))
    words = Counter(cell.verdict.word for cell in board.owners("function-preserving") if "passport" in cell.scheme)
    assert words.keys() <= {"removed", "unprovable"}
    assert found["sign-flip"] == [f"0/{words.total()}"]


def test_what_no_page_holds_is_refused(case: Any) -> None:
    with pytest.raises(BenchError, match=r"\d+ columns don't fit a page: choose fewer --schemes, or --rows family"):
        as_tex(paper_table(published_board("quick-0.1"), "all", "all", "setting"))
    shared = case.scheme("adi")
    for number in range(60):
        case.hit(shared, "adi", f"attack-{number}", 96)
    many = case.board()
    with pytest.raises(BenchError, match=r"60 rows don't fit a page: choose fewer --attacks, or --rows family"):
        as_tex(paper_table(many, "all", "all", "family"))


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed")
@pytest.mark.parametrize("name", list(CLASSES))
def test_it_compiles_in_two_columns_and_runs_into_no_margin(case: Any, tmp_path: Path, name: str) -> None:
    if not shutil.which("kpsewhich") or subprocess.run(["kpsewhich", f"{name}.cls"], capture_output=True).returncode:
        pytest.skip(f"{name} is not installed")
    case.hit(case.scheme(HOSTILE), HOSTILE, HOSTILE, 96)
    tables = [
        as_tex(paper_table(published_board("quick-0.1"), "all", "all", "family")),
        as_tex(paper_table(published_board("cifar10-small-0.1"), "adi,rose", "all", "setting")),
        as_tex(paper_table(case.board(), "all", "all", "family")),
    ]
    assert [re.findall(r"begin\{(table\*?)\}", one) for one in tables[:2]] == [["table*"], ["table"]]
    text = "\n".join([CLASSES[name], r"\usepackage{booktabs}\begin{document}x", *tables, r"\end{document}"])
    (tmp_path / "paper.tex").write_text(text)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=100, check=False)
    said = done.stdout.decode(errors="replace")
    assert done.returncode == 0, said[-2000:]
    over = [float(points) for points in re.findall(r"Overfull \\hbox \(([0-9.]+)pt too wide", said)]
    assert [points for points in over if points > 1] == []
    assert "Float too large" not in said
