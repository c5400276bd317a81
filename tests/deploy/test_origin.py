"""The network that a Program comes from, and the errors for another one."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from stochi.deploy import CalibrationWarning, Program, calibrate, lower
from stochi.deploy.origin import lower_again
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.parity import check_parity
from stochi.program.comparison import share_of_other_weights, weight_cosine
from stochi.train import twin_of
from stochi.train.networks import two_layer_net

IMAGES = torch.rand(16, 1, 4, 4, generator=torch.Generator().manual_seed(3))
LABELS = torch.arange(16) % 10


def net(seed: int = 0, hidden: int = 12, **options: object) -> nn.Module:
    torch.manual_seed(seed)
    return two_layer_net(16, (hidden, 8), **options).eval()  # type: ignore[arg-type]


def graph(model: nn.Module):  # type: ignore[no-untyped-def]
    return to_nir(model, IMAGES[:1])


OPTIONS = [
    {},
    {"bits": 3, "random_source": "lfsr"},
    {"noise": "none"},
    {"noise": "membrane", "calibration": IMAGES},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_its_own_network_gives_the_same_program_again(options: dict, tmp_path: Path) -> None:
    program = lower(graph(net()), **options)
    program.save(tmp_path / "a")
    lower_again(program, graph(net())).save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_other_weights_are_counted() -> None:
    program, same, other = (lower(graph(net(seed))).layers[0] for seed in (0, 0, 1))
    assert share_of_other_weights(program, same) == 0
    assert weight_cosine(program, same) == pytest.approx(1)
    assert share_of_other_weights(program, other) > 0.9
    assert abs(weight_cosine(program, other)) < 0.4
    wider = lower(graph(net(hidden=13))).layers[0]
    assert share_of_other_weights(program, wider) == 1 and weight_cosine(program, wider) == 0


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (net(hidden=13), r"another network: its layers are .*\(12,\).*\(13,\)"),
        (net(sampling="mean"), "it draws the decays of"),
    ],
)
def test_a_network_of_other_layers_is_refused(other: nn.Module, says: str) -> None:
    program = lower(graph(net()))
    with pytest.raises(InputError, match=says):
        twin_of(program, other, IMAGES[:1])
    with pytest.raises(InputError, match=says):
        check_parity(other, program, (IMAGES, LABELS), lava=False)


def test_parity_warns_if_the_program_has_other_weights() -> None:
    program = lower(graph(net()))
    ours, foreign = (
        check_parity(model, program, (IMAGES, LABELS), lava=False, trials=1, margins=None)
        for model in (net(), net(seed=1))
    )
    assert not ours.other_weights and not ours.mismatches
    assert foreign.mismatches and foreign.to_json()["other_weights"]
    assert "lowered from another model" in foreign.warnings()[0]
    assert "lowered_from" in foreign.warnings()[0]
    some = replace(foreign, other_weights={**foreign.other_weights, "network.lif1": 0.01})
    assert not any("lower the model again" in warning for warning in some.warnings())


def test_a_fit_for_other_weights_is_taken_over_with_a_warning() -> None:
    fitted, _ = calibrate(graph(net()), IMAGES)

    def take_over(model: nn.Module) -> Program:
        return lower(graph(model), noise="membrane", fitted=fitted)

    tuned = net()
    with torch.no_grad():
        for parameter in tuned.parameters():
            parameter += 0.1 * parameter.std() * torch.randn_like(parameter)
    assert take_over(tuned).layers[0].generator == fitted.layers[0].generator
    with pytest.warns(CalibrationWarning, match="fit the noise anew"):
        take_over(net(seed=1))
