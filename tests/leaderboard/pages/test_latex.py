"""leaderboard.tex and works.bib: what they say, and that hostile names neither break nor become TeX."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from leaderboard.pages.bibliography import bibliography, bibtex, known_works, works_of
from leaderboard.pages.writers.latex import page
from leaderboard.pages.writers.tex_escape import escape

from ..conftest import published_board

HOSTILE = 'a_b^c~d\\input{/etc/passwd}%&#$x$ {open "q" `x\' <é ł 中 \u202e--- } } \\end{table} @misc{k,}\n\x1b'
DOCUMENT = r"""\documentclass{article}
\usepackage{booktabs,array,longtable}
\begin{document}
\input{leaderboard}
\bibliographystyle{plain}\bibliography{works}
\end{document}
"""


def test_a_square_has_its_word_and_power(full: Any) -> None:
    lines = {line.split(" & ")[0]: line for line in page(full.board()).splitlines()}
    assert re.search(r"& survived \\ensuremath\{-\}90 &", lines["survived"])
    assert "& removed unreadable &" in lines["unreadable"]
    assert "& crashed &" in lines["crashed"]
    assert "& forged \\ensuremath{-}" in lines["forged"]
    assert "(one seed; run made-up): verdict and power of ten of the p-value" in page(full.board())
    assert page(full.board()).count("\\begin{longtable}") == 1


def test_seeds_share_a_square(case: Any) -> None:
    for replicate, hits in enumerate((96, 96, 5)):
        case.hit(case.scheme("adi", replicate=replicate), "adi", "prune", hits, replicate=replicate)
    case.run["profile"]["seeds"] = 3
    text = page(case.board())
    assert "survived 2/3, removed 1/3" in text
    assert "(3 seeds; run made-up): verdicts, each with the number of seeds in which it fell, at" in text
    assert "p-value" not in text


def test_many_schemes_become_several_tables(case: Any) -> None:
    for number in range(6):
        case.hit(case.scheme(f"s{number}"), f"s{number}", "prune", 96)
    assert page(case.board()).count("\\begin{longtable}") == 2


def test_escaped_text_is_ascii_with_balanced_braces_and_no_commands_of_its_own() -> None:
    text = escape(HOSTILE)
    assert text.isascii()
    assert text.count("{") == text.count("}")
    assert "\\input" not in text
    assert "\\end" not in text
    assert not re.search(r"(?<!\\)[%&#$_]", text)
    assert not re.search(r"--", text)
    assert escape("prune(amount=0.3)") == "prune(amount=0.3)"
    assert escape("Tramèr") == r"Tram{\`{e}}r"


def test_known_works_are_found_by_number_or_words() -> None:
    keys = [work.key for work in works_of("Li et al. 2017, ICLR; Fang et al. 2023, CVPR; arXiv 1802.04633")]
    assert keys == ["li2017pruning", "fang2023depgraph", "adi2018turning"]
    assert works_of("") == ()
    assert [work.key for work in works_of("Tramèr et al. 2016; Kallas & Furon 2022")] == [
        "tramer2016stealing", "kallas2022rose",
    ]  # fmt: skip
    assert [work.key for work in works_of("Chen et al. 2023, arXiv:2303.11595")] == ["chen2023effective"]


def test_the_works_file_holds_whole_entries_sorted_by_key() -> None:
    keys = [work.key for work in known_works()]
    assert keys == sorted(set(keys))
    for work in known_works():
        assert re.match(r"@\w+\{\w+,\n(  \w+ = \{.+\},?\n)+\}\n$", work.bibtex), work.key


def test_every_paper_of_a_built_in_plug_in_is_known() -> None:
    from benchmark.plugins.registry import Registry

    registry = Registry.discover(())
    papers = [one.traits["paper"] for one in registry.schemes + registry.attacks if one.origin == "built-in"]
    found = [work for paper in papers for work in works_of(paper)]
    assert found
    assert [work.bibtex for work in found if work.key.startswith("work-")] == []


def test_an_unknown_paper_is_an_entry_of_its_own_words() -> None:
    (work,) = works_of("Nobody 1999, A {Title} 50% off")
    assert work.bibtex.startswith("@misc{work-")
    assert r"A \textbraceleft{}Title\textbraceright{} 50\% off" in work.bibtex
    assert works_of("Nobody 1999, A {Title} 50% off")[0].key == work.key


def test_each_work_is_listed_once_and_every_citation_has_one(case: Any) -> None:
    case.hit(case.scheme("adi"), "adi", "prune", 96)
    case.run["schemes"][0]["paper"] = "Adi et al. 2018"
    case.run["attacks"][0]["paper"] = "Adi et al. 2018, again; Somebody 2030"
    board = case.board()
    listed = re.findall(r"^@\w+\{([^,]+),", bibliography(board), re.MULTILINE)
    cited = {key for keys in re.findall(r"\\cite\{([^}]*)\}", page(board)) for key in keys.split(",")}
    assert sorted(listed) == sorted(cited)
    assert bibtex([]) == ""


def compiled(folder: Path, board: Any) -> str:
    (folder / "leaderboard.tex").write_text(page(board))
    (folder / "works.bib").write_text(bibliography(board))
    (folder / "paper.tex").write_text(DOCUMENT)
    said = ""
    for command in (
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper"],
        ["bibtex", "paper"],
    ) * 2 + (["pdflatex", "-interaction=nonstopmode", "-no-shell-escape", "paper"],):
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=100)
        said = done.stdout.decode(errors="replace")
        assert done.returncode == 0, said[-3000:]
    return said


@pytest.mark.skipif(not (shutil.which("pdflatex") and shutil.which("bibtex")), reason="pdflatex is not installed")
def test_it_compiles_whatever_the_names(case: Any, tmp_path: Path) -> None:
    shared = case.scheme(HOSTILE)
    case.hit(shared, HOSTILE, HOSTILE, 5, status="crashed", reason=HOSTILE)
    case.hit(shared, HOSTILE, "plain", 96)
    case.run["schemes"][0]["paper"] = HOSTILE
    case.run["attacks"][0]["paper"] = "Tramèr et al. 2016; " + HOSTILE
    case.run["run"] = HOSTILE
    compiled(tmp_path, case.board())
    assert (tmp_path / "paper.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.skipif(not (shutil.which("pdflatex") and shutil.which("bibtex")), reason="pdflatex is not installed")
def test_the_published_tables_fit_their_pages(tmp_path: Path) -> None:
    """No line of a table runs into the margin by more than 3 pt, none is longer than its page."""
    said = compiled(tmp_path, published_board("quick-0.1"))
    assert "longtable" in said
    over = [float(points) for points in re.findall(r"Overfull \\[hv]box \(([0-9.]+)pt too", said)]
    assert [points for points in over if points > 3] == []
    assert "Float too large" not in said
