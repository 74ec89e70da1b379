"""`bench reproduce`: one work's own experiments, by the jobs of an ordinary run, beside what its paper reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from benchmark.cli import options
from benchmark.cli.output import outlives_its_reader


@click.command(short_help="Repeat a work's own experiments: reported beside measured.")
@click.argument("work")
@click.option(
    "--scale",
    type=click.Choice(["full", "small"]),
    default="full",
    show_default=True,
    help="The paper's size, for a GPU; or minutes on a CPU, marked as such.",
)
@options.RESULTS
@options.RUN_NAME
@options.SECRET
@options.PLUGIN
@options.DATA_FOLDER
@options.OFFLINE
@options.WORKERS
@options.DEVICE
@options.RETRY
@options.JSON
def reproduce(
    work: str, scale: str, results: Path, run_name: str | None, secret: str | None, plugins: Sequence[Path],
    data_root: Path | None, offline: bool, workers: int | None, device: str, retry: tuple[str, ...], as_json: bool,
) -> int:  # fmt: skip
    """Reproduce WORK (adi, rose, keynet, passport or deepmodel): reported and measured side by side.

    Writes reproduction.md and reproduction.json beside the other pages. What counts as reproduced is declared in
    the work's file before anything is run. The exit code says whether every cell has a verdict, not whether the
    paper was right.
    """
    from benchmark.app.planned_run import plan_reproduction, use_data_root
    from benchmark.cli.terminal import Terminal
    from benchmark.execution.run import Machine
    from benchmark.planning.reproduction import load_reproduction
    from benchmark.plugins.registry import Registry
    from leaderboard.judge.board import judge
    from leaderboard.pages.export import write_pages
    from leaderboard.pages.studies import reproduction_page

    declared = load_reproduction(work)
    use_data_root(data_root)
    machine = Machine(results, declared.run_name(scale) if run_name is None else run_name, workers, device)
    planned = plan_reproduction(
        declared,
        scale,
        Registry.discover(plugins),
        machine,
        options.typed_command(),
        offline=offline,
        wanted_secret=secret,
    )
    with outlives_its_reader(), planned.carried_out(Terminal(stderr=as_json), retry=retry) as run:
        board = judge(run)
        write_pages(board, machine.folder)
    options.advise_retry(run)
    if as_json:
        click.echo(reproduction_page.reproduction_json(board))
    else:
        options.say(f"{reproduction_page.summary(board)}\nPage: {machine.folder / 'reproduction.md'}")
    return options.exit_code(board)
