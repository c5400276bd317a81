"""The choice of the decay tables' bits, on the chip and in the twin."""

import pytest
import torch

from stochi.deploy import lower
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.hardware.draws import Draws
from stochi.parity import check_parity
from stochi.parity.records.comparison import compare_records
from stochi.parity.records.twin import record_twin
from stochi.sim import run
from stochi.sim.recording import PROBES
from stochi.train import RandomTauLeaky, make_twin, twin_of
from tests.conftest import NETWORKS, conv_net, dense_net

IMAGES = torch.rand(9, 1, 4, 4, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    "variant", [{}, {"bits": 5}, {"input_gain": "mean", "sampling": "forward"}]
)
def test_twin_and_engine_draw_from_tables_of_the_chosen_bits(network: str, variant: dict) -> None:
    build, shape = NETWORKS[network]
    net, images = build(**variant), torch.rand(9, *shape)
    program = lower(to_nir(net, images[:1]), bits=3)
    assert all(len(layer.decay.values) == 8 for layer in program.layers if layer.decay.drawn)
    theirs = run(program, images, seed=3, trial=2, probes=PROBES)
    for twin in (twin_of(program, net, images[:1]), make_twin(net, images[:1], bits=3)):
        ours = record_twin(twin, program, images, Draws(3, 2))
        assert sum(c.mismatches for c in compare_records(ours, theirs)) == 0
    other = lower(to_nir(net, images[:1]))
    assert len(other.layers[0].decay.values) == 2 ** variant.get("bits", 8)


def test_layers_may_have_different_bits() -> None:
    net = conv_net()
    net.network.lif1 = RandomTauLeaky(threshold=0.3, init_hidden=True, bits=2)
    images = torch.rand(9, 2, 8, 8)
    program = lower(to_nir(net, images[:1]))
    assert [len(layer.decay.values) for layer in program.layers[:2]] == [4, 256]
    ours = record_twin(twin_of(program, net, images[:1]), program, images, Draws(1))
    theirs = run(program, images, seed=1, probes=PROBES)
    assert sum(c.mismatches for c in compare_records(ours, theirs)) == 0


def test_the_parity_checker_follows_the_program() -> None:
    net = dense_net()
    program = lower(to_nir(net, IMAGES[:1]), bits=1)
    report = check_parity(net, program, (IMAGES, torch.arange(9) % 3), trials=2, lava=False)
    assert report.compared > 0 and report.mismatches == 0


@pytest.mark.parametrize("bits", [0, 9, 2.5, True, "3"])
def test_bits_out_of_range_are_refused(bits: object) -> None:
    net = dense_net()
    with pytest.raises(InputError, match="1 to 8"):
        lower(to_nir(net, IMAGES[:1]), bits=bits)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="1 to 8"):
        make_twin(net, IMAGES[:1], bits=bits)  # type: ignore[arg-type]


def test_bits_that_nothing_would_use_are_refused() -> None:
    graph = to_nir(dense_net(), IMAGES[:1])
    for noise, given in (
        ("none", {}),
        ("membrane", {"calibration": IMAGES}),
        ("current", {"fitted": lower(graph)}),
    ):
        with pytest.raises(InputError, match=f"'{noise}' draws no decays.*leave bits out"):
            lower(graph, noise=noise, bits=3, **given)
    plain = to_nir(dense_net(sampling="mean"), IMAGES[:1])
    with pytest.raises(InputError, match="this graph has no neurons that draw"):
        lower(plain, bits=3)
    with pytest.raises(InputError, match="'elsewhere' has no neurons that draw"):
        make_twin(dense_net(), IMAGES[:1], bits={"elsewhere": 3})
