"""The command behind one cell."""

from __future__ import annotations

import shlex
import subprocess
from typing import Any

import pytest

from leaderboard.pages.reproduce_command import reproduce


def command(case: Any, attack: str = "prune", alpha: float | None = None) -> str:
    board = case.board(alpha)
    return reproduce(board, next(cell for cell in board.cells if cell.attack == attack))


def test_it_selects_the_cell_and_keeps_what_decides_the_result(case: Any) -> None:
    case.run["command"] = (
        "bench run --schemes all --attacks all --profile tests/small.toml --plugin=a.py --plugin 'b c.py' "
        "--results elsewhere --workers 9 --fresh --run mine"
    )
    case.hit(case.scheme("adi(n=40,k=16)"), "adi(n=40,k=16)", "prune", 96)
    assert shlex.split(command(case)) == [
        "bench", "run", "--schemes", "adi(n=40,k=16)", "--attacks", "prune", "--profile", "tests/small.toml",
        "--plugin", "a.py", "--plugin", "b c.py", "--thief-labelled", "400", "--thief-unlabelled", "0",
        "--run", "one-cell",
    ]  # fmt: skip


def test_without_a_profile_in_the_command_it_names_the_runs_own(case: Any) -> None:
    case.hit(case.scheme("adi"), "adi", "prune", 96)
    assert "--profile made-up" in command(case)
    assert "--alpha" not in command(case)
    assert "--alpha 0.05" in command(case, alpha=0.05)


def test_later_seeds_ask_for_as_many_as_they_need(case: Any) -> None:
    case.run["profile"]["seeds"] = 3
    for replicate in range(3):
        case.hit(case.scheme("adi", replicate=replicate), "adi", "prune", 96, replicate=replicate)
    board = case.board()
    assert [reproduce(board, cell).split("--seeds ")[1][0] for cell in board.cells] == ["1", "2", "3"]


def test_the_scratch_control_comes_along_where_the_flag_needs_it(case: Any) -> None:
    shared = case.scheme("adi")
    case.attack("scratch", "control")
    case.cell("adi", "scratch", shared | {"attacked": shared["scratch"], "judged": shared["fresh"]})
    case.hit(shared, "adi", "prune", 5, wrong=8)
    case.hit(shared, "adi", "jpeg", 96)
    assert "--attacks prune,scratch " in command(case)
    assert "--attacks jpeg " in command(case, "jpeg")


def test_another_thief_is_named(case: Any) -> None:
    jobs = case.hit(case.scheme("adi"), "adi", "prune", 96)
    case.run["cells"].append({**case.run["cells"][-1], "jobs": jobs, "share": 0.1})
    board = case.board()
    assert "--thief-pool disjoint --thief-labelled 40 --thief-unlabelled 0" in reproduce(board, board.beside[0])
    assert "--thief-pool disjoint --thief-labelled 400 --thief-unlabelled 0" in reproduce(board, board.cells[0])


def test_a_share_of_an_older_run_is_told_in_images(case: Any) -> None:
    """The command line refuses `--thief-share`; today's profile of that name may give the thief fewer."""
    case.hit(case.scheme("adi"), "adi", "prune", 96)
    assert "--thief-labelled 400 --thief-unlabelled 0" in command(case)
    case.run["profile"]["thief"] = {"pool": "owner", "share": 0.5}
    case.run["cells"][-1]["pool"] = "owner"
    assert "--thief-labelled 500 --thief-unlabelled 0" in command(case)
    case.run["data"][0]["owner"] = 0  # not known
    assert "--thief" not in command(case)


def test_a_thief_of_few_labels_is_named(case: Any) -> None:
    case.run["profile"]["thief"] = {"pool": "disjoint", "labelled": 30, "unlabelled": 370}
    jobs = case.hit(case.scheme("adi"), "adi", "prune", 96)
    one = {**case.run["cells"][-1], "jobs": jobs, "pool": "disjoint"}
    case.run["cells"][-1:] = [one | {"labelled": 30, "unlabelled": 370}, one | {"labelled": 30, "unlabelled": 0}]
    board = case.board()
    assert "--thief-pool disjoint --thief-labelled 30 --thief-unlabelled 0" in reproduce(board, board.beside[0])
    assert "--thief-labelled 30 --thief-unlabelled 370" in reproduce(board, board.cells[0])
    assert "share" not in reproduce(board, board.cells[0])


def test_a_shell_gives_back_every_name(case: Any) -> None:
    name = "a'b\"$(echo x)`echo y`;|&\\\n\u202e\x1b!*é"
    case.hit(case.scheme(name), name, name, 96)
    written = command(case, name)
    assert written.isprintable()
    arguments = "import sys; sys.stdout.buffer.write(sys.argv[3].encode())"
    environment = {"CODE": arguments, "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    script = 'bench() { python3 -c "$CODE" "$@"; }; ' + written
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True, env=environment)
    assert done.stdout.decode() == name


@pytest.mark.parametrize("written", ["bench run --profile made-up 'oh", ""])
def test_a_command_that_is_none_costs_nothing(case: Any, written: str) -> None:
    case.run["command"] = written
    case.hit(case.scheme("adi"), "adi", "prune", 96)
    assert "--profile made-up" in command(case)
