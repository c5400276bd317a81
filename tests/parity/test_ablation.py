"""Each of the chip's properties alone, and all of them together."""

import warnings
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from stochi.attacks import FGSM
from stochi.data import Images
from stochi.deploy import Program, lower
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.export.model.model import GraphModel
from stochi.hardware.draws import Draws
from stochi.parity import Ablation, ablate
from stochi.parity.ablation.model import SWITCHES, AblatedModel, shown_inputs, switches_of
from stochi.parity.ablation_results import ablation_rows
from stochi.parity.records.float_model import run_float_model
from stochi.parity.records.watching import watch_model
from stochi.sim import run
from stochi.statistics.intervals import Estimate
from stochi.train import set_draws
from stochi.train.twin.model import float_model_of
from tests.conftest import NETWORKS, conv_net, dense_net, run_once
from tests.thoroughness import with_slow

NEURONS = [
    {},
    {"sampling": "forward"},
    {"sampling": "mean"},
    {"sampling": "fixed"},
    {"input_gain": "mean"},
    {"input_gain": "mean", "sampling": "fixed"},
]


def lowered(net: nn.Module, inputs: torch.Tensor, noise: str = "decay", **options) -> Program:  # type: ignore[no-untyped-def]
    fitted = {"calibration": inputs} if noise in ("membrane", "current") else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits that could be better
        return lower(to_nir(net, inputs[:2]), noise=noise, **fitted, **options)


def in_graph(net: nn.Module, inputs: torch.Tensor) -> GraphModel:
    return float_model_of(net, inputs[:1], 1e-3)


def labelled(net: nn.Module, inputs: torch.Tensor) -> Images:
    """With the classes that the network itself finds most likely."""
    with torch.no_grad():
        return Images(inputs, torch.stack([net(inputs) for _ in range(40)]).mean(0).argmax(1))


