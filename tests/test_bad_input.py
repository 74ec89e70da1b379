"""Every mistake a user can make: one clear sentence, the right exit code, and nothing finished is lost."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bench import COMMAND, SCHEME, arguments, bench, bench_here, stamps, verdicts

HEAD = """
from dataclasses import dataclass
import time
import torch
from torch import nn
from benchmark.contract import Attack, Thief, parameter
"""


def attack(body: str, name: str = "mine", head: str = HEAD, access: str = "weights") -> str:
    lines = "\n".join(f"        {line}" for line in body.strip().splitlines())
    return f'''{head}
@dataclass(frozen=True)
class Mine(Attack):
    """A plug-in under test."""

    name = "{name}"
    family = "test"
    kind = "removal"
    access = "{access}"

    def run(self, thief: Thief):
{lines}
'''


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ["--thief-share", "0.5"],
            "--thief-share is gone: give --thief-labelled and --thief-unlabelled, numbers of images",
        ),
        (["--thief-labelled", "few"], "a thief has numbers of images, such as 30,100, or all, not 'few'"),
        (
            ["--thief-labelled", "401"],
            "401 labelled and 0 unlabelled images are more than the 400 of the disjoint pool",
        ),
        (["--attacks", "prume"], "no attack is named 'prume': did you mean 'prune'"),
        (["--schemes", "rosse"], "no scheme is named 'rosse': did you mean 'rose'"),
        (["--attacks", "prune(amout=0.3)"], "prune has no parameter 'amout': did you mean 'amount'"),
        (["--attacks", "prune(amount=lots)"], "prune: amount takes a number, not 'lots'"),
        (["--attacks", "prune(amount=1.5)"], "prune: amount must be at most 1.0, not 1.5"),
        (["--attacks", "finetune(mode=all)"], "finetune: mode is one of ftll, ftal, rtll, rtal, not 'all'"),
        (["--attacks", ""], "--attacks selects nothing"),
        (["--attacks", "zzz*"], "no attack matches 'zzz*'"),
        (["--attacks", "jpeg+prune"], "'jpeg+prune' is out of order"),
        (["--attacks", "prune(amount=0.3"], "has unbalanced parentheses"),
        (["--profile", "quik"], "no profile is called 'quik': did you mean quick or quick-vit? Or give the path"),
        (["--task", "digit"], "no task is called 'digit': did you mean digits?"),
        (["--alpha", "2"], "alpha must lie between 0 and 1, not 2.0"),
        (["--seeds", "0"], "seeds must be at least 1, not 0"),
        (["--seeds", "99999999"], "seeds must be at most 1000, not 99999999"),
        (["--task", f"folder:{'a' * 5000}"], "its folder can't be looked at (File name too long)"),
        (["--workers", "0"], "--workers must be at least 1, not 0"),
        (["--workers", "many"], "--workers takes auto or a number, not 'many'"),
        (["--workers", "9999999"], "GB are free: at most "),
        (["--device", "gpu"], "--device is auto, cpu, cuda (every GPU) or cuda:N (one of them), not 'gpu'"),
        (["--run", ""], "--run '' can't name a folder"),
        (["--attacks", "prune(amount=0.1..0.9)"], "write amount=LOW..HIGH:STEP"),
        (["--run", "../elsewhere"], "--run '../elsewhere' can't name a folder"),
        (["--data-root", "nowhere"], "--data-root nowhere is no folder"),
        (["--task", "fashion-mnist", "--data-root", "/", "--offline"], "is missing and --offline forbids to fetch it"),
        (["--plugin", "nowhere.py"], "nowhere.py: the file can't be read: No such file or directory\n"),
    ],
)
def test_wrong_options(tmp_path: Path, options: list[str], sentence: str) -> None:
    code, _, error = bench_here("run", "--results", str(tmp_path / "results"), *options)
    assert (code, len(error.splitlines())) == (2, 1)
    assert sentence in f"{error}\n"
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("def broken(:\n", "mine.py:1: this is not valid Python"),
        ("x = 1\n", "mine.py: no plug-in inside"),
        (attack("return thief.model", name="prune"), "the attack name 'prune' is taken by"),
    ],
)
def test_wrong_plugin_files(tmp_path: Path, source: str, sentence: str) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text(source)
    code, _, error = bench_here("run", "--results", str(tmp_path / "results"), "--plugin", str(plugin))
    assert (code, len(error.splitlines())) == (2, 1)
    assert sentence in error


WRONG_ATTACKS = {
    "raises": ("raise RuntimeError('the disk of the thief is full')", "crashed", "the disk of the thief is full (mine"),
    "hangs": ("while True: time.sleep(0.1)", "timeout", "stopped after its time limit of 6 s"),
    "nan": (
        "with torch.no_grad(): next(thief.model.parameters()).fill_(float('nan'))\nreturn thief.model",
        "crashed",
        "returned a model with NaN or infinity",
    ),
    "shape": ("thief.model.head = nn.Linear(256, 7)\nreturn thief.model", "utility-lost", ""),  # judged by its labels
    "nothing": ("pass", "crashed", "returned NoneType: run() must return a Module or AttackResult"),
    "unknown_net": ("return nn.Linear(2, 2)", "crashed", "Linear has no spec()"),
    "undeclared": (
        "return thief.model",
        "crashed",
        'declares access = "labels" and uses weights: write access = "weights"',
    ),
    "exits": ("import os; os._exit(3)", "crashed", "The worker process exited with code 3"),
}


def test_wrong_attacks_cost_their_own_cells(finished: Path, tmp_path: Path) -> None:
    results = shutil.copytree(finished, tmp_path / "results", copy_function=shutil.copy2)
    before, old = stamps(results), verdicts(results)
    plugins: list[str] = []
    for name, (body, _, _) in WRONG_ATTACKS.items():
        path = tmp_path / f"mine_{name}.py"
        path.write_text(attack(body, name=f"mine-{name}", access="labels" if name == "undeclared" else "weights"))
        plugins += ["--plugin", str(path)]
    names = ",".join(["prune(amount=0.3)", "prune(amount=0.4)", *(f"mine-{name}" for name in WRONG_ATTACKS)])
    code, said, error = bench_here(*arguments(results, "--timeout", "6", *plugins, attacks=names))
    assert code == 3
    assert "Traceback" not in said + error
    found = {attack: line for (_, attack, innocent), line in verdicts(results).items() if not innocent}
    assert found["prune(amount=0.3)"]["verdict"] == found["prune(amount=0.4)"]["verdict"] == "survived"
    for name, (_, word, sentence) in WRONG_ATTACKS.items():
        line = found[f"mine-{name}"]
        assert (name, line["verdict"], sentence in line["reason"]) == (name, word, True), line["reason"]
    assert {name: stamps(results)[name] for name in before} == before
    # and the next run without them is whole again
    assert bench_here(*arguments(results))[0] == 0
    assert {key: line["log10_p"] for key, line in verdicts(results).items()} == {
        k: v["log10_p"] for k, v in old.items()
    }


def test_results_that_can_t_be_written(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file in the folder's place")
    done = bench(*arguments(tmp_path / "results"))
    assert done.returncode == 2
    assert "can't be used" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_run_that_is_not_there(tmp_path: Path) -> None:
    for command in (["report"], ["status"], ["show", "adi", "prune"]):
        code, _, error = bench_here(*command, "--results", str(tmp_path))
        assert code == 2
        assert f"there is no run in {tmp_path}: `bench run` starts one" in error


def test_a_broken_profile(tmp_path: Path) -> None:
    good = (Path(__file__).parent / "small.toml").read_text()
    for text, sentence in (
        ("alpha = \n", "is not valid TOML"),
        (good.replace("nulls = 16", "nulls = 4"), "nulls must be at least 16, not 4"),
        (good.replace("budget", "budgte"), "unknown key 'budgte': did you mean budget?"),
        (good.replace("seeds = 1", 'seeds = "one"'), "seeds must be a whole number, not 'one'"),
        (good.replace("alpha = 1e-3", ""), "alpha is missing"),
    ):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        code, _, error = bench_here("run", "--profile", str(path), "--results", str(tmp_path / "results"))
        assert (code, sentence in error) == (2, True)


def test_torch_and_torchvision_that_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmark.errors import BenchError
    from benchmark.execution import doctor

    versions = {"torch": "2.11.0+cpu", "torchvision": "0.26.0+cu130"}
    monkeypatch.setattr(doctor, "version", versions.get)
    monkeypatch.setattr(doctor.importlib.metadata, "requires", lambda _: ["numpy", "torch==2.11.0"])
    with pytest.raises(BenchError, match="builds for different devices: install both anew"):
        doctor.check_environment("cpu")
    versions["torch"] = "2.15.0+cu130"
    with pytest.raises(BenchError, match=r"was built for torch 2\.11\.0, and torch 2\.15\.0\+cu130 is installed"):
        doctor.check_environment("cpu")
    versions["torch"] = "2.11.0+cu130"
    doctor.check_environment("cpu")


def test_a_full_disk_while_an_artefact_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from benchmark.architectures.net import Net
    from benchmark.protocol.objects import Service
    from benchmark.store import artefacts

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    path = tmp_path / "x.service.safetensors"
    with pytest.raises(OSError, match="No space left"):
        artefacts.write(path, "x", Service(Net({"builder": "convnet"}, {"w": torch.zeros(3)})))
    assert list(tmp_path.iterdir()) == []


def test_help_and_list_are_quick_because_they_import_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['bench', 'list']\n"
        "from benchmark.cli import main\n"
        "try: main()\n"
        "finally: print(sorted({'torch', 'numpy', 'scipy', 'pandas'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0
    assert "prune" in done.stdout
    assert done.stderr.strip() == "[]"
    assert "Exit codes" in bench("--help").stdout


WRONG_MARKS = {
    "passport(signature='much too long a text for so few channels')": "needs 320 bits, its passport layers have 96",
    "passport(signature='Grüße')": "must be ASCII text of at least one character",
    "passport(config='{folder}/other.toml')": "the net has no layer blocks.9: it has blocks.0",
    "passport(config='{folder}/broken.toml')": "is not valid TOML",
    "adi(folder='{folder}')": "holds 1 pictures, and 100 are needed",
    "rose(s=2000)": "rose needs 2000 different images, the party has 1000: lower s",
    "keynet(identity='Grüße')": "ASCII",
}


@pytest.fixture(scope="module")
def named_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that parameters name: a layer that isn't there, broken TOML, and one picture of another size."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("named")
    (folder / "other.toml").write_text('"blocks.9" = true')
    (folder / "broken.toml").write_text('"blocks.2" = ')
    Image.new("L", (10, 10)).save(folder / "logo.png")
    return folder


def test_a_mark_that_can_t_be_made_costs_its_own_row_and_exits_with_2(
    finished: Path, named_files: Path, tmp_path: Path
) -> None:
    wrong = ",".join(WRONG_MARKS).format(folder=named_files)
    results = shutil.copytree(finished, tmp_path / "results", copy_function=shutil.copy2)
    done = bench(*arguments(results, schemes=f"{SCHEME},{wrong}", attacks="none"))
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == len(WRONG_MARKS)
    for line, sentence in zip(lines, WRONG_MARKS.values(), strict=True):
        assert sentence in line
    words = sorted(line["verdict"] for (_, _, innocent), line in verdicts(results).items() if not innocent)
    assert words == ["crashed"] * len(WRONG_MARKS) + ["survived"]  # what could be done was done


def test_a_folder_that_can_t_be_made_is_found_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmark.protocol import steps

    def trained(*_: object) -> None:
        raise AssertionError("a model was trained for a folder that can't be")

    monkeypatch.setattr(steps, "embed", trained)
    (tmp_path / "file").write_text("")
    code, _, error = bench_here("embed", "--scheme", "adi(mode=scratch)", "--out", str(tmp_path / "file" / "out"))
    assert (code, "is no folder that can: choose another --out" in error) == (2, True)


def test_embedding_says_what_does_not_fit(named_files: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    code, _, error = bench_here("embed", "--scheme", f"deepmodel(secret_image='{named_files}/logo.png')", "--out", out)
    assert (code, "logo.png has 10x10 pixels: make it 32x32" in error) == (2, True)
    words = ("embed", "--scheme", "passport", "--profile", str(named_files / "lenet.toml"), "--out", out)
    assert "lenet.toml" in bench_here(*words)[2]
    (named_files / "lenet.toml").write_text(
        (Path(__file__).parent / "small.toml").read_text().replace("convnet", "lenet")
    )
    code, _, error = bench_here(*words)
    assert (code, "choose an architecture with normalisation" in error) == (2, True)
    assert not Path(out, "key.safetensors").exists()


@pytest.mark.parametrize("words", [("list",), ("--help",), ("run", "--help"), ("list", "--json")])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_whoever_reads_the_output_may_leave(words: tuple[str, ...], unbuffered: str) -> None:
    """As in `bench list | head -1`: it ends with 0, and says nothing."""
    reader, writer = os.pipe()
    os.close(reader)
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run([*COMMAND, *words], stdout=writer, stderr=subprocess.PIPE, env=environment, timeout=100)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_error_that_nobody_reads_keeps_its_exit_code() -> None:
    """As in `bench describe prume 2>&1 | true`."""
    reader, writer = os.pipe()
    os.close(reader)
    for words, code in (("describe", "prume"), 2), (("describe",), 2), (("list",), 0):
        done = subprocess.run([*COMMAND, *words], stdout=writer, stderr=writer, timeout=100)
        assert done.returncode == code, words
    os.close(writer)


def test_what_rich_prints_into_a_closed_output_is_no_error_of_its_own() -> None:
    """rich itself would end with 1, as `bench report | head -1` did."""
    import io

    from benchmark.cli.terminal import Terminal

    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        Terminal(file=Closed()).print("somebody")
