"""Commands of reviewers: compare two runs, bundle a cell or a row, import and replay a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from benchmark.cli import options
from benchmark.errors import EXIT_INCOMPLETE, EXIT_OK, EXIT_WORSE, BenchError
from benchmark.plugins.registry import Registry


@click.command(short_help="Compare two runs: which cells changed beyond chance.")
@click.argument("run_a", type=options.FOLDER)
@click.argument("run_b", type=options.FOLDER)
@options.ALPHA
@options.BUDGET
@options.STRICT
@options.JSON
def compare(
    run_a: Path, run_b: Path, alpha: float | None, budget: float | None, strict: bool | None, as_json: bool
) -> int:  # fmt: skip
    """Compare two runs: cells that changed beyond chance, new and gone ones. Both are judged as RUN_A was.

    Ends with 4 when a verdict got worse for the owner, with 3 when RUN_B lost one, with 2 when no cell is in both.
    """
    from leaderboard.analysis import compare as comparing
    from leaderboard.judge.board import judge
    from leaderboard.pages import compare_text

    a = judge(options.run_in(run_a), alpha, budget, strict=strict)
    b = judge(options.run_in(run_b), like=a.tracks)
    found = comparing.compare(a, b)
    if as_json:
        options.dump(compare_text.as_json(a, b, found))
    else:
        options.say(compare_text.describe(a, b, found))
    if found.worse:
        return EXIT_WORSE
    return EXIT_INCOMPLETE if found.lost else EXIT_OK


@click.command(short_help="Put a cell or a row into a folder that a reviewer can replay.")
@click.argument("cell", nargs=-1)
@click.option("--out", type=options.FOLDER, required=True, help="A new folder.")
@click.option("--row", metavar="NAME", help="Every cell and seed of an attack or of a scheme, in place of one cell.")
@click.option("--seed", type=click.IntRange(min=0), help="Which seed's cell.  [default: 0]")
@options.RESULTS
@options.OWN_RUN
@options.PLUGIN
@options.ALPHA
@options.BUDGET
@options.STRICT
@options.JSON
def bundle(
    cell: tuple[str, ...], out: Path, row: str | None, seed: int | None, results: Path, run_name: str | None,
    plugins: Sequence[Path], alpha: float | None, budget: float | None, strict: bool | None, as_json: bool,
) -> None:  # fmt: skip
    """Put one cell, or a whole row, into a folder that a reviewer can replay.

    `bench bundle 'rose(s=40)' 'prune(amount=0.5)' --out FOLDER` writes one cell, `bench bundle --row prune --out
    FOLDER` every cell and seed of an attack; `bench replay FOLDER` examines them anew, `bench import FOLDER` puts them
    on another board. The folder holds opened keys: whoever has it can claim the marked models and remove the marks.
    """
    from benchmark.app.bundle import bundle as write_bundle
    from benchmark.app.bundle import row_of
    from leaderboard.pages.cell_facts import find_cells

    if bool(cell) is (row is not None) or (row is not None and seed is not None):
        raise BenchError("name a scheme and an attack, with --seed for one seed's cell, or a whole row with --row NAME")
    machine, board = options.judged_run(results, run_name, alpha, budget, strict)
    if row is None:
        found = [one for one in find_cells(board, cell) if one.replicate == (seed or 0)]
        if not found:
            raise BenchError(f"this run has no seed {seed or 0} of that cell: see bench show")
        what = f"{found[0].scheme} × {found[0].attack}, seed {found[0].replicate}: {found[0].verdict.word}"
    else:
        found = row_of(board, row)
        what = f"the row of {row}: {len(found)} cells"
    manifest = write_bundle(board, found, machine.store, Registry.discover(plugins), out, row or "")
    if as_json:
        options.dump(manifest)
        return
    options.print_lines([
        ("cell" if row is None else "row", what),
        ("bundle", f"{out}: {len(manifest.files)} files, the opened key{'' if row is None else 's'} among them"),
        ("sha256", f"{manifest.sha256}: publish it beside the bundle"),
    ])  # fmt: skip


@click.command(name="import", short_help="Put a row that somebody else ran on the pages of a run.")
@click.argument("folder", type=options.FOLDER)
@options.RESULTS
@options.OWN_RUN
@options.JSON
def import_(folder: Path, results: Path, run_name: str | None, as_json: bool) -> None:
    """Put a row that somebody else ran, a bundle in FOLDER, on the pages of a run: unverified until it is replayed.

    Nothing in FOLDER is run. `bench replay FOLDER --run NAME` makes the row verified, or refuted.
    """
    from benchmark.app.outside import import_row, remake_pages

    machine, board = options.judged_run(results, run_name)
    sha256, entry = import_row(folder, board, machine.folder)
    remake_pages(machine.folder)
    if as_json:
        options.dump({"sha256": sha256, "row": entry.row, "state": entry.state, "folder": str(machine.folder)})
        return
    options.print_lines([
        ("row", f"{entry.row}, {entry.state}, now on the pages in {machine.folder}"),
        ("sha256", f"{sha256}: compare it with the one that was published"),
        ("next", f"bench replay {folder} --run {machine.run} verifies it"),
    ])  # fmt: skip


@click.command(short_help="Examine a bundle's models anew.")
@click.argument("folder", type=options.FOLDER)
@options.DATA_FOLDER
@options.PLUGIN
@options.DEVICE
@options.RESULTS
@click.option("--run", "run_name", help="A run that has imported the bundle: its pages will say what the replay found.")
@options.JSON
def replay(
    folder: Path, data_root: Path | None, plugins: Sequence[Path], device: str, results: Path, run_name: str | None,
    as_json: bool,
) -> int:  # fmt: skip
    """Examine a bundle's models anew with the installed scheme: equal, within tolerance, or different.

    Ends with 0 for the first two, with 4 for different, with 2 where a file of the bundle was tampered with.
    """
    from benchmark.app.bundle_form import check_files
    from benchmark.app.outside import note_replay, remake_pages
    from benchmark.app.planned_run import use_data_root
    from benchmark.app.replay import in_words
    from benchmark.app.replay import replay as play
    from leaderboard.analysis.outside_rows import read_entry

    use_data_root(data_root)
    machine = None if run_name is None else options.judged_run(results, run_name)[0]
    if machine is not None:
        read_entry(machine.folder, check_files(folder).sha256)  # before the examination, which takes time
    found = play(folder, Registry.discover(plugins), device)
    noted = []
    if machine is not None:
        noted = [("state", f"{note_replay(found, machine.folder).state}, on the pages in {machine.folder}")]
        remake_pages(machine.folder)
    if as_json:
        whole = {"outcome": found.outcome, "row": found.row, "sha256": found.sha256, "cells": found.cells}
        options.dump(whole if found.row else found.cells[0])
        return EXIT_WORSE if found.outcome == "different" else EXIT_OK
    lines = [("row", f"{found.row}: {len(found.cells)} cells with a verdict")] if found.row else []
    lines += [("bundle", found.sha256)] if found.row else []
    for one in found.cells:
        cell = one.cell
        whose = f"{'unmarked under ' if cell['innocent'] else ''}{cell['scheme']} × {cell['attack']}"
        checks = [
            ("check", f"{check.what}: {check.outcome}{f' ({check.detail})' if check.detail else ''}")
            for check in one.checks if not found.row or check.outcome != "equal"
        ]  # fmt: skip
        lines.append(("cell", f"{whose}, seed {cell['replicate']}"))
        if found.row and one.outcome == "equal":
            lines.append(("equal", in_words(one.derived)))
            continue
        lines += [
            *([] if found.row else [("bundle", one.sha256)]),
            ("judged", f"at alpha {cell['alpha']:g} and a budget of {cell['budget']:g} {cell['unit']}"),
            ("recorded", in_words(one.recorded)), ("derived", in_words(one.derived)), *checks,
        ]  # fmt: skip
    options.print_lines([*lines, *(("note", note) for note in found.notes), *noted, ("result", found.outcome)])
    return EXIT_WORSE if found.outcome == "different" else EXIT_OK
