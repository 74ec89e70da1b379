"""`import benchmark as wb`: the commands as functions, by the same way, with the same names and defaults."""

from __future__ import annotations

import inspect
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from bench import ATTACKS, PROFILE, SCHEME, SECRET, stamps

import benchmark as wb
from benchmark.app.api import functions
from benchmark.cli import bench
from benchmark.errors import BenchError


def test_the_import_loads_nothing_heavy() -> None:
    script = (
        "import sys, benchmark as wb\n"
        "assert {'run', 'embed', 'attack', 'verify', 'advise', 'frame', '__version__'} <= set(dir(wb))\n"
        "heavy = {'torch', 'numpy', 'pandas', 'rich', 'click', 'leaderboard', 'benchmark.app'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


NEEDED = {"run": [], "embed": ["--scheme", "adi", "--out", "mine"], "verify": ["--key", "mine"],
          "advise": ["--release", "api", "--labelled", "24"]}  # fmt: skip


@pytest.mark.parametrize("name", NEEDED)
def test_a_function_has_the_options_of_its_command_with_their_defaults(name: str) -> None:
    offered = inspect.signature(getattr(wb, name)).parameters
    command = bench.commands[name]
    read = command.make_context(name, NEEDED[name]).params
    options = {str(one.name): one.required for one in command.params} | {
        "as_json": None,
        "html": None,
        "thief_share": None,
    }
    assert set(offered) == {title for title, required in options.items() if required is not None}
    for title, one in offered.items():
        assert (one.default is inspect.Parameter.empty) == options[title], title
        if not options[title]:
            usual = read[title]
            assert one.default == (str(usual) if isinstance(usual, Path) else usual), title


def test_a_run_is_that_of_the_command(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finished = shutil.copytree(finished, tmp_path / "results", copy_function=shutil.copy2)
    before, pages = stamps(finished), wb.frame(finished / "small")
    shutil.rmtree(finished / "small")
    board = wb.run(
        SCHEME, ATTACKS.split(","), profile=str(PROFILE), results=finished, device="cpu", secret=str(SECRET), workers=2
    )
    assert "0 jobs to run" in capsys.readouterr().out
    assert stamps(finished) == before
    assert (finished / "small" / "leaderboard.md").exists()
    columns = [name for name in pages if name != "run"]
    pd.testing.assert_frame_equal(wb.frame(board)[columns], pages[columns])
    words = shlex.split(board.run.described["command"])
    meant = bench.commands["run"].make_context("run", words[2:]).params
    assert (meant["schemes"], meant["attacks"], meant["workers"]) == (SCHEME, ATTACKS, 2)
    assert (meant["results"], meant["secret"]) == (finished, str(SECRET))


def test_the_command_in_a_run_s_file_says_all_that_was_asked_for() -> None:
    usual = {name: one.default for name, one in inspect.signature(wb.run).parameters.items()}
    given = {
        **usual, "schemes": "rose(s=64)", "seeds": 3, "strict": True, "thief_labelled": (24, "all"),
        "plugins": [Path("a b.py"), "c.py"], "retry": ("crashed",), "run_name": "own", "fresh": False,
    }  # fmt: skip
    assert functions.typed(given) == (
        "bench run --schemes 'rose(s=64)' --attacks all --thief-labelled 24,all --seeds 3 --strict --run own "
        "--plugin 'a b.py' --plugin c.py --retry crashed"
    )
    assert functions.typed(usual) == "bench run --schemes all --attacks all"  # of `bench audit` these are no defaults


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("owner") / "mine"
    card = wb.embed(SCHEME, folder, profile=str(PROFILE), seed=11, device="cpu")
    assert (card.scheme.name, card.profile.name) == ("adi", "small")
    return folder


def test_a_model_is_marked_attacked_and_examined(mine: Path, tmp_path: Path) -> None:
    stolen = wb.attack(mine, "prune(amount=0.2)+jpeg", tmp_path / "stolen", device="cpu")
    assert (stolen.model, stolen.claim) == (tmp_path / "stolen" / "model.safetensors", None)
    assert stolen.utility.value > 0.5
    assert stolen.model.read_bytes() != (mine / "model.safetensors").read_bytes()
    seen = wb.verify(mine, stolen.model, device="cpu")
    assert seen.opinion.verdict == "present"
    assert seen.suspect.name == str(stolen.model)
    again = wb.attack(mine / "model.safetensors", "prune(amount=0.2)+jpeg", tmp_path / "again", device="cpu")
    assert again.model.read_bytes() == stolen.model.read_bytes()
    gone = wb.attack(mine, "finetune(mode=rtal,epochs=1)", tmp_path / "other", device="cpu", seed=1)
    assert gone.cost["samples"] > 0


def test_a_thief_s_claim_is_kept_beside_his_model(mine: Path, tmp_path: Path) -> None:
    stolen = wb.attack(mine, "fresh-key", tmp_path / "stolen", device="cpu")
    assert stolen.claim == tmp_path / "stolen" / "key.safetensors"
    seen = wb.verify(stolen.claim, mine / "model.safetensors", scheme=SCHEME, profile=str(PROFILE), device="cpu")
    assert seen.opinion.verdict in ("absent", "unclear")
    assert seen.claim.card is None


def test_scratch_never_sees_the_model(mine: Path, tmp_path: Path) -> None:
    stolen = wb.attack(mine, "scratch(recipe=house)", tmp_path / "stolen", device="cpu")
    assert stolen.cost["queries"] == 0
    assert wb.verify(mine, stolen.model, device="cpu").opinion.verdict == "absent"


WRONG: dict[str, Callable[[Path, Path], object]] = {
    "no scheme is named 'adii': did you mean 'adi'": lambda mine, out: wb.embed("adii", out),
    "names 2 settings": lambda mine, out: wb.embed("adi,rose", out),
    "already holds model.safetensors": lambda mine, out: wb.embed("adi", mine),
    "--device is auto": lambda mine, out: wb.run("adi", device="gpu", results=out),
    "--executor is local or ray": lambda mine, out: wb.run("adi", executor="slurm", results=out),
    "give --executor ray": lambda mine, out: wb.run("adi", address="head:1", results=out),
    "no attack is named 'prunee'": lambda mine, out: wb.run("adi", "prunee", results=out),
    "is given the owner's key": lambda mine, out: wb.attack(mine, "guided-remover", out),
    "names 2 attacks": lambda mine, out: wb.attack(mine, "prune,jpeg", out),
    "attacks image-to-image nets, and digits is classification": lambda mine, out: wb.attack(mine, "surrogate", out),
    "needs a scheme with passports": lambda mine, out: wb.attack(mine, "accessory-block", out),
    "can't be read": lambda mine, out: wb.attack(mine / "gone.safetensors", "prune", out),
    "holds a key, not a model": lambda mine, out: wb.attack(mine / "key.safetensors", "prune", out),
    "training diverged: the loss is nan": lambda mine, out: wb.attack(mine, "finetune(lr=1e6,epochs=2)", out),
    "verify needs one of --suspect": lambda mine, out: wb.verify(mine),
    "no run": lambda mine, out: wb.frame(out),
}


@pytest.mark.parametrize("said", WRONG)
def test_a_mistake_is_a_sentence(said: str, mine: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError) as mistake:
        WRONG[said](mine, tmp_path / "out")
    assert said in str(mistake.value)


def test_a_model_without_a_card_needs_its_scheme_s_name(mine: Path, tmp_path: Path) -> None:
    bare = shutil.copy2(mine / "model.safetensors", tmp_path / "model.safetensors")
    with pytest.raises(BenchError, match=r"no card.json lies beside"):
        wb.attack(bare, "prune", tmp_path / "out")
    named = {"scheme": SCHEME, "profile": str(PROFILE), "device": "cpu"}
    assert wb.attack(bare, "prune(amount=0.2)", tmp_path / "out", **named).model.exists()


def test_an_audit_is_a_run_and_a_page(finished: Path, tmp_path: Path) -> None:
    results = shutil.copytree(finished, tmp_path / "results", copy_function=shutil.copy2)
    before = stamps(results)
    options = {"profile": str(PROFILE), "results": results, "device": "cpu", "secret": str(SECRET), "workers": 2}
    board, pages = wb.audit(SCHEME, ATTACKS, out=tmp_path / "page", **options)
    assert stamps(results) == before  # what was finished, stays so
    assert pages == [tmp_path / "page" / name for name in ("audit.md", "audit.html")]
    assert all(one.verdict.word != "not-run" for one in board.cells)
    assert "`bench audit --schemes" in pages[0].read_text()
