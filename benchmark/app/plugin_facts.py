"""A plug-in in plain words: who has what, what its parameters take, and what the published boards found of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from benchmark.plugins.parameters import Declaration, Parameter
from benchmark.vocabulary import CLAIM_KINDS, ORACLE_KINDS
from leaderboard.analysis.known_results import KnownResult, known_results

AIMS = {  # of attacks: what the thief is after
    "removal": "changes the stolen model until its mark can't be found",
    "function-preserving": "rewrites the stolen model without changing its answers, so that the mark can't be read",
    "evasion": "serves the stolen model behind a filter, so that a court that asks finds no mark",
    "extraction": "trains a new model on what the stolen one answers",
    "ambiguity": "claims the marked model with a key of the thief's own",
    "false-claim": "claims an innocent model with a key of the thief's own",
    "control": "measures what the others are held against",
    "oracle-removal": "removes the mark with the owner's key in hand: an upper bound",
    "oracle-ambiguity": "claims the marked model with what the owner's key tells: an upper bound",
}
_ACCESS = {
    "none": "nothing of the release",
    "labels": "the labels that the model answers",
    "probabilities": "the probabilities that the model answers",
    "outputs": "the images that the model answers",
    "weights": "the model itself, its weights included",
}
_LAWS = {
    "exact": "is known exactly",
    "redrawn": "is known from keys drawn anew",
    "none": "is not known: unmarked models stand in for it",
}
_BAD = ("removed", "unprovable", "forged")  # for the owner


def threat_model(plugin: Declaration) -> list[tuple[str, str]]:
    """Who has what, as names and sentences."""
    return list(_of_an_attack(plugin) if plugin.role == "attack" else _of_a_scheme(plugin))


def _of_an_attack(plugin: Declaration) -> Iterator[tuple[str, str]]:
    traits, kind = plugin.traits, plugin.traits["kind"]
    oracle = kind in ORACLE_KINDS
    yield "kind", f"{kind}: {AIMS[kind]}"
    yield "family", traits["family"]
    never = traits["target"] == "none"
    needs = "his own images alone; he never looks at the marked model" if never else _ACCESS[traits["access"]]
    yield "the thief uses", needs
    known = [f"the code of a scheme with {traits['requires']}"] if traits["requires"] else []
    known += ["the scheme's code"] if kind in CLAIM_KINDS and not known else []
    yield "the thief knows", " and ".join([*known, *(["the owner's key"] if oracle else [])])
    yield "tasks", ", ".join(traits["tasks"])
    yield "the net has", traits["layers_needed"]
    yield "decided by", f"the channel {traits['evidence']}, where a scheme observes it" if traits["evidence"] else ""


def _of_a_scheme(plugin: Declaration) -> Iterator[tuple[str, str]]:
    traits = plugin.traits
    yield "the owner releases", _ACCESS[traits["release"]]
    yield "the court sees", _ACCESS[traits["court"]]
    yield (
        "the mark is made",
        "in a trained model (the host) or from it" if traits["host"] else "in a model from scratch",
    )
    yield "a key has", f"{traits['item']}s"
    yield "what a fresh key scores", _LAWS[traits["null_law"]]
    yield "offers attacks", ", ".join(traits["capabilities"])
    yield "tasks", ", ".join(traits["tasks"])
    yield "the net has", traits["layers_needed"]
    for trait, said in (
        ("expected_failures", "not found for every seed"),
        ("expected_forgeries", "forged claims stand"),
    ):
        yield said, "; ".join(f"{setting or 'defaults'}: {reason}" for setting, reason in traits[trait].items())


def settings(plugin: Declaration) -> list[tuple[str, str]]:
    """The settings that a wildcard runs, by its name: of an attack, `all` is the first of what `grid` is."""
    declared = [setting or "defaults" for setting in plugin.traits["settings"]]
    first = [("all", declared[0])] if plugin.role == "attack" else []
    return [*first, ("grid" if first else "all", " | ".join(declared))]


def values(parameter: Parameter) -> str:
    """What a parameter takes: its type or its choices, and its range."""
    low, high = (
        f" {sign} {end}" if end is not None else "" for sign, end in ((">=", parameter.low), ("<=", parameter.high))
    )
    limits = f" in [{parameter.low}, {parameter.high}]" if low and high else low or high
    return parameter.kind + limits


def known(plugin: Declaration) -> list[tuple[str, str]]:
    """What each published board found, as its name and a sentence."""
    return [(found.board, _told(found)) for found in known_results(plugin.role, plugin.name)]


def _told(found: KnownResult) -> str:
    kinds = []
    for kind, words in found.verdicts.items():
        said = f"{_counted(words)} of {words.total():,} cells"
        kinds.append(f"{kind}: {said}" if len(found.verdicts) > 1 else said)
    bad = [word for word in found.against if word.rstrip("*") in _BAD]
    worst = "; ".join(f"{word}: {_counted(found.against[word])}" for word in bad)
    return f"{'; '.join(kinds)}{f' ({worst})' if worst else ''}"


def _counted(words: Counter[str]) -> str:
    return ", ".join(f"{word} {count:,}" for word, count in sorted(words.items(), key=lambda one: (-one[1], one[0])))
