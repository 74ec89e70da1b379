"""`bench calibrate`: realised error rates of schemes, by the jobs of an ordinary run."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from benchmark.cli.options import DEVICE, PLUGIN, RESULTS, RUN_NAME, WORKERS, checked_name
from benchmark.errors import EXIT_INCOMPLETE, EXIT_OK, BenchError
from benchmark.planning.calibration import DRAWS, calibration_plan

SCRATCH = "scratch"
NEIGHBOURS = {"classification": "finetune(mode=ftal)", "image-to-image": "surrogate"}


@click.command()
@click.option("--schemes", default="all", show_default=True, help="Such as 'adi,passport' or 'rose(s=64)'.")
@click.option(
    "--attacks",
    default="finetune(mode=ftal),prune(amount=0.5),quantize(bits=8),surrogate,surrogate(augment=true)",
    show_default=True,
    help="What the attacked nulls meet, in turn: on each track those that serve its nets.",
)
@click.option(
    "--profile", "profile_name", default="calibrate", show_default=True, help="A profile's name, or a .toml file."
)
@click.option(
    "--nulls",
    type=int,
    help="Unmarked models of the main task, such as 60 or 300; [image] has its own number.  [default: the profile's]",
)
@click.option(
    "--draws", type=click.IntRange(min=1), default=DRAWS, show_default=True, help="Fresh keys for each scheme."
)
@RESULTS
@RUN_NAME
@PLUGIN
@WORKERS
@DEVICE
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def calibrate(
    schemes: str,
    attacks: str,
    profile_name: str,
    nulls: int | None,
    draws: int,
    results: Path,
    run_name: str | None,
    plugins: Sequence[Path],
    workers: int,
    device: str,
    as_json: bool,
) -> int:
    """Count false accusations by fresh keys and on innocent models, and write RESULTS/NAME/calibration.md.

    Every scheme is calibrated on the profile's track for it. Exit code 3 where fresh keys accuse more often than
    chance allows of a correct rule (131, 8 and 1 of 2,000 at .05, 1e-3 and 1e-6), where one of them is not
    admissible, or where a job failed.
    """
    from rich.console import Console

    from benchmark.execution.run import STORE, Machine, carry_out
    from benchmark.execution.run_file import manifest
    from benchmark.planning.durations import history
    from benchmark.planning.null_pools import null_attacks
    from benchmark.planning.profile import load_profile
    from benchmark.plugins.registry import Registry
    from benchmark.plugins.selection import select_attacks, select_schemes
    from leaderboard.analysis.error_rates import calibrate as count
    from leaderboard.analysis.error_rates import failures
    from leaderboard.judge.run import read_run
    from leaderboard.pages import calibration_page
    from leaderboard.pages.export import write_page
    from leaderboard.pages.writers import terminal

    profile = load_profile(profile_name).with_options(nulls=nulls)
    registry = Registry.discover(plugins)
    met = select_attacks(attacks, registry)
    if unfit := [one.label for one in met if one.aware]:
        raise BenchError(f"{unfit[0]} speaks of a marked model, and nulls have no mark: choose other --attacks")
    (scratch,) = select_attacks(SCRATCH, registry)
    neighbours = {kind: select_attacks(one, registry)[0] for kind, one in NEIGHBOURS.items()}
    selected = select_schemes(schemes, registry)
    fit = [one for one in selected if profile.track(one.tasks) is not None]
    for one in selected:
        if one not in fit:
            click.echo(
                f"left out: {one.label} marks {' or '.join(one.tasks)} nets, and {profile.name} has none", err=True
            )
    if not fit:
        raise BenchError(f"profile {profile.name} has no track for any of the --schemes: choose others, or a profile")
    others = scratch, neighbours, null_attacks(profile, fit, registry)
    plan, entries = calibration_plan(profile, fit, met, *others, draws, history(results / STORE))
    machine = Machine(results, checked_name(run_name, profile.name), workers, device)
    console = Console(stderr=as_json)
    described = manifest(plan, machine.run, shlex.join(["bench", *sys.argv[1:]]), registry.broken)
    carry_out(plan, machine, described | {"calibration": entries}, console)
    run = read_run(machine.folder, machine.store)
    found = count(run)
    path = write_page(machine.folder / "calibration.md", calibration_page.calibration_page(run, found))
    if as_json:
        click.echo(json.dumps(calibration_page.as_json(found), indent=1))
    else:
        terminal.write(calibration_page.sections(run, found), console)
        click.echo(f"Page: {path}")
    failed = {status for one in found for status, _ in one.faults} - {"not-applicable"}
    return EXIT_INCOMPLETE if failed or failures(found) else EXIT_OK


COMMANDS = (calibrate,)