@pytest.mark.parametrize(
    "noise",
    with_slow(["decay", "none", "membrane", "current"], ("none", "membrane", "current")),
)
@pytest.mark.parametrize("neuron", NEURONS, ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_all_switches_together_are_the_program(
    name: str, neuron: dict[str, str], noise: str
) -> None:
    make: tuple[Callable[..., nn.Module], tuple[int, ...]] = NETWORKS[name]
    net, inputs = make[0](**neuron), torch.rand(12, *make[1])
    run_once(net, make[1])
    program = lowered(net, inputs, noise)
    ablated = AblatedModel(in_graph(net, inputs), program, SWITCHES)
    set_draws(ablated, seed=3, trial=2)
    found = watch_model(
        ablated,
        program,
        shown_inputs(program, inputs, SWITCHES),
        lambda layer, membrane: torch.round(membrane * layer.membrane_unit).int(),
    )
    chip = run(program, inputs, seed=3, trial=2, probes=("spikes", "membrane"))
    assert any(bool(spikes.any()) for spikes in chip.spikes.values())
    for layer, spikes in chip.spikes.items():
        assert torch.equal(found.spikes[layer], spikes)
    for layer, membrane in chip.membrane.items():
        assert torch.equal(found.membrane[layer], membrane)
    assert torch.allclose(found.logits, chip.logits, rtol=0, atol=1e-12)


@pytest.mark.parametrize("neuron", NEURONS, ids=str)
def test_with_nothing_switched_on_it_is_the_float_model(neuron: dict[str, str]) -> None:
    net, inputs = conv_net(**neuron), torch.rand(12, 2, 8, 8)
    run_once(net, (2, 8, 8))
    program = lowered(net, inputs)
    ablated = AblatedModel(in_graph(net, inputs), program, ())
    assert shown_inputs(program, inputs, ()) is inputs
    with torch.no_grad():
        ours = run_float_model(ablated, inputs, Draws(0, 0))
        theirs = run_float_model(net, inputs, Draws(0, 0))
    assert torch.allclose(ours.float(), theirs, atol=1e-5)


def test_switches_are_those_that_a_program_has() -> None:
    net, inputs = dense_net(), torch.rand(8, 1, 4, 4)
    assert switches_of(in_graph(net, inputs), lowered(net, inputs)) == (
        "input",
        "weights",
        "decays",
        "states",
    )
    assert switches_of(in_graph(net, inputs), lowered(net, inputs, "none")) == SWITCHES
    events = lowered(net, inputs, events=True)
    assert switches_of(in_graph(net, inputs), events) == ("weights", "decays", "states")
    plain = dense_net(sampling="mean")
    assert "noise" not in switches_of(in_graph(plain, inputs), lowered(plain, inputs, "none"))


def test_an_ablation_in_one_call() -> None:
    net = dense_net()
    images = labelled(net, torch.rand(40, 1, 4, 4))
    program = lowered(net, images.inputs, "none")
    state = torch.get_rng_state()
    found = ablate(net, program, images, attack=FGSM(0.2, draws=2), attack_images=30, trials=4)
    assert torch.equal(state, torch.get_rng_state())
    assert list(found.variants) == ["float", *SWITCHES, "all"]
    for variant in found.variants.values():
        assert variant.attacked is not None
        assert variant.clean.accuracy.images == 40
        assert variant.attacked.accuracy.images == 30
        assert set(variant.rates) == {"network.lif1"}
        difference = variant.clean.minus_float
        assert difference.low <= difference.value <= difference.high
    reference = found.variants["float"]
    assert reference.clean.minus_float.value == 0 and reference.attacked is not None
    assert reference.attacked.accuracy.value < reference.clean.accuracy.value
    answers = [run(program, images.inputs, trial=t).predictions() for t in range(4)]
    right = (torch.stack(answers) == images.labels).double().mean()
    assert found.variants["all"].clean.accuracy.value == pytest.approx(float(right))
    rows = ablation_rows(found)
    assert len(rows) == 8 and len({len(row) for row in rows}) == 1
    again = ablate(net, program, images, attack=FGSM(0.2, draws=2), attack_images=30, trials=4)
    assert again.to_json() == found.to_json()


def shift(found: Ablation, name: str) -> Estimate:
    """How the first layer's rate changes."""
    change = found.variants[name].rates["network.lif1"].minus_float
    assert change is not None
    return change


def effect(found: Ablation, name: str) -> float:
    """Size of that change, in halves of its interval."""
    change = shift(found, name)
    return abs(change.value) / (change.high - change.value)


def test_one_huge_weight_shows_under_weights_alone() -> None:
    net, inputs = dense_net(), torch.rand(60, 1, 4, 4)
    with torch.no_grad():
        net.network.fc1.weight[0, 0] = 3000.0  # type: ignore[union-attr, operator]
    found = ablate(net, lowered(net, inputs), labelled(net, inputs), trials=6)
    change = shift(found, "weights")
    assert abs(change.value) > 0.05 and effect(found, "weights") > 3
    for name in ("input", "states"):
        assert abs(shift(found, name).value) < 0.2 * abs(change.value)
    assert shift(found, "all").value == pytest.approx(change.value, abs=0.05)


def test_a_table_of_two_levels_shows_under_decays_alone() -> None:
    net, inputs = dense_net(time_steps=1), torch.rand(60, 1, 4, 4)
    with torch.no_grad():
        # A spike needs 1 − λ of about 0.8, which some λ have and neither level of the table.
        net.network.fc1.weight.mul_(0.02)  # type: ignore[union-attr, operator]
        net.network.fc1.bias.fill_(0.3 / 0.8)  # type: ignore[union-attr, operator]
    images = labelled(net, inputs)
    coarse = ablate(net, lowered(net, inputs, bits=1), images, trials=40)
    fine = ablate(net, lowered(net, inputs, bits=8), images, trials=40)
    changes = {name: shift(coarse, name).value for name in coarse.variants}
    assert changes["decays"] == changes["all"] == -1
    for name in ("input", "weights", "states"):
        assert abs(changes[name]) < 0.05
    assert abs(shift(fine, "decays").value) < 0.1


def test_no_noise_shows_under_noise_alone() -> None:
    net, inputs = dense_net(), torch.rand(60, 1, 4, 4)
    images = labelled(net, inputs)
    found = ablate(net, lowered(net, inputs, "none"), images, trials=6)
    assert effect(found, "noise") > 3
    alone, together = (shift(found, name).value for name in ("noise", "all"))
    assert alone == pytest.approx(together, rel=0.2)


def test_batches_draw_what_the_whole_would_on_the_program_s_side() -> None:
    net, inputs = dense_net(), torch.rand(30, 1, 4, 4)
    program, images = lowered(net, inputs), labelled(net, inputs)
    whole, parts = (ablate(net, program, images, trials=2, batch_size=n) for n in (30, 11))
    # What draws by the Program's source does not depend on the batch; torch's draws do.
    for name in ("decays", "all"):
        ours, theirs = (found.variants[name] for found in (whole, parts))
        assert ours.clean.accuracy == theirs.clean.accuracy
        rates = [found.rates["network.lif1"].rate for found in (ours, theirs)]
        assert rates[0] == pytest.approx(rates[1])
    assert whole.variants["float"].rates != parts.variants["float"].rates


def test_copies_are_freed_and_the_model_stays_as_it_was() -> None:
    import snntorch

    net, inputs = conv_net(), torch.rand(6, 2, 8, 8)
    before = {name: values.clone() for name, values in net.state_dict().items()}
    program, count = lowered(net, inputs), len(snntorch.SpikingNeuron.instances)
    ablate(net, program, labelled(net, inputs), trials=1)
    assert len(snntorch.SpikingNeuron.instances) == count
    assert all(torch.equal(before[name], values) for name, values in net.state_dict().items())


def test_a_foreign_program_and_bad_numbers_raise() -> None:
    net, inputs = dense_net(), torch.rand(6, 1, 4, 4)
    program, images = lowered(net, inputs), labelled(net, inputs)
    first = program.layers[0]
    renamed = replace(
        program,
        layers=(
            replace(first, name="other"),
            replace(
                program.layers[1],
                projections=(replace(program.layers[1].projections[0], source="other"),),
            ),
        ),
    )
    with pytest.raises(InputError, match="another network"):
        ablate(net, renamed, images)
    with pytest.raises(InputError, match=r"its layers are other \(12,\)"):
        AblatedModel(in_graph(net, inputs), renamed, ())
    for change, message in (
        ({"trials": 0}, "trials is 0"),
        ({"seed": 2**31}, "attacker"),
        ({"batch_size": 0}, "batch_size is 0"),
    ):
        with pytest.raises(InputError, match=message):
            ablate(net, program, images, **change)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="labels"):
        ablate(net, program, (images.inputs, images.labels + 5))


def test_a_program_of_another_model_causes_a_warning() -> None:
    net, inputs = dense_net(), torch.rand(6, 1, 4, 4)
    images = labelled(net, inputs)
    program = lowered(net, inputs)
    torch.manual_seed(1)
    with pytest.warns(UserWarning, match="are not near those of this model"):
        ablate(dense_net(), program, images, trials=1)
    with pytest.raises(InputError, match="draws the decays of"):
        ablate(dense_net(sampling="mean"), program, images, trials=1)
