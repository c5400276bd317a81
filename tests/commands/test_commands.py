import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stochi.attacks import (
    APGD,
    FGSM,
    PGD,
    AutoAttack,
    ImageAttack,
    Square,
    UniformNoise,
    make_attack,
)
from stochi.commands.app import COMMANDS
from stochi.commands.attack_choice import read_attacks
from stochi.commands.console import Output
from stochi.commands.demo import _can_use_lava
from stochi.deploy import Program
from stochi.parity.report.tables import PARTS_TITLE
from stochi.sim.lava.compatibility import LavaUnavailable
from stochi.train.checkpoint import load_checkpoint
from tests.commands.conftest import Run, check_refused
from tests.thoroughness import with_slow

NAMES = (
    *("demo", "train", "tune", "export", "deploy", "show", "map", "simulate", "estimate"),
    *("attack", "parity", "compare", "study", "doctor"),
)


def test_help_of_everything(run: Run) -> None:
    for words in ([], ["--help"], *([name, "--help"] for name in NAMES)):
        status, out, err = run(*words)
        assert status == 0 and "Usage" in out and not err
        assert ("--json" in out) == (words not in ([], ["--help"]))
    assert all(name in run("--help")[1] for name in NAMES)
    assert tuple(COMMANDS) == NAMES


def test_the_line_from_training_to_parity(run: Run, trained: Path) -> None:
    status, out, _ = run(
        *("parity", str(trained / "m.pt"), str(trained / "m.program"), "--no-lava", "--json"),
        *("--trials", "2", "--exact", "16", "--attack-images", "8", "--attack", "pgd"),
        *("--out", "new/r.json"),
    )
    report = json.loads(out)
    assert status == 0 and report["mismatches"] == 0 and report["compared"] > 100_000
    assert report["accuracy"][0]["sides"]["chip"]["value"] > 0.5
    assert json.loads(Path("new/r.json").read_text()) == report


@pytest.mark.slow
def test_deploy_fits_noise_and_reports_the_errors_that_remain(run: Run, trained: Path) -> None:
    words = ("deploy", str(trained / "m.nir"), "--noise", "membrane", "--images", "32")
    status, out, _ = run(*words, "--out", "fitted.program", "--json")
    found = json.loads(out)
    assert status == 0 and found["warnings"] == []
    assert [fit["layer"] for fit in found["fits"]] == ["network.lif1", "network.lif2"]
    for fit in found["fits"]:
        assert fit["stand_in"]["generator"]["target"] == "membrane"
        assert fit["rate"] == pytest.approx(fit["reference_rate"], rel=0.03)
    status, out, _ = run(
        *("parity", str(trained / "m.pt"), "fitted.program", "--no-lava", "--json"),
        *("--trials", "2", "--exact", "8", "--attack-images", "4", "--attack", "pgd"),
    )
    assert status == 0 and json.loads(out)["mismatches"] == 0


@pytest.mark.slow
def test_a_tuned_network_is_deployed_and_compared_with_what_it_was_tuned_to(
    run: Run,
    trained: Path,
) -> None:
    net = str(trained / "m.pt")
    deploy = ("deploy", "--noise", "membrane", "--out")
    assert run(*deploy, "fitted.program", str(trained / "m.nir"), "--images", "16")[0] == 0
    status, out, _ = run(
        *("tune", net, "fitted.program", "--epochs", "1", "--out", "tuned.pt", "--json"),
    )
    found = json.loads(out)
    assert status == 0 and len(found["losses"]) == 1
    assert found["training"]["epochs"] == 1 and found["training"]["tuned_from"] == net
    assert run("export", "tuned.pt", "--out", "tuned.nir")[0] == 0
    taken_over = ("tuned.nir", "--fitted", "fitted.program")
    assert run(*deploy, "tuned.program", *taken_over)[0] == 0
    status, out, _ = run(
        *("parity", net, "tuned.program", "--lowered-from", "tuned.pt", "--no-lava", "--json"),
        *("--trials", "1", "--exact", "8", "--epsilon", "0"),
    )
    assert status == 0 and json.loads(out)["mismatches"] == 0
    # The float network is not what that Program was lowered from.
    words = ("parity", net, "tuned.program", "--no-lava", "--json", "--trials", "1")
    status, out, _ = run(*words, "--exact", "8", "--epsilon", "0")
    assert status == 1 and json.loads(out)["mismatches"] > 0
    assert "lowered from another model" in json.loads(out)["warnings"][0]
    words = ("attack", net, "tuned.program", "--images", "4", "--trials", "1")
    status, out, _ = run(*words, "--iterations", "1", "--draws", "1")
    assert status == 1 and "lowered from another model" in out


