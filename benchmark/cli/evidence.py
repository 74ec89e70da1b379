"""Commands of reviewers: compare two runs, bundle a cell, replay a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from benchmark.cli import options
from benchmark.errors import EXIT_INCOMPLETE, EXIT_OK, EXIT_WORSE, BenchError
from benchmark.plugins.registry import Registry


@click.command()
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


@click.command()
@click.argument("cell", nargs=-1, required=True)
@click.option("--out", type=options.FOLDER, required=True, help="A new folder.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Which seed's cell.")
@options.RESULTS
@options.RUN_NAME
@options.PLUGIN
@options.ALPHA
@options.BUDGET
@options.STRICT
@options.JSON
def bundle(
    cell: tuple[str, ...], out: Path, seed: int, results: Path, run_name: str | None, plugins: Sequence[Path],
    alpha: float | None, budget: float | None, strict: bool | None, as_json: bool,
) -> None:  # fmt: skip
    """Put one cell into a folder that a reviewer can replay.

    `bench bundle 'rose(s=40)' 'prune(amount=0.3)' --out FOLDER` writes it, `bench replay FOLDER` examines it anew.
    The folder holds the opened key: whoever has it can claim the marked model and remove the mark.
    """
    from benchmark.app.bundle import bundle as write_bundle
    from leaderboard.pages.cell_facts import find_cells

    machine, board = options.judged_run(results, run_name, alpha, budget, strict)
    found = [one for one in find_cells(board, cell) if one.replicate == seed]
    if not found:
        raise BenchError(f"this run has no seed {seed} of that cell: see bench show")
    manifest = write_bundle(board, found[0], machine.store, Registry.discover(plugins), out)
    if as_json:
        options.dump(manifest)
        return
    options.print_lines([
        ("cell", f"{found[0].scheme} × {found[0].attack}, seed {seed}: {found[0].verdict.word}"),
        ("bundle", f"{out}: {len(manifest['files'])} files, the opened key among them"),
        ("sha256", f"{manifest['sha256']}: publish it beside the bundle"),
    ])  # fmt: skip


@click.command()
@click.argument("folder", type=options.FOLDER)
@options.DATA_FOLDER
@options.PLUGIN
@options.DEVICE
@options.JSON
def replay(folder: Path, data_root: Path | None, plugins: Sequence[Path], device: str, as_json: bool) -> int:
    """Examine a bundle's models anew with the installed scheme: equal, within tolerance, or different.

    Ends with 0 for the first two, with 4 for different, with 2 where a file of the bundle was tampered with.
    """
    from benchmark.app.planned_run import use_data_root
    from benchmark.app.replay import in_words
    from benchmark.app.replay import replay as play

    use_data_root(data_root)
    found = play(folder, Registry.discover(plugins), device)
    if as_json:
        options.dump(found)
    else:
        cell = found.cell
        whose = f"{'unmarked under ' if cell['innocent'] else ''}{cell['scheme']} × {cell['attack']}"
        lines = [
            ("cell", f"{whose}, seed {cell['replicate']}"),
            ("bundle", found.sha256),
            ("judged", f"at alpha {cell['alpha']:g} and a budget of {cell['budget']:g} {cell['unit']}"),
            ("recorded", in_words(found.recorded)),
            ("derived", in_words(found.derived)),
            *(("check", f"{one.what}: {one.outcome}{f' ({one.detail})' if one.detail else ''}")
              for one in found.checks),
            *(("note", note) for note in found.notes),
            ("result", found.outcome),
        ]  # fmt: skip
        options.print_lines(lines)
    return EXIT_WORSE if found.outcome == "different" else EXIT_OK
