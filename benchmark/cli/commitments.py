"""`bench commitment`: open some items of a key, and verify opened items against what was published."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from benchmark.cli import options
from benchmark.errors import EXIT_OK, EXIT_WORSE, BenchError


@click.group(short_help="Open items of a committed key, and verify opened ones.")
def commitment() -> None:
    """Open items of a committed key, and verify opened ones against the published root."""


@commitment.command("open")
@options.SCHEME
@click.option("--key", type=options.PATH, required=True, help="The owner's key file.")
@click.option("--items", required=True, help="Which to open, counted from 0, such as '3,17,42'.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A new JSON file.")
@options.PLUGIN
def open_items(scheme: str, key: Path, items: str, out: Path, plugins: Sequence[Path]) -> None:
    """Open some items of a committed trigger set: images, labels and salts, and of the rest only commitments.

    Opened items are burned: whoever sees them can train them away.
    """
    from benchmark.app import openings, standalone_files
    from benchmark.app.single_model import scheme_of

    setting, registry = options.one_scheme(scheme, plugins)
    try:
        chosen = sorted({int(item) for item in items.split(",")})
    except ValueError:
        raise BenchError(f"--items takes numbers with commas between them, such as 3,17, not {items!r}") from None
    made = scheme_of(setting)
    opened = openings.opened(made, standalone_files.open_key(key, made, registry), chosen)
    openings.write(out, opened)
    options.print_lines([
        ("opened", f"{len(chosen)} of {opened.committed} items into {out}"),
        ("root", opened.commitments_root),
    ])  # fmt: skip


@commitment.command("verify")
@click.argument("openings", type=options.PATH)
@click.option("--root", required=True, help="commitments_root of the card that was published.")
@options.JSON
def verify_items(openings: Path, root: str, as_json: bool) -> int:
    """Verify opened items against a published root: were these images and labels fixed when it was published?

    It needs no key. Whether the labels were drawn and not chosen only the whole key shows (`bench verify`); the
    evenness of the opened ones is printed. Ends with 4 where an item does not open.
    """
    from benchmark.app.openings import verify

    found = verify(openings, root)
    if as_json:
        options.dump(found)
    else:
        said = "open" if found.opens else f"do not open: {found.reason}"
        lines = [("items", f"{found.items} of {found.committed} {said}")]
        if found.even is not None:
            lines.append(("labels", f"p = {found.even:.2g} if drawn evenly over the classes (chi-square)"))
        if found.older:
            lines.append(("note", "this root is of the older form: it fixes neither the scheme nor the classes"))
        options.print_lines(lines)
    return EXIT_OK if found.opens else EXIT_WORSE


@click.command("open", hidden=True, context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def moved_open(words: tuple[str, ...]) -> None:
    """The former name of `bench commitment open`."""
    raise BenchError("`bench open` is now called `bench commitment open`: type that, with the same options")
