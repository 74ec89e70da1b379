"""Running `bench` as a user does: in a process of its own. Shared by the end-to-end tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from unittest import mock

PROFILE = Path(__file__).parents[1] / "small.toml"
SECRET = Path(__file__).parent / "secret.txt"  # the same in every store, so that two runs can be compared
SCHEME = "adi(n=40,k=16,epochs=8)"
ATTACKS = (
    "none,scratch(recipe=house),prune(amount=0.3),quantize(bits=8),jpeg,fresh-key,finetune(epochs=1)+prune(amount=0.2)"
)
COMMAND = (sys.executable, "-c", "from watermark_bench import main; main()")


def arguments(results: Path, *options: str, schemes: str = SCHEME, attacks: str = ATTACKS) -> list[str]:
    """`bench run` of the small profile."""
    fixed = ["--profile", str(PROFILE), "--results", str(results), "--device", "cpu", "--secret", str(SECRET)]
    return ["run", "--schemes", schemes, "--attacks", attacks, *fixed, *options]


def bench(
    *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, `env` beside this process's own; the caller looks at `returncode` and the output."""
    own = {**os.environ, **(env or {})}
    return subprocess.run(
        [*COMMAND, *words], capture_output=True, text=True, cwd=cwd, env=own, timeout=400, check=False
    )


def bench_here(*words: str) -> tuple[int, str, str]:
    """The same in this process, torch imported once: exit code, output, and the sentence of the error.

    A process reads a file of code once, so a plug-in that was edited since needs `bench`, or another file.
    """
    from click.testing import CliRunner

    from benchmark.cli import bench as group
    from benchmark.errors import BenchError

    with kept_fork_servers():
        done = CliRunner().invoke(group, words, standalone_mode=False)
    if isinstance(done.exception, BenchError):
        return done.exception.exit_code, done.stdout, str(done.exception)
    if done.exception is not None:
        raise done.exception
    return done.return_value or 0, done.stdout, done.stderr


def bench_plugin(name: str, text: str, folder: Path, results: Path, attacks: str) -> None:
    """Run the small profile here with a plug-in called `name`, in a file of its own below `folder`."""
    path = Path(mkdtemp(dir=folder)) / name
    path.write_text(text)
    code, _, error = bench_here(*arguments(results, "--plugin", str(path), attacks=attacks))
    assert code == 0, error


_IDLE: dict[object, tuple[Any, Any]] = {}  # fork servers without a fork: the process, and the way to it


@contextmanager
def kept_fork_servers() -> Iterator[None]:
    """Hand the fork server of a command in this process to the next one, so that it, too, imports torch once.

    A server runs nothing but its imports, so the next command finds it as its own. It must have begun alike: with the
    same environment, working directory and import path.
    """
    from benchmark.execution.processes.lease import Zygote

    start, close = Zygote._start, Zygote.close

    def alike(zygote: Zygote) -> object:
        environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
        return tuple(zygote._modules), tuple(sys.path), os.getcwd(), tuple(sorted(environment.items()))

    def take(zygote: Zygote) -> None:
        zygote._process, zygote._control = _IDLE.pop(alike(zygote), (None, None))
        if zygote._process is None or zygote._process.poll() is not None:
            close(zygote)
            for other in [one for one in _IDLE if one[0] == tuple(zygote._modules)]:
                end(*_IDLE.pop(other))
            start(zygote)

    def end(process: Any, control: Any) -> None:
        control.close()
        process.wait(60)

    def keep(zygote: Zygote) -> None:
        if zygote._process is not None and zygote._process.poll() is None and alike(zygote) not in _IDLE:
            _IDLE[alike(zygote)] = zygote._process, zygote._control
            zygote._process = zygote._control = None
        close(zygote)

    with mock.patch.multiple(Zygote, _start=take, close=keep):
        yield


def copied(results: Path, to: Path) -> Path:
    """A results folder with the same store and no run yet."""
    shutil.copytree(results / "store", to / "store", copy_function=shutil.copy2)
    return to


def bundle(results: Path, out: Path, *cell: str) -> Path:
    """Bundle one cell of the small profile's run into `out`."""
    code, _, error = bench_here("bundle", *cell, "--out", str(out), "--results", str(results), "--run", "small")
    assert code == 0, error
    return out


def resealed(copy: Path) -> Path:
    """The folder with a manifest that fits whatever was done to it."""
    from benchmark.app.bundle_form import seal, write_json
    from benchmark.identity import content_hash

    (copy / "MANIFEST.json").unlink()
    files = {path.relative_to(copy).as_posix(): content_hash(path) for path in copy.rglob("*") if path.is_file()}
    (copy / "MANIFEST.json").write_bytes(write_json(asdict(seal(files))))
    return copy


def edit(copy: Path, role: str, change: Callable[[dict[str, Any]], object]) -> Path:
    """The folder with a changed record of one role's job, named and sealed anew."""
    from benchmark.identity import job_id
    from benchmark.store.records import with_checksum

    described = json.loads((copy / "run.json").read_text())
    old = described["cells"][0]["jobs"][role]
    lines = [json.loads(line) for line in (copy / "records.jsonl").read_text().splitlines()]
    (record,) = (line for line in lines if line["id"] == old)
    change(record)
    record["id"] = job_id(record["job"])
    record |= with_checksum(record)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (copy / "records.jsonl").write_text(text)
    (copy / "run.json").write_text(json.dumps(described).replace(old, record["id"]))
    return resealed(copy)


def of_an_earlier_version(copy: Path, lacks: str = "") -> Path:
    """The bundle as a version would have made it that recorded no frequent class, and no channel `lacks`."""

    def bare(record: dict[str, Any]) -> None:
        del record["result"]["utility"]["majority"]

    def seen(record: dict[str, Any]) -> None:
        record["job"]["engine"] = "0" * 64
        (observation,) = record["result"]["observations"]
        observation["channels"].pop(lacks, None)
        if lacks in observation.get("views", []):
            observation.pop("views")

    changes = {"marked": bare, "attacked": bare, "judged": seen, "fresh": seen}
    for role in changes.keys() & json.loads((copy / "run.json").read_text())["cells"][0]["jobs"].keys():
        edit(copy, role, changes[role])
    return copy


def records(results: Path) -> dict[str, dict[str, Any]]:
    """Every record of a results folder, by id, without what may differ between machines."""
    found = {}
    for path in (results / "store" / "records").glob("*/*.json"):
        record = json.loads(path.read_text())
        found[record["id"]] = {name: value for name, value in record.items() if name not in ("run", "checksum")}
    return found


def stamps(results: Path) -> dict[str, int]:
    """When each record was written: equal stamps mean that no job ran."""
    return {path.name: path.stat().st_mtime_ns for path in (results / "store" / "records").glob("*/*.json")}


def verdicts(results: Path, run: str = "small") -> dict[tuple[str, str, bool], dict[str, Any]]:
    """The lines of matrix.csv, by scheme, attack and innocence."""
    import csv

    with (results / run / "matrix.csv").open(newline="") as file:
        return {(line["scheme"], line["attack"], line["innocent"] == "True"): line for line in csv.DictReader(file)}
