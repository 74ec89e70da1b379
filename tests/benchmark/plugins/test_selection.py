"""What `--schemes` and `--attacks` mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.errors import BenchError
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import Setting, select_attacks, select_schemes
from benchmark.plugins.source_reader import read_declarations

SOURCE = """
class Prune(Attack):
    name = "prune"; family = "pruning"; kind = "removal"
    settings = ("amount=0.3", "", "amount=0.5,mode=global")
    amount: float = parameter(0.5, "share", low=0, high=1)
    mode: Literal["global", "layer"] = "global"
    rounds: int = 1
    note: str = ""

class Cut(Attack):
    name = "cut"; family = "cuts"; kind = "removal"
    layers: tuple[int, ...] = (1, 2)
    rate: float | None = None

class FineTune(Attack):
    name = "finetune"; family = "fine-tuning"; kind = "removal"; requires = "triggers"
    epochs: int = 5

class FineTuneAll(FineTune):
    name = "finetune-all"

class Distil(Attack):
    name = "distil"; family = "extraction"; kind = "extraction"; access = "probabilities"

class Copy(Attack):
    name = "copy"; family = "extraction"; kind = "extraction"; access = "outputs"

class Jpeg(Attack):
    name = "jpeg"; family = "input"; kind = "evasion"; access = "labels"; evidence = "answers"
    quality: int = 75

class Smooth(Attack):
    name = "smooth"; family = "input"; kind = "evasion"; access = "labels"

class Forge(Attack):
    name = "forge"; family = "forgery"; kind = "ambiguity"; access = "labels"; requires = "passports"

class Falsely(Attack):
    name = "falsely"; family = "claims"; kind = "false-claim"; access = "labels"

class Scratch(Attack):
    name = "scratch"; family = "controls"; kind = "control"; access = "labels"; target = "none"

class Adi(Scheme):
    name = "adi"; settings = ("", "triggers=20")
    triggers: int = parameter(100, "key items", low=1)

