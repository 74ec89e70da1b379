"""`bench advise`: which scheme suits a situation, from published records."""

from __future__ import annotations

from typing import Literal

import click

from benchmark.cli import options


@click.command(short_help="Say which scheme suits a situation, from published records.")
@click.option(
    "--release", required=True, type=click.Choice(["weights", "api"]), help="What you give out: the model, or answers."
)
@click.option("--labelled", required=True, type=int, metavar="N", help="Images with labels that a thief of yours has.")
@options.BUDGET
@click.option("--task", help="Of this task alone.  [default: every task of a published board]")
@options.JSON
def advise(
    release: Literal["weights", "api"], labelled: int, budget: float | None, task: str | None, as_json: bool
) -> None:
    """Say which scheme suits your situation, from published records alone; runs no job.

    Every number comes with the command that opens the cells behind it. Where no record speaks of your task, or only of
    a weaker or stronger thief, the answer says so.
    """
    from benchmark.app.api import guidance
    from benchmark.cli.terminal import Terminal
    from leaderboard.pages.studies import advice
    from leaderboard.pages.writers import terminal

    found = guidance.advise(release, labelled, budget=budget, task=task)
    if as_json:
        options.dump(advice.as_json(found))
        return
    terminal.write(advice.advice_page(found), Terminal())
    if commands := advice.commands(found):
        options.say("\nThe cells behind it:")
        for one in commands:
            options.say(f"  {one}")  # a command is copied as one line
