"""leaderboard.json: the board as strict JSON."""

from __future__ import annotations

import json
import math
from typing import Any

from leaderboard.pages.board_json import leaderboard_json, plain


def strict(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    return json.loads(text, parse_constant=refuse)


def test_it_agrees_with_the_board(full: Any) -> None:
    board = full.board()
    found = strict(leaderboard_json(board))
    assert (found["schema"], found["alpha"], found["budget"]) == (3, 0.001, 5.0)
    assert len(found["cells"]) == len(board.cells)
    for line, cell in zip(found["cells"], board.cells, strict=True):
        assert (line["scheme"], line["attack"], line["innocent"]) == (cell.scheme, cell.attack, cell.innocent)
        assert line["verdict"] == {
            "word": cell.verdict.word,
            "reason": cell.verdict.reason,
            "flags": list(cell.verdict.flags),
        }
        assert line["jobs"] == dict(cell.jobs)
        assert line["reproduce"].startswith("bench run --schemes ")
        if cell.after is None:
            assert line["after"] is None
        else:
            assert (line["after"]["log10_p"], line["after"]["total"]) == (cell.after.log10_p, cell.after.total)
            assert line["after"]["pools"].keys() == cell.after.pools.keys()
    (adi, _) = found["schemes"]
    assert adi["tallies"]["removal"]["words"]["survived"] == 2
    assert adi["false_alarms"]["models"] == 1


def test_names_come_back_as_they_are(case: Any) -> None:
    hostile = '</script>"\\\u2028\x00'
    case.hit(case.scheme(hostile), hostile, hostile, 96)
    (cell,) = strict(leaderboard_json(case.board()))["cells"]
    assert cell["scheme"] == hostile


def test_infinities_are_strings_and_nothing_is_rounded() -> None:
    assert plain({"p": -math.inf, "q": 0.1 + 0.2, "r": (1, None, True)}) == {
        "p": "-inf",
        "q": 0.1 + 0.2,
        "r": [1, None, True],
    }