def test_training_in_the_chip_s_integers(run: Run) -> None:
    words = ("train", "--hardware", "--epochs", "2", "--time-steps", "4", "--out", "m.pt")
    status, out, _ = run(*words, "--json")
    found = json.loads(out)
    losses = [epoch["loss"] for epoch in found["epochs"]]
    assert status == 0 and found["hardware"] and losses[1] < losses[0]
    assert run("export", "m.pt", "--out", "m.nir")[0] == 0
    assert run("deploy", "m.nir", "--out", "m.program")[0] == 0
    status, out, _ = run(
        *("parity", "m.pt", "m.program", "--no-lava", "--json", "--trials", "1"),
        *("--exact", "8", "--epsilon", "0"),
    )
    assert status == 0 and json.loads(out)["mismatches"] == 0


def test_the_same_words_train_the_same_file_and_print_the_same(run: Run) -> None:
    words = ("train", "--epochs", "1", "--time-steps", "2", "--out", "m.pt", "--json")
    first, content = run(*words), Path("m.pt").read_bytes()
    torch.rand(7)  # what was drawn before does not matter
    assert run(*words) == first and Path("m.pt").read_bytes() == content


def test_a_defence_is_trained_with_and_recorded(run: Run) -> None:
    words = ("train", "--defence", "rat", "--epsilon", "0.05", "--epochs", "1")
    status, out, _ = run(*words, "--time-steps", "2", "--json")
    found = {"name": "rat", "epsilon": 0.05, "draws": 2, "surrogate": "own", "beta": 0.004}
    assert status == 0 and json.loads(out)["defence"] == found
    assert load_checkpoint("runs/model.pt")[1]["training"]["defence"] == found
    shown = run("train", "--help")[1]
    assert all(name in shown for name in ("fgsm", "pgd", "rat", "sr", "hire"))


@pytest.mark.slow
def test_a_defence_s_attack_follows_another_surrogate_if_it_is_asked_to(run: Run) -> None:
    words = ("train", "--defence", "fgsm", "--epochs", "1", "--time-steps", "2", "--json")
    losses = {}
    for surrogate in (None, "own", "atan-25", "adaptive"):
        status, out, err = run(*words, *(() if surrogate is None else ("--surrogate", surrogate)))
        assert status == 0, err
        found = json.loads(out)
        assert found["defence"]["surrogate"] == (surrogate or "own")
        assert load_checkpoint("runs/model.pt")[1]["training"]["defence"] == found["defence"]
        losses[surrogate] = found["epochs"][0]["loss"]
    assert losses[None] == losses["own"] and len(set(losses.values())) == 3


def test_deploy_takes_the_tables_bits(run: Run, trained: Path) -> None:
    words = ("deploy", str(trained / "m.nir"), "--bits", "3", "--out", "few.program")
    status, out, _ = run(*words)
    assert status == 0 and "levels" in out
    assert len(Program.load("few.program").layers[0].decay.values) == 8


def test_a_random_source_goes_from_deploy_to_parity(run: Run, trained: Path) -> None:
    words = ("deploy", str(trained / "m.nir"), "--random-source", "lfsr", "--out", "lfsr.program")
    assert run(*words)[0] == 0
    assert Program.load("lfsr.program").target.random_source == "lfsr"
    status, out, _ = run(
        *("parity", str(trained / "m.pt"), "lfsr.program", "--no-lava", "--json"),
        *("--trials", "2", "--exact", "8", "--attack-images", "4", "--attack", "pgd"),
    )
    report = json.loads(out)
    assert status == 0 and report["mismatches"] == 0
    assert report["configuration"]["random_source"] == "lfsr"


