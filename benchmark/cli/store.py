"""`bench store`: whether the store of a results folder is whole, and room for what is to come."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import click

from benchmark.cli import options
from benchmark.errors import EXIT_OK, EXIT_WORSE, BenchError, printable


@click.group(short_help="Look after the records, models and keys of all runs.")
def store() -> None:
    """Look after the records, models and keys that all runs of a results folder share."""


@store.command()
@options.RESULTS
@options.JSON
def verify(results: Path, as_json: bool) -> int:
    """Read every file of the store: name what is damaged, exposed or not the store's, and what makes it again.

    Nothing is changed. Ends with 0 where there is nothing but leftovers, with 4 otherwise.
    """
    from benchmark.store.verify import verify as examine
    from leaderboard.judge.run import described_run, run_names

    machine = _machine(results)
    writable = os.access(machine.store.root, os.W_OK)
    with machine.store.lock(partial(options.say, err=True)) if writable else nullcontext():  # nobody writes elsewhere
        findings = examine(machine.store)
    lost = {finding.job for finding in findings if finding.kind == "damaged"} - {None}
    runs, unread = {}, []
    for name in run_names(results):
        try:
            runs[name] = described_run(results / name)
        except BenchError as error:
            unread.append(str(error))
    remedies = {name: _remedy(described, lost) for name, described in runs.items()}
    remedies = {name: remedy for name, remedy in remedies.items() if remedy["jobs"]}
    if as_json:
        options.dump({"store": str(machine.store.root), "findings": findings, "remedies": remedies, "runs": unread})
    else:
        for finding in findings:
            options.say(printable(f"{finding.kind:<9} {finding.name}: {finding.what}"))
        for sentence in unread:
            options.say(printable(f"damaged   {sentence}"))
        for name, remedy in remedies.items():
            options.say(printable(f"{len(remedy['jobs'])} jobs of {name} are made again by: {remedy['command']}"))
        if orphans := lost - {job for described in runs.values() for job in described["jobs"]}:
            click.echo(f"{len(orphans)} damaged jobs are no run's: `bench store gc` frees them")
        counted = Counter(finding.kind for finding in findings)
        click.echo(", ".join(f"{count} {kind}" for kind, count in counted.items()) or "The store is whole.")
    return EXIT_OK if all(finding.kind == "leftover" for finding in findings) and not unread else EXIT_WORSE


def _remedy(described: Mapping[str, Any], lost: set[Any]) -> dict[str, Any]:
    """Which of the lost jobs a run has, by their labels, and the command that makes them again."""
    from benchmark.store.retry import retrying

    jobs = {id: job["label"] for id, job in described["jobs"].items() if id in lost}
    return {"command": retrying(described["command"], "damaged"), "jobs": jobs}


@store.command()
@options.RESULTS
@click.option("--dry-run", is_flag=True, help="Only say what would be freed.")
@options.JSON
def gc(results: Path, dry_run: bool, as_json: bool) -> None:
    """Free what no run in the results folder needs: records, models and keys of other jobs, and leftovers.

    A run needs the jobs that its run.json names. Unmarked models that `bench verify` trained on its own are freed,
    too, and trained again when it needs them.
    """
    from benchmark.store.gc import free, unneeded
    from leaderboard.judge.run import described_run, run_names

    machine = _machine(results)
    with machine.store.lock(partial(options.say, err=True)):
        names = run_names(results)
        if not names:
            raise BenchError(f"no run in {results} needs its store: remove the folder {machine.store.root} yourself")
        needed = {job for name in names for job in described_run(results / name)["jobs"]}
        files = unneeded(machine.store, needed)
        size = sum(one.path.lstat().st_size for one in files)
        if not dry_run:
            free(files)
    if as_json:
        options.dump({"dry_run": dry_run, "bytes": size, "files": [one.name for one in files]})
        return
    counted = Counter(one.kind for one in files)
    what = ", ".join(f"{count} {kind}" for kind, count in counted.items()) or "nothing"
    click.echo(f"{'to free' if dry_run else 'freed'}: {size / 1e6:.1f} MB ({what})")


def _machine(results: Path) -> Any:
    from benchmark.execution.run import STORE, Machine

    if not (results / STORE).is_dir():
        raise BenchError(f"{results} holds no {STORE}: give the folder of all runs with --results")
    return Machine(results, "quick")
