"""`bench new` and `bench check`: the beginning and the test of a plug-in."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Literal

import click

from benchmark.cli import options
from benchmark.errors import EXIT_OK, EXIT_USAGE

_PRINTED = 5  # lines that are shown of what a plug-in printed


@click.command(short_help="Write a file with a small attack or scheme to be changed.")
@click.argument("role", type=click.Choice(["attack", "scheme"]))
@click.argument("name")
@click.option("--out", type=options.PATH, help="The file to write.  [default: the name, in this folder]")
def new(role: Literal["attack", "scheme"], name: str, out: Path | None) -> None:
    """Write a file with a small attack or scheme that runs as it is, to be changed."""
    from benchmark.app.kit.new_plugin import new_plugin

    path = new_plugin(role, name, out)
    others = ("adi", name) if role == "attack" else (name, "none")
    options.say(f"{path} holds the {role} {name}, which runs as it is. Change what says CHANGE ME, then:")
    options.say(f"  bench check {path}")
    options.say(f"  bench run --schemes {others[0]} --attacks {others[1]} --plugin {path}")


@click.command(short_help="Hold the contract against every plug-in of a file.")
@click.argument("file", type=options.PATH)
@options.JSON
def check(file: Path, as_json: bool) -> int:
    """Hold the contract against every plug-in of a file, in under a minute, on a few digits.

    What is found is no result: see `bench run --plugin FILE` for those. Exit code 2 where a check fails.
    """
    from benchmark.app.kit.check import check_file

    report = check_file(file)
    if as_json:
        options.dump(report)
        return EXIT_OK if report.ok else EXIT_USAGE
    for (role, name), checks in groupby(report.checks, key=lambda one: (one.role, one.name)):
        options.say(f"{role} {name}")
        for one in checks:
            word = {True: "ok", False: "BAD", None: "-"}[one.ok]
            options.say(f"  {one.check:<14}{word:<4} {one.text if one.text != word else ''}".rstrip())
    if report.printed:
        shown = report.printed[:_PRINTED]
        options.say(f"{len(report.printed)} lines were printed, which a run keeps in its logs; the first {len(shown)}:")
        options.say("\n".join(f"  {line}" for line in shown))
    return EXIT_OK if report.ok else EXIT_USAGE
