"""`bench calibrate`: realised error rates of schemes, by the jobs of an ordinary run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from benchmark.cli import completion, options, own_host
from benchmark.cli.output import outlives_its_reader
from benchmark.errors import EXIT_INCOMPLETE, EXIT_OK
from benchmark.planning.calibration import DRAWS


@click.command(short_help="Count false accusations: fresh keys, innocent models.")
@click.option(
    "--schemes", default="all", show_default=True, shell_complete=completion.schemes,
    help="Such as 'adi,passport' or 'rose(s=64)'.",
)  # fmt: skip
@click.option(
    "--attacks",
    shell_complete=completion.attacks,
    default="finetune(mode=ftal),prune(amount=0.5),quantize(bits=8),surrogate,surrogate(augment=true)",
    show_default=True,
    help="What the attacked nulls meet, in turn: on each track those that serve its nets.",
)
@own_host.options("calibrate")
@click.option(
    "--nulls",
    type=int,
    help="Unmarked models of the main task, such as 60 or 300; [image] has its own number.  [default: the profile's]",
)
@click.option(
    "--draws", type=click.IntRange(min=1), default=DRAWS, show_default=True, help="Fresh keys for each scheme."
)
@options.DATA_FOLDER
@options.RESULTS
@options.RUN_NAME
@options.PLUGIN
@options.WORKERS
@options.DEVICE
@options.RETRY
@options.JSON
def calibrate(
    schemes: str, attacks: str, profile: str | None, host: str | None, weights: Path | None, data: str | None,
    nulls: int | None, draws: int, data_root: Path | None, results: Path, run_name: str | None,
    plugins: Sequence[Path], workers: int | None, device: str, retry: tuple[str, ...], as_json: bool,
) -> int:  # fmt: skip
    """Count false accusations by fresh keys and on innocent models, and write RESULTS/NAME/calibration.md.

    Every scheme is calibrated on the profile's track for it. Of a host with weights the clean nulls are fine-tunes of
    them, and nets from scratch stand beside these. Exit code 3 where fresh keys accuse more often than chance allows of
    a correct rule (131, 8 and 1 of 2,000 at .05, 1e-3 and 1e-6), where one of them is not admissible, or where a job
    failed.
    """
    from benchmark.app.planned_run import plan_calibration, use_data_root
    from benchmark.cli.terminal import Terminal
    from benchmark.execution.processes.host_check import show_host
    from benchmark.execution.run import Machine
    from benchmark.planning.own_host import OwnHost, profile_for
    from benchmark.plugins.registry import Registry
    from leaderboard.analysis import error_rates
    from leaderboard.pages.export import write_page
    from leaderboard.pages.studies import calibration_page
    from leaderboard.pages.writers import terminal

    use_data_root(data_root)
    own = profile_for(profile, "calibrate", OwnHost(host, weights, data)).with_options(nulls=nulls)
    machine = Machine(results, own.name if run_name is None else run_name, workers, device)
    machine = replace(machine, hidden=show_host(own, machine.store.root, device=device))
    registry = Registry.discover(plugins)
    planned, left_out = plan_calibration(own, schemes, attacks, draws, registry, machine, options.typed_command())
    for one in left_out:
        options.say(f"left out: {one.label} marks {' or '.join(one.tasks)} nets, and {own.name} has none", err=True)
    console = Terminal(stderr=as_json)
    with outlives_its_reader(), planned.carried_out(console, retry=retry) as run:
        found = error_rates.calibrate(run)
        path = write_page(machine.folder / "calibration.md", calibration_page.calibration_page(run, found))
    options.advise_retry(run)
    if as_json:
        click.echo(json.dumps(calibration_page.as_json(found), indent=1))
    else:
        terminal.write(calibration_page.sections(run, found), console)
        options.say(f"Page: {path}")
    failed = {status for one in found for status, _ in one.faults} - {"not-applicable"}
    return EXIT_INCOMPLETE if failed or error_rates.failures(found) else EXIT_OK
