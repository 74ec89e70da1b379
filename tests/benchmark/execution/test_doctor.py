"""What `bench doctor` says of the surroundings, and that a user's own packages change nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path, PurePath

import pytest

from benchmark.execution import doctor

ROOT = Path(__file__).resolve().parents[3]
BENCH = "from watermark_bench import main; main()"


def bench(*words: str, cwd: Path, python: str = BENCH, **environment: str) -> tuple[int, str, str]:
    """`bench` in a process whose import path begins with PYTHONPATH, as the console script's does."""
    path = os.pathsep.join([environment.pop("PYTHONPATH", ""), str(ROOT)])
    command = [sys.executable, "-P", "-c", python, *words]
    env = os.environ | {"PYTHONPATH": path} | environment
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def findings(*, cwd: Path, python: str = BENCH, **environment: str) -> dict[str, tuple[bool, str]]:
    _, out, err = bench("doctor", "--json", cwd=cwd, python=python, **environment)
    assert out, err
    return {one["what"]: (one["ok"], one["detail"]) for one in json.loads(out)}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A user's folder with packages called as the benchmark's are, each of which stops whoever imports it."""
    for package in ("benchmark", "attacks", "schemes", "leaderboard"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("raise SystemExit('theirs')\n")
    (tmp_path / "attacks/prune.py").write_text("class Prune(Attack:\n")
    return tmp_path


def test_a_user_s_packages_neither_break_nor_replace_the_built_ins(own: Path) -> None:
    code, out, err = bench("list", cwd=own, PYTHONPATH=str(own))
    assert (code, err) == (0, "")
    assert out == bench("list", cwd=own)[1]
    code, out, _ = bench("describe", "prune", cwd=own, PYTHONPATH=str(own))
    assert code == 0
    assert f"Source: {ROOT}/attacks/prune.py (built-in)" in out


def test_files_called_like_modules_are_not_taken_for_them(own: Path) -> None:
    for name in ("torch", "random", "types", "statistics", "click"):
        (own / f"{name}.py").write_text("raise SystemExit('theirs')\n")
    found = findings(cwd=own, PYTHONPATH=str(own))
    assert found["own packages"] == (True, str(ROOT))
    ok, said = found["import path"]
    assert ok
    assert said.startswith(f"not used: {own}/attacks/__init__.py, {own}/benchmark/__init__.py, {own}/click.py and ")
    assert found["device"][0]  # the processes that run jobs find torch itself


def test_doctor_names_what_is_imported_in_place_of_a_module(own: Path) -> None:
    for package in ("benchmark", "leaderboard", "schemes"):
        (own / package / "__init__.py").unlink()
    (own / "torch.py").touch()
    (own / "pandas").mkdir()  # a folder of files is no module where there is a package
    found = findings(cwd=own, python="from benchmark.cli import main; main()", PYTHONPATH=str(own))
    ok, said = found["import path"]
    assert not ok
    assert said.startswith(f"{own}/attacks/__init__.py, {own}/torch.py is imported in place of what is called so: ")
    assert not found["device"][0]


def test_doctor_names_variables_that_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> tuple[bool, str]:
        return next((one.ok, one.detail) for one in doctor.examine(tmp_path) if one.what == "environment")

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    ok, said = found()
    assert ok
    assert "CUDA_VISIBLE_DEVICES='' says which GPUs are seen" in said
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    ok, said = found()
    assert not ok
    assert "NVIDIA_TF32_OVERRIDE='1' changes the arithmetic of a GPU: unset it" in said


def test_doctor_compares_an_installation_with_its_list_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [f"{package}/__init__.py" for package in doctor.PACKAGES] + ["attacks/prune.py"]
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setattr(doctor, "HOME", str(tmp_path))

    def said() -> tuple[bool, str]:
        return next((one.ok, one.detail) for one in doctor.examine(tmp_path) if one.what == "own packages")

    assert said() == (True, str(tmp_path))
    monkeypatch.setattr(doctor.importlib.metadata, "files", lambda _: [PurePath(name) for name in files])
    monkeypatch.setattr(doctor, "version", lambda _: "1.0")
    assert said() == (True, str(tmp_path))
    (tmp_path / "attacks/mine.py").touch()  # of another package called attacks, installed over this one
    again = "install watermark-bench again"
    assert said() == (False, f"attacks/mine.py in {tmp_path}: somebody else's: {again}")
    (tmp_path / "attacks/prune.py").unlink()
    assert said() == (False, f"attacks/prune.py in {tmp_path}: missing: {again}")


def test_doctor_says_whether_the_kernel_has_walls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said() -> str:
        return next(one.detail for one in doctor.examine(tmp_path) if one.what == "walls")

    monkeypatch.setattr(doctor.landlock, "version", lambda: 0)
    assert said().startswith("none here: a plug-in of somebody else's can read the store")
    monkeypatch.setattr(doctor.landlock, "version", lambda: 7)
    assert said() == "Landlock, version 7"