def test_simulate_repeats_byte_for_byte(run: Run, trained: Path) -> None:
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        words = ("simulate", str(trained / "m.program"), "--images", "8", "--seed", seed)
        status, out, _ = run(*words, "--out", name, "--json")
        assert status == 0 and 0 <= json.loads(out)["accuracy"]["value"] <= 1
    assert Path("a").read_bytes() == Path("b").read_bytes() != Path("c").read_bytes()
    with np.load("a") as first, np.load("c") as other:
        assert not np.array_equal(first["spikes.network.lif1"], other["spikes.network.lif1"])


def test_attack_reports_both_sides(run: Run, trained: Path) -> None:
    status, out, _ = run(
        *("attack", str(trained / "m.pt"), str(trained / "m.program"), "--images", "16"),
        *("--iterations", "2", "--draws", "2", "--trials", "2", "--json"),
    )
    report = json.loads(out)
    entries = report["accuracy"]
    assert status == 0
    assert [e["made_on"] for e in entries] == [None, None, "float", "twin", None]
    assert entries[-1]["attack"] == "worst of all attacks, ε = 0.1"
    noise, attack = report["configuration"]["attacks"]
    assert noise["kind"] == "UniformNoise" and attack["kind"] == "AutoAttack"
    assert attack["parameters"]["version"] == "snn" and attack["parameters"]["grid"] == 255
    assert (attack["parameters"]["iterations"], attack["draws"]) == (2, 2)
    assert [bool(e["made_by"]) for e in entries] == [False, False, True, True, False]


def test_attack_and_parity_take_the_same_options(run: Run, trained: Path) -> None:
    files = (str(trained / "m.pt"), str(trained / "m.program"))
    attack = ("--attack", "pgd", "--iterations", "1", "--draws", "1", "--restarts", "1")
    few = ("--images", "8", "--attack-images", "4", "--trials", "1")
    for command, more in (("attack", ()), ("parity", ("--no-lava", "--exact", "2"))):
        written = ("--out", f"{command}.json", "--html", f"{command}.html")
        status, out, err = run(command, *files, *attack, *few, *more, *written)
        assert status == 0, err
        saved = json.loads(Path(f"{command}.json").read_text())
        parameters = saved["configuration"]["attacks"][1]["parameters"]
        assert (parameters["iterations"], parameters["restarts"]) == (1, 1)
        assert saved["configuration"]["attack_images"] == 4
        assert Path(f"{command}.html").read_text().startswith("<!") and "Wrote" in out
        words = " ".join(out.split())
        said = "At the lowest, under " in words or "No attack lowered the chip's" in words
        assert said == (command == "attack")
    check_refused(run, ("attack", *files, *few, "--out", "m.txt", "--html", "m.txt"), "m.txt")
    check_refused(run, ("parity", *files, "--epsilon", "0", "--draws", "2"), "not an attack")


