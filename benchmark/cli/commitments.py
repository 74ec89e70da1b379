"""Commands for commitments: open some items of a key, and check opened items against what was published."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from benchmark.cli.options import JSON, PLUGIN, dump
from benchmark.cli.single_model import SCHEME, asked, print_lines
from benchmark.errors import EXIT_OK, EXIT_WORSE, BenchError


@click.command("open")
@SCHEME
@click.option("--key", type=click.Path(path_type=Path), required=True, help="The owner's key file.")
@click.option("--items", required=True, help="Which to open, counted from 0, such as '3,17,42'.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A new JSON file.")
@PLUGIN
def open_items(scheme: str, key: Path, items: str, out: Path, plugins: Sequence[Path]) -> None:
    """Open some items of a committed trigger set: images, labels and salts, and of the rest only commitments.

    Opened items are burned: whoever sees them can train them away.
    """
    from benchmark.app import standalone_files
    from benchmark.app.openings import ROOT, opened
    from benchmark.app.single_model import scheme_of

    setting, _ = asked(scheme, plugins)
    try:
        chosen = sorted({int(item) for item in items.split(",")})
    except ValueError:
        raise BenchError(f"--items takes numbers with commas between them, such as 3,17, not {items!r}") from None
    made = scheme_of(setting)
    shown = opened(made, standalone_files.open_key(key, made), chosen)
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(json.dumps(shown, indent=1, sort_keys=True) + "\n")
    except OSError as error:
        raise BenchError(f"{out} can't be written ({error.strerror}): choose another --out") from error
    print_lines([
        ("opened", f"{len(chosen)} of {len(shown['commitments']) // 2} items into {out}"),
        ("root", shown[ROOT]),
    ])  # fmt: skip


@click.command("check")
@click.argument("openings", type=click.Path(path_type=Path))
@click.option("--root", required=True, help="commitments_root of the card that was published.")
@JSON
def check_items(openings: Path, root: str, as_json: bool) -> int:
    """Check opened items against a published root: did these images and labels stand fixed when it was published?

    It needs no key. Whether the labels were drawn and not chosen only the whole key shows (`bench verify`); the
    evenness of the opened ones is printed. Ends with 4 where an item does not open.
    """
    from benchmark.app.openings import check

    found = check(openings, root)
    if as_json:
        dump(found)
    else:
        said = "open" if found["opens"] else f"do not open: {found['reason']}"
        lines = [("items", f"{found['items']} of {found['committed']} {said}")]
        if found["even"] is not None:
            lines.append(("labels", f"p = {found['even']:.2g} if drawn evenly over the classes (chi-square)"))
        print_lines(lines)
    return EXIT_OK if found["opens"] else EXIT_WORSE


COMMANDS = (open_items, check_items)