class Uchida(Scheme):
    name = "uchida"
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Nothing but the plug-ins above."""
    path = tmp_path_factory.mktemp("plugins") / "all.py"
    path.write_text(SOURCE)
    found = sorted(read_declarations(path), key=lambda one: one.name)
    schemes = tuple(one for one in found if one.role == "scheme")
    return Registry(schemes, tuple(one for one in found if one.role == "attack"))


def labels(settings: tuple[Setting, ...]) -> list[str]:
    return [setting.label for setting in settings]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("jpeg", ["jpeg"]),
        ("jpeg()", ["jpeg"]),
        ("prune", ["prune(amount=0.5)"]),  # a bare name is the defaults; the label names what settings vary
        ("prune()", ["prune(amount=0.5)"]),
        ("prune(amount=0.5)", ["prune(amount=0.5)"]),
        ("prune( rounds = 2 , amount=.30 )", ["prune(amount=0.3,rounds=2)"]),
        ("prune(amount=1)", ["prune(amount=1.0)"]),
        ("prune(note='a, b+c')", ["prune(amount=0.5,note='a, b+c')"]),
        ('prune(note="5",mode=layer)', ["prune(amount=0.5,mode=layer,note='5')"]),
        ("finetune*", ["finetune", "finetune-all"]),
        ("cut(layers=1;2)", ["cut"]),
        ("cut(layers=3)", ["cut(layers=3;)"]),
        ("cut( layers = 2; 1 , rate=.5 )+jpeg", ["cut(layers=2;1,rate=0.5)+jpeg"]),
        ("cut(layers=;,rate=none)", ["cut(layers=;)"]),
        ("cut(rate=0.1..0.2:0.1)", ["cut(rate=0.1)", "cut(rate=0.2)"]),
        ("[jp]*", ["jpeg", "prune(amount=0.3)", "prune(amount=0.5)"]),
        ("jpeg,distil,jpeg(quality=75),jpeg", ["jpeg", "distil"]),
        ("prune+jpeg", ["prune(amount=0.5)+jpeg"]),
        ("prune() + jpeg(quality=50)", ["prune(amount=0.5)+jpeg(quality=50)"]),
        ("prune(amount=0.6)+finetune(epochs=9)+jpeg", ["prune(amount=0.6)+finetune(epochs=9)+jpeg"]),
        (
            "finetune*,prune(amount=0.8),prune+jpeg",
            ["finetune", "finetune-all", "prune(amount=0.8)", "prune(amount=0.5)+jpeg"],
        ),
    ],
)
def test_selection(registry: Registry, text: str, expected: list[str]) -> None:
    assert labels(select_attacks(text, registry)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("prune(amount=0.1..0.9:0.4)", ["prune(amount=0.1)", "prune(amount=0.5)", "prune(amount=0.9)"]),
        ("prune(amount=0.1..0.35:0.1)", ["prune(amount=0.1)", "prune(amount=0.2)", "prune(amount=0.3)"]),
        ("prune(amount=.5...5:1)", ["prune(amount=0.5)"]),
        ("prune( rounds = 1..3:1 )", [f"prune(amount=0.5{end})" for end in ("", ",rounds=2", ",rounds=3")]),
        (
            "prune(mode=layer,amount=0.2..0.4:0.2)+jpeg(quality=5)",
            [f"prune(amount={amount},mode=layer)+jpeg(quality=5)" for amount in (0.2, 0.4)],
        ),
        ("prune+jpeg(quality=10..90:80),jpeg", ["prune(amount=0.5)+jpeg(quality=10)",
                                                "prune(amount=0.5)+jpeg(quality=90)", "jpeg"]),
        ("prune(amount=0.3),prune(amount=0.3..0.4:0.1)", ["prune(amount=0.3)", "prune(amount=0.4)"]),
        ("prune(note='rounds=1..3:1')", ["prune(amount=0.5,note='rounds=1..3:1')"]),
        ("prune(note=1..3:1)", ["prune(amount=0.5,note=1..3:1)"]),  # text is never swept
    ],
)  # fmt: skip
def test_a_sweep_is_a_setting_for_each_value(registry: Registry, text: str, expected: list[str]) -> None:
    assert labels(select_attacks(text, registry)) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prune(amount=0.9..0.1:0.1)", "sweeps nothing: write amount=LOW..HIGH:STEP"),
        ("prune(amount=0.1..0.9:0)", "sweeps nothing"),
        ("prune(amount=0.1..0.9:-0.1)", "sweeps nothing"),
        ("prune(amount=a..b:c)", "sweeps nothing"),
        ("cut(layers=1..3:1)", "cut: layers takes a whole number, not '1..3:1'"),
        ("prune(amount=0..inf:1)", "sweeps nothing"),
        ("prune(amount=0..1:1e-9)", "sweeps more than 100 values"),
        ("prune(amount=1e-999999999..1e999999999:1e-999999999)", "prune"),
        ("prune(amount=0.5..1.5:0.5)", "amount must be at most 1, not 1.5"),
        ("prune(rounds=1..2:0.5)", "rounds takes a whole number, not 1.0"),
        ("prune(amount=0..1:0.5,rounds=1..2:1)", "sweeps amount and rounds: sweep one number of an item"),
        ("prune(amount=0..1:0.5)+jpeg(quality=1..2:1)", "sweeps amount and quality"),
        ("prune(amuont=0..1:0.5)", "prune"),
        ("prone(amount=0..1:0.5)", "did you mean 'prune'"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused(registry: Registry, text: str, words: str) -> None:
    with pytest.raises(BenchError) as caught:
        select_attacks(text, registry)
    assert words in str(caught.value)


def test_schemes_are_not_swept(registry: Registry) -> None:
    with pytest.raises(BenchError, match="triggers takes a whole number"):
        select_schemes("adi(triggers=10..20:10)", registry)


def test_all_is_the_first_setting_of_each_attack_and_grid_every_one(registry: Registry) -> None:
    everything = select_attacks("grid", registry)
    assert everything == select_attacks("*", registry)
    assert labels(everything) == [
        "copy", "cut", "distil", "falsely", "finetune", "finetune-all", "forge", "jpeg",
        "prune(amount=0.3)", "prune(amount=0.5)", "scratch", "smooth",
    ]  # fmt: skip
    assert labels(select_attacks("all", registry)) == [one for one in labels(everything) if one != "prune(amount=0.5)"]


def test_all_is_every_setting_of_every_scheme(registry: Registry) -> None:
    assert labels(select_schemes("all", registry)) == ["adi(triggers=100)", "adi(triggers=20)", "uchida"]


def test_standard_is_the_first_setting_of_each_scheme(registry: Registry) -> None:
    every, one_each = select_schemes("all", registry), select_schemes("standard", registry)
    first = {setting.stages[0].declaration.name: setting.label for setting in reversed(every)}
    assert {setting.stages[0].declaration.name: setting.label for setting in one_each} == first
    assert len(one_each) == len(registry.schemes)


def test_parameters_are_resolved(registry: Registry) -> None:
    (setting,) = select_attacks("prune(rounds=3)+jpeg", registry)
    assert [stage.declaration.name for stage in setting.stages] == ["prune", "jpeg"]
    assert setting.stages[0].parameters == {"amount": 0.5, "mode": "global", "rounds": 3, "note": ""}
    assert setting.stages[1].parameters == {"quality": 75}


amounts = st.floats(0, 1)
stages = st.one_of(
    st.builds(
        lambda amount, mode, note: f"prune(amount={amount!r},mode={mode},note={note!r})",
        amounts, st.sampled_from(["global", "layer"]), st.text(max_size=6),
    ),
    st.builds(
        lambda layers, rate: f"cut(layers={';'.join(map(str, layers))};,rate={rate})",
        st.lists(st.integers(), max_size=3), st.sampled_from(["none", "0.5"]),
    ),
    st.sampled_from(["prune()", "finetune()", "distil", "finetune(epochs=50)"]),
)  # fmt: skip


@given(st.lists(stages, min_size=1, max_size=3), st.sampled_from(["", "+jpeg(quality=3)"]))
def test_a_label_selects_its_own_setting(registry: Registry, chain: list[str], end: str) -> None:
    (setting,) = select_attacks("+".join(chain) + end, registry)
    assert select_attacks(setting.label, registry) == (setting,)
    assert select_attacks(setting.label, registry)[0].label == setting.label


def test_the_last_stage_that_names_a_channel_decides(registry: Registry) -> None:
    channels = {text: select_attacks(text, registry)[0].evidence for text in ("prune()", "jpeg", "jpeg+smooth")}
    assert channels == {"prune()": "", "jpeg": "answers", "jpeg+smooth": "answers"}


@pytest.mark.parametrize(
    ("text", "kind", "access", "requires", "claim"),
    [
        ("prune()", "removal", "weights", set(), False),
        ("distil", "extraction", "probabilities", set(), False),
        ("jpeg", "evasion", "labels", set(), False),
        ("jpeg+smooth", "evasion", "labels", set(), False),
        ("distil+jpeg", "extraction", "probabilities", set(), False),
        ("distil+prune", "removal", "weights", set(), False),
        ("copy", "extraction", "outputs", set(), False),
        ("copy+prune", "removal", "weights", set(), False),
        ("scratch+prune", "removal", "weights", set(), False),
        ("finetune+jpeg+forge", "ambiguity", "weights", {"triggers", "passports"}, True),
        ("falsely", "false-claim", "labels", set(), True),
    ],
)
def test_traits_of_a_chain(
    registry: Registry, text: str, kind: str, access: str, requires: set[str], claim: bool
) -> None:
    (setting,) = select_attacks(text, registry)
    assert (setting.kind, setting.access, setting.requires, setting.claim) == (kind, access, requires, claim)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "--attacks selects nothing: write all"),
        ("  ", "--attacks selects nothing"),
        ("prune,,jpeg", "empty item"),
        ("prune,", "empty item"),
        ("prone", "no attack is named 'prone': did you mean 'prune'"),
        ("prune+jpge", "did you mean 'jpeg'"),
        ("zz*", "no attack matches 'zz\\*'; there are copy, cut, distil"),
        ("prune(amount=0.5", "unbalanced parentheses"),
        ("prune)amount=0.5(", "unbalanced parentheses"),
        ("prune(note='x)", "opens a quote"),
        ("prune(amount=0.5)(rounds=2)", "unbalanced parentheses"),
        ("prune(amount=0.5)x", "names no attack"),
        ("(amount=0.5)", "names no attack"),
        ("prune+", "names no attack"),
        ("prune(0.5)", "name=value, not '0.5'"),
        ("prune(amuont=0.5)", "did you mean 'amount'"),
        ("prune(amount=high)", "prune: amount takes a number, not 'high'"),
        ("fine*(epochs=3)", "name one attack"),
        ("fine*+jpeg", "name one attack"),
        ("all()", "name one attack"),
        ("grid+jpeg", "name one attack"),
        ("jpeg+prune", "out of order.*jpeg is evasion, prune is removal"),
        ("forge+jpeg", "out of order"),
        ("forge+falsely", "out of order"),
        ("prune+scratch", "out of order: scratch never looks at the model"),
        ("copy+jpeg", "'copy\\+jpeg' needs outputs and labels: no release grants both"),
    ],
)
def test_what_cannot_be_selected(registry: Registry, text: str, words: str) -> None:
    with pytest.raises(BenchError, match=words):
        select_attacks(text, registry)


def test_schemes(registry: Registry) -> None:
    assert labels(select_schemes("adi(triggers=30),uchida", registry)) == ["adi(triggers=30)", "uchida"]
    for text, words in {
        "": "--schemes selects nothing: write all",
        "adi+uchida": "only attacks can be chained",
        "prune": "no scheme is named 'prune'",
        "grid": "no scheme matches 'grid'; there are adi, uchida",
        "adi(triggers=0)": "adi: triggers must be at least 1",
    }.items():
        with pytest.raises(BenchError, match=words):
            select_schemes(text, registry)


def test_nothing_to_choose_from() -> None:
    with pytest.raises(BenchError, match="no attack matches 'all'; there are none"):
        select_attacks("all", Registry((), ()))