@pytest.mark.parametrize("command", with_slow(["attack", "parity"], ["attack"]))
def test_the_attack_is_autoattack_for_spiking_networks_unless_told_otherwise(
    run: Run, trained: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Shortened behind the command's back, as options would show."""
    made: list[ImageAttack] = []

    def shorten(name: str, epsilon: float, **options: Any) -> ImageAttack:
        made.append(make_attack(name, epsilon, **options))
        return make_attack(name, epsilon, **options | {"iterations": 1, "draws": 1})

    monkeypatch.setattr("stochi.attacks.make_attack", shorten)
    words = (command, str(trained / "m.pt"), str(trained / "m.program"), "--trials", "2")
    few = {"attack": ("--images", "4"), "parity": ("--no-lava", "--attack-images", "4")}
    status, out, err = run(*words, *few[command])
    assert status == 0, err
    strong = AutoAttack(0.1, version="snn", iterations=100, draws=10, grid=255)
    assert made == [UniformNoise(0.1, grid=255), strong]
    assert PARTS_TITLE in out and "AutoAttack snn-1 (EOT 1)" in out and "adaptive" in out
    assert "worst of all attacks, ε = 0.1" in out and "all 2: " in out
    assert "[default: auto-snn]" in " ".join(run(command, "--help")[1].split())


def test_attacks_follow_the_surrogates_that_are_asked_for(run: Run, trained: Path) -> None:
    files = (str(trained / "m.pt"), str(trained / "m.program"))
    status, out, err = run(
        *("attack", *files, "--attack", "fgsm,square", "--surrogates", "own,atan-25,adaptive"),
        *("--images", "8", "--iterations", "1", "--draws", "1", "--trials", "1", "--json"),
    )
    assert status == 0, err
    report = json.loads(out)
    _, *followed, square = report["configuration"]["attacks"]
    names = ["own", "atan-25", "adaptive"]
    assert [each["parameters"]["surrogates"] for each in followed] == names
    assert "surrogates" not in square["parameters"]  # which follows no gradient
    titles = [f"FGSM (EOT 1{name})" for name in ("", ", atan-25", ", adaptive")]
    made = [e["title"] for e in report["accuracy"] if "FGSM" in e["title"]]
    assert made == [title for title in titles for _ in range(2)]
    status, out, err = run(
        *("parity", *files, "--no-lava", "--images", "16", "--exact", "4", "--trials", "1"),
        *("--attack", "fgsm", "--surrogates", "atan-25", "--attack-images", "4"),
    )
    assert status == 0, err
    assert "FGSM (EOT 10, atan-25), ε = 0.1" in out and PARTS_TITLE not in out
    saved = json.loads(Path("runs/m_report.json").read_text())
    assert saved["configuration"]["attacks"][1]["parameters"]["surrogates"] == "atan-25"


def test_surrogates_are_listed_in_the_help(run: Run) -> None:
    for command, option in (("attack", "--surrogates"), ("parity", "--surrogates")):
        out = run(command, "--help")[1]
        assert option in out
        assert all(name in out for name in ("own", "adaptive", "potential", "atan-25"))
    out = run("train", "--help")[1]
    assert "--surrogate" in out and "atan-25" in out


def test_attacks_by_name_over_budgets_as_a_figure(run: Run, trained: Path) -> None:
    status, out, _ = run(
        *("attack", str(trained / "m.pt"), str(trained / "m.program"), "--images", "8"),
        *("--attack", "fgsm,square", "--epsilons", "0.05,0.2", "--iterations", "2"),
        *("--draws", "2", "--trials", "2", "--figure", "new/f.png", "--json"),
    )
    report = json.loads(out)
    assert status == 0 and Path("new/f.png").read_bytes().startswith(b"\x89PNG")
    shown = [(e["attack"].split(" ")[0], e["epsilon"], e["made_on"]) for e in report["accuracy"]]
    assert len(shown) == 1 + 2 * (1 + 2 + 2) + 2
    assert shown[-2:] == [("worst", 0.05, None), ("worst", 0.2, None)]
    assert ("Square-2", 0.2, "chip") in shown and ("FGSM", 0.05, "twin") in shown


def test_parity_with_an_ablation(run: Run, trained: Path) -> None:
    words = ("parity", str(trained / "m.pt"), str(trained / "m.program"), "--no-lava", "--ablation")
    few = ("--trials", "2", "--images", "16", "--exact", "4", "--attack-images", "8")
    status, out, _ = run(*words, *few, "--attack", "fgsm")
    assert status == 0 and "24-bit states" in out and "flip: both" in out
    ablation = json.loads(Path("runs/m_report.json").read_text())["ablation"]
    assert ablation["configuration"]["attack"].startswith("FGSM")
    assert set(ablation["variants"]) == {"float", "input", "weights", "decays", "states", "all"}


@pytest.mark.slow
def test_a_quick_study(run: Run) -> None:
    status, out, _ = run("study", "--quick", "--out", "study", "--json")
    found = json.loads(out)
    assert status == 0 and {path.name for path in Path("study").iterdir()} == {
        *("answers", "study.json", "study.toml", "curves.png", "similarities.png")
    }
    plain = {
        cell["column"]: cell["value"]
        for cell in (*found["table"], *found["weaker"])
        if (cell["network"], cell["defence"], cell["place"]) == ("LIF", "none", "float")
    }
    assert plain["AutoAttack snn"] < plain["PGD"] < plain["noise"] and plain["clean"] > 0.9


def test_doctor_reports_what_works(run: Run) -> None:
    status, out, _ = run("doctor", "--json")
    found = json.loads(out)
    assert status == 0 and found["back_ends"]["engine on the CPU"]["works"]
    assert found["packages"]["torch"] and set(found["back_ends"]) > {"Lava"}


def test_an_option_is_for_the_attacks_that_have_it() -> None:
    noise, fgsm, pgd = read_attacks("fgsm,pgd", 0.1, iterations=3, draws=2, restarts=4)
    assert (noise.name, fgsm.name) == (UniformNoise(0.1).name, FGSM(0.1, draws=2).name)
    assert pgd == PGD(0.1, iterations=3, draws=2, restarts=4, grid=255)


def test_surrogates_are_for_the_attacks_that_follow_gradients() -> None:
    noise, fgsm, sharp, square = read_attacks("fgsm,square", 0.1, surrogates="own,atan-25")
    assert (noise, square) == (UniformNoise(0.1, grid=255), Square(0.1, grid=255))
    assert (fgsm, sharp) == tuple(
        FGSM(0.1, surrogates=name, grid=255) for name in ("own", "atan-25")
    )


def test_iterations_of_auto_standard_are_those_of_its_apgds() -> None:
    """Check what the help and docs/attacks.md describe."""
    _, attack = read_attacks("auto-standard", 0.1, iterations=3)
    assert isinstance(attack, AutoAttack)
    assert {part.iterations for part in attack.parts() if isinstance(part, APGD)} == {3}
    assert [part.iterations for part in attack.parts() if isinstance(part, Square)] == [2500]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["export", "missing.pt"], "missing.pt: no such file; 'stochi train' writes"),
        (["export", "text.txt"], "text.txt: a damaged file, or one of another kind, not a Stochi"),
        (["deploy", "missing.nir"], "missing.nir: no such file; 'stochi export' writes"),
        (["deploy", "text.txt"], "text.txt: not a NIR graph file"),
        (["deploy", "."], ".: a folder, not a file; 'stochi export' writes"),
        (["simulate", "."], ".: a folder, not a file; 'stochi deploy' writes"),
        (["train", "--out", "."], ".: a folder, not a file; give the name of a file"),
        (["deploy", "m.nir", "--chip", "loihi9"], "unknown chip 'loihi9'; known chips: loihi1"),
        (["deploy", "m.nir", "--noise", "pink"], "noise is 'pink'"),
        (["deploy", "m.nir", "--time-steps", "0"], "--time-steps is 0"),
        (["deploy", "m.nir", "--bits", "9"], "bits is 9; a decay table has"),
        (["deploy", "m.nir", "--noise", "none", "--bits", "3"], "'none' draws no decays"),
        (["deploy", "m.nir", "--noise", "current", "--bits", "3"], "'current' draws no decays"),
        (["deploy", "m.nir", "--noise", "current", "--images", "0"], "0 images were asked for"),
        (["deploy", "m.nir", "--random-source", "dice"], "--random-source is 'dice'"),
        (["deploy", "m.nir", "--noise", "none", "--random-source", "lfsr"], "draws nothing"),
        (["deploy", "m.nir", "--images", "5"], "--images is for noise that is fitted"),
        (["deploy", "m.nir", "--data-dir", "."], "--data-dir is for noise that is fitted"),
        (
            ["deploy", "m.nir", "--chip", "loihi1"],
            "lower the graph for binary events (events=True, --events)",
        ),
        (["deploy", "m.nir", "--noise", "current", "--events"], "digits consists of images; give"),
        (["simulate", "events.program"], "events.program takes binary events"),
        (["parity", "m.pt", "events.program"], "events.program takes binary events"),
        (["attack", "m.pt", "events.program"], "events.program takes binary events"),
        (["tune", "m.pt", "events.program"], "events.program takes binary events"),
        (["show", "missing.program"], "missing.program: no such file; 'stochi deploy' writes"),
        (["show", "m.pt"], "m.pt: a file of torch.save, like a checkpoint, not a Stochi Program"),
        (["simulate", "text.txt"], "text.txt: not a Stochi Program"),
        (["simulate", "m.nir"], "m.nir: a NIR graph, or another file of HDF5, not a Stochi"),
        (["simulate", "m.program", "--seed", "-1"], "seed is -1"),
        (["simulate", "m.program", "--images", "0"], "0 images"),
        (["simulate", "m.program", "--backend", "gpu"], "backend is 'gpu'"),
        (["simulate", "m.program", "--device", "abacus"], "unknown device 'abacus'"),
        (["train", "--seed", "-3"], "seed is -3"),
        (["train", "--sampling", "never"], "sampling is 'never'"),
        (["train", "--sampling", "mean", "--bits", "4"], "--bits is for random decays"),
        (["train", "--sampling", "mean", "--sigma", "2"], "--sigma is for random decays"),
        (["train", "--sigma", "-1"], "sigma is -1"),
        (["train", "--open-share", "0.5"], "--open-share: it is for --neuron gated"),
        (["train", "--noise-std", "0.5"], "--noise-std: it is for --neuron noisy"),
        (["train", "--neuron", "gated", "--open-share", "2"], "--open-share is 2"),
        (["train", "--neuron", "noisy", "--noise-std", "0"], "--noise-std is 0"),
        (["train", "--epochs", "0"], "epochs is 0"),
        (["train", "--epochs", "many"], "epochs"),
        (["train", "--time-steps", "0"], "--time-steps is 0; a sample needs at least 1"),
        (["train", "--defence", "hope"], "defence is 'hope'; choose from fgsm, pgd, rat, sr, hire"),
        (["train", "--defence", "pgd", "--epsilon", "2"], "epsilon is 2"),
        (["train", "--defence", "pgd", "--epsilon", "0"], "--epsilon 0 moves no pixel"),
        (["train", "--defence", "sr", "--epsilon", "0.1"], "'sr' has no parameter epsilon"),
        (["train", "--epsilon", "0.1"], "--epsilon is an option of a defence"),
        (["train", "--surrogate", "own"], "--surrogate is an option of a defence; name one with"),
        (
            ["train", "--defence", "pgd", "--surrogate", "steep"],
            "surrogate is 'steep'; choose from own, adaptive",
        ),
        (
            ["train", "--defence", "fgsm", "--surrogate", "atan--1"],
            "surrogate is 'atan--1'; choose from own, adaptive",
        ),
        (
            ["train", "--defence", "sr", "--surrogate", "atan-25"],
            "defence 'sr' has no parameter surrogate",
        ),
        (
            ["train", "--defence", "hire", "--surrogate", "atan-25"],
            "defence 'hire' has no parameter surrogate",
        ),
        (["train", "--tune", "m.pt"], "No such option: --tune"),
        (["train", "--tune", "m.pt", "--program", "m.program"], "No such option: --tune"),
        (["train", "--steps", "4"], "No such option: --steps"),
        (["tune", "m.pt"], "Missing argument 'program'"),
        (["tune", "m.pt", "m.program", "--sigma", "2"], "No such option: --sigma"),
        (["tune", "m.pt", "m.program", "--defence", "sr"], "No such option: --defence"),
        (["tune", "m.pt", "m.program", "--device", "tpu"], "unknown device 'tpu'"),
        (["parity", "m.pt", "m.program", "--device", "tpu"], "unknown device 'tpu'"),
        (["attack", "m.pt", "m.program", "--device", "tpu"], "unknown device 'tpu'"),
        (["tune", "text.txt", "m.program"], "not a Stochi checkpoint"),
        (["tune", "m.pt", "text.txt"], "text.txt: not a Stochi Program"),
        (["tune", "m.pt", "m.program", "--epochs", "0"], "epochs is 0"),
        (["tune", "m.pt", "m.program", "--data", "mnist"], "m.pt takes images of 1×8×8 in 10"),
        (
            ["deploy", "m.nir", "--fitted", "m.program"],
            "'decay' is not fitted to data; leave fitted out",
        ),
        (["deploy", "m.nir", "--noise", "membrane", "--fitted", "m.program"], "holds no fit"),
        (["deploy", "m.nir", "--calibration", "m.program"], "give a file of numpy"),
        (["parity", "m.pt", "m.program", "--trials", "0"], "trials is 0; at least 1"),
        (["parity", "m.pt", "m.program", "--out", "m.pt"], "m.pt is another file of this command"),
        (["parity", "m.pt", "m.program", "--html", "m.program"], "m.program is another file"),
        (["parity", "m.pt", "m.program", "--out", "a", "--html", "./a"], "a is another file"),
        (["simulate", "m.program", "--out", "m.program"], "m.program is another file"),
        (["tune", "m.pt", "m.program", "--out", "m.pt"], "m.pt is another file"),
        (["export", "m.pt", "--out", "m.pt"], "m.pt is another file"),
        (["deploy", "m.nir", "--out", "m.nir"], "m.nir is another file"),
        (["parity", "m.pt", "m.program", "--epsilon", "7"], "epsilon is 7"),
        (["parity", "m.pt", "m.program", "--epsilons", "0.1,x"], "--epsilons is '0.1,x'"),
        (["parity", "m.pt", "m.program", "--epsilons", "0"], "an ε of 0 is not an attack"),
        (["parity", "m.pt", "m.program", "--attack", "pgd", "--epsilon", "0"], "an ε of 0 is no"),
        (["parity", "m.pt", "m.program", "--attack", "tickle"], "attack is 'tickle'; choose from"),
        (["attack", "m.pt", "m.program", "--attack", "pgd,"], "attack is ''"),
        (["attack", "m.pt", "m.program", "--epsilons", "0.1,2"], "epsilon is 2"),
        (["attack", "m.pt", "m.program", "--iterations", "0"], "iterations is 0"),
        (
            ["attack", "m.pt", "m.program", "--attack", "fgsm,mi-fgsm", "--restarts", "3"],
            "fgsm,mi-fgsm has no restarts; leave --restarts out, or choose from pgd,"
            " pgd-cosine, sa-pgd, apgd,",
        ),
        (
            ["attack", "m.pt", "m.program", "--attack", "fgsm", "--iterations", "3"],
            "fgsm has no iterations",
        ),
        (
            ["attack", "m.pt", "m.program", "--attack", "noise", "--draws", "3"],
            "noise has no draws",
        ),
        (["attack", "m.pt", "m.program", "--restarts", "3"], "auto-snn has no restarts; leave"),
        (
            ["attack", "m.pt", "m.program", "--attack", "pgd", "--surrogates", "steep"],
            "surrogate is 'steep'; choose from own, adaptive, potential, a kernel with its sharp",
        ),
        (
            ["attack", "m.pt", "m.program", "--attack", "pgd", "--surrogates", "own,"],
            "surrogate is ''; choose from own",
        ),
        (
            ["attack", "m.pt", "m.program", "--attack", "pgd", "--surrogates", "atan-x"],
            "surrogate is 'atan-x'; choose from own",
        ),
        (
            ["attack", "m.pt", "m.program", "--attack", "pgd", "--surrogates", "atan-0"],
            "sharpness is 0.0; it must be a finite number above 0",
        ),
        (
            ["attack", "m.pt", "m.program", "--attack", "pgd", "--surrogates", "adaptive-0.5"],
            "coverage is 0.5; it must lie in (0, 0.5)",
        ),
        (
            ["attack", "m.pt", "m.program", "--attack", "square", "--surrogates", "own"],
            "square has no surrogates; leave --surrogates out, or choose from fgsm, mi-fgsm, pgd,",
        ),
        (["attack", "m.pt", "m.program", "--surrogates", "atan-25"], "auto-snn has no surrogates"),
        (["parity", "m.pt", "m.program", "--surrogates", "atan-25"], "auto-snn has no surrogates"),
        (
            ["parity", "m.pt", "m.program", "--attack", "fgsm", "--surrogates", "steep"],
            "surrogate is 'steep'; choose from own",
        ),
        (
            ["parity", "m.pt", "m.program", "--epsilon", "0", "--surrogates", "own"],
            "an ε of 0 is not an attack",
        ),
        (
            ["train", "--defence", "pgd", "--surrogate", "own,atan-25"],
            "follows a single one",
        ),
        (
            ["parity", "m.pt", "m.program", "--attack", "noise", "--surrogates", "own"],
            "noise has no surrogates",
        ),
        (["attack", "m.pt", "m.program", "--surrogate", "own"], "No such option: --surrogate"),
        (
            ["attack", "m.pt", "m.program", "--figure", "f.jpg"],
            "an SVG, PDF or PNG file, like f.svg",
        ),
        (
            ["attack", "m.pt", "m.program", "--figure", "."],
            "give the name of an SVG, PDF or PNG file",
        ),
        (["attack", "m.pt", "m.program", "--figure", "text.txt/f.png"], "cannot be written into"),
        (["attack", "m.pt", "m.program", "--epsilon", "0", "--epsilons", "0"], "both given"),
        (["parity", "m.pt", "m.program", "--attack-images", "0"], "--attack-images is 0"),
        (["attack", "m.pt", "text.txt"], "text.txt: not a Stochi Program"),
        (["study", "--seeds", "0"], "seeds is 0"),
        (["study", "--images", "9999"], "images is 9999; digits has 359"),
        (["study", "--epsilon", "2"], "epsilon is 2"),
        (["study", "--processes", "-1"], "processes is -1"),
        (["study", "--data", "saccades", "--epsilon", "0.1"], "--epsilon: saccades consists of"),
        (["study", "--data", "saccades", "--images", "999"], "samples is 999; saccades has 359"),
        (["study", "--data", "shapes"], "unknown data set 'shapes'"),
        (["attack", "study"], "study: no such file; 'stochi train' writes"),
        (["attack", "m.pt", "--noise", "pink"], "noise is 'pink'"),
        (["demo", "--seed", "-1"], "seed is -1"),
        (["demo", "--epsilon", "-1"], "epsilon is -1"),
        (["demo", "--unknown"], "unknown"),
        (["fly"], "fly"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_mistakes_are_one_line_and_status_2_and_write_nothing(
    run: Run,
    trained: Path,
    words: list[str],
    message: str,
) -> None:
    Path("text.txt").write_text("not what was asked for")
    for name in ("m.pt", "m.nir", "m.program", "events.program"):
        Path(name).write_bytes((trained / name).read_bytes())
    before = sorted(Path().rglob("*"))
    status, out, err = run(*words)
    assert status == 2 and out == ""
    assert err.startswith("stochi: ") and err.count("\n") == 1 and message in err
    assert sorted(Path().rglob("*")) == before


def test_an_unwritable_place_is_one_line(run: Run, trained: Path) -> None:
    Path("file").write_text("in the way")
    status, _, err = run("deploy", str(trained / "m.nir"), "--out", "file/p.program")
    assert status == 2 and err.count("\n") == 1 and "file" in err


@pytest.mark.parametrize(
    "words",
    [
        ("export", "m.pt"),
        ("deploy", "m.nir"),
        ("simulate", "m.program"),
        ("tune", "m.pt", "m.program"),
        ("parity", "m.pt", "m.program"),
    ],
)
def test_a_folder_in_place_of_a_file_is_reported_before_the_work(
    run: Run,
    trained: Path,
    words: tuple[str, ...],
) -> None:
    Path("folder").mkdir()
    command, *files = words
    status, out, err = run(command, *(str(trained / name) for name in files), "--out", "folder")
    assert status == 2 and out == ""
    assert err == "stochi: folder: a folder, not a file; give the name of a file\n"


def test_the_demo_says_why_it_leaves_lava_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> None:
        raise LavaUnavailable("lava-nc is not installed; type: pip install")

    monkeypatch.setattr("stochi.sim.lava.compatibility.import_lava", missing)
    assert not _can_use_lava(Output(as_json=False))
    assert "not on Lava: lava-nc is not installed" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.lava
def test_demo_ends_well(run: Run) -> None:
    status, out, _ = run("demo", "--json")
    report = json.loads(out)
    assert status == 0 and report["mismatches"] == 0
    assert report["accuracy"][0]["sides"]["float"]["value"] >= 0.97
    left = {path.name for path in Path("runs/demo").iterdir()}
    assert left == {
        *("model.pt", "model.nir", "model.program", "demo.toml"),
        *("report.json", "report.html", "report.png"),
    }
