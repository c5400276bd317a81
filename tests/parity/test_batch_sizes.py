"""Batches of a parity check that fit the memory: cut and told, with the values they always have."""

import copy
import warnings
from collections.abc import Callable

import pytest
import torch
from torch import nn

from stochi import batch_memory
from stochi.attacks import FGSM, ProgramModel
from stochi.batch_memory import AtHand, SmallerBatches, measure_samples
from stochi.data import Images
from stochi.deploy import Program, lower
from stochi.errors import InputError
from stochi.export import from_nir, to_nir
from stochi.parity import check_parity
from stochi.parity.attacked import run_attack
from stochi.parity.batch_sizes import Asked, fit_asked, fit_exact, fit_records, values_of
from stochi.parity.distribution.comparison import DEFAULT_MARGINS
from stochi.train import NoisyLeaky
from stochi.train.twin.model import FreshDraws, make_twin
from tests.conftest import conv_net

SHAPE = (2, 8, 8)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(0)
    return conv_net()


@pytest.fixture(scope="module")
def program(net: nn.Module) -> Program:
    return lower(to_nir(net, torch.rand(1, *SHAPE)))


@pytest.fixture(scope="module")
def data() -> Images:
    return Images(torch.rand(20, *SHAPE), torch.arange(20) % 3)


def surfaces(net: nn.Module) -> dict[str, nn.Module]:
    sample = torch.rand(1, *SHAPE)
    return {
        "own": net,
        "graph": from_nir(to_nir(net, sample)).answering(),
        "twin": FreshDraws(make_twin(net, sample), 5),
    }


@pytest.mark.parametrize("name", ["own", "graph", "twin"])
def test_an_attack_is_cut_to_what_fits(
    name: str, net: nn.Module, data: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    surface, attack = surfaces(net)[name], FGSM(0.1, draws=2)
    monkeypatch.setenv("STOCHI_MEMORY", "500kB")
    with pytest.warns(SmallerBatches, match=r"^inputs under FGSM .EOT 2. go in batches of \d+,"):
        few = fit_asked(Asked.by(attack), surface, data.inputs, data.labels, 20)
    assert few in (2, 4, 8)
    with pytest.warns(SmallerBatches):
        found = run_attack(attack, surface, data)
    assert found.inputs.shape == data.inputs.shape


@pytest.mark.cuda
@pytest.mark.parametrize("name", ["own", "graph", "twin"])
def test_on_a_gpu_too(
    name: str, net: nn.Module, data: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    attack, cuda = FGSM(0.1, draws=2), torch.device("cuda")
    surface, shown = surfaces(copy.deepcopy(net))[name].to(cuda), data.to(cuda)
    taken = measure_samples(Asked.by(attack).runs(surface, shown.inputs[:1]), 1000, cuda)
    at_hand = taken.fixed + 12 * taken.each
    monkeypatch.setattr(batch_memory, "memory_at_hand", lambda device: AtHand(at_hand, "more"))
    with pytest.warns(SmallerBatches, match=r"^inputs under FGSM .EOT 2. go in batches of"):
        few = fit_asked(Asked.by(attack), surface, shown.inputs, shown.labels, 20)
    assert few in (4, 8)
    with pytest.warns(SmallerBatches):
        assert run_attack(attack, surface, shown).inputs.shape == data.inputs.shape


def test_measuring_changes_no_draw(net: nn.Module, data: Images) -> None:
    attack = FGSM(0.1, draws=2)
    plain = {name: run_attack(attack, one, data).inputs for name, one in surfaces(net).items()}
    counted = FreshDraws(make_twin(net, torch.rand(1, *SHAPE)), 5)
    fit_asked(Asked.by(attack), counted, data.inputs, data.labels, 20)
    assert counted.calls == 0
    generator = torch.Generator().manual_seed(3)
    drawing = nn.Sequential(nn.Flatten(), nn.Linear(128, 10), NoisyLeaky(0.5, init_hidden=True))
    drawing[2].generator = generator
    before = generator.get_state()
    with torch.no_grad():
        drawing(data.inputs[:1])
    assert not torch.equal(generator.get_state(), before)
    generator.set_state(before)
    fit_asked(Asked.by(attack), drawing, data.inputs, data.labels, 20)
    assert torch.equal(generator.get_state(), before)
    again = {name: run_attack(attack, one, data).inputs for name, one in surfaces(net).items()}
    assert all(torch.equal(plain[name], again[name]) for name in plain)


def test_a_chip_that_is_asked_is_not_measured(
    program: Program, data: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOCHI_MEMORY", "1MB")
    chip = ProgramModel(program, 1)
    asked = Asked("inputs", 10, gradients=False)
    assert fit_asked(asked, chip, data.inputs, data.labels, 20) == 20
    assert chip.queries == 0


def test_what_a_program_tells_is_no_less_than_what_is_measured(
    net: nn.Module, program: Program, data: Images
) -> None:
    """The bound that saves measuring must hold on all that it is taken for."""
    from stochi.parity.batch_sizes import _GRADIENT

    for surface in surfaces(net).values():
        run = Asked("inputs", 1).runs(surface, data.inputs[:1])
        run(1)
        assert 0 < measure_samples(run, 1, CPU).each <= _GRADIENT * values_of(program)


def test_a_single_sample_that_does_not_fit_is_refused(
    net: nn.Module, data: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOCHI_MEMORY", "20kB")
    with pytest.raises(InputError, match=r"a single sample does not fit .* fewer draws or time"):
        run_attack(FGSM(0.1, draws=2), net, data)


@pytest.fixture
def check(net: nn.Module, program: Program, data: Images) -> Callable[..., object]:
    def run(images: Images = data, **options: object) -> object:
        given = {"trials": 2, "seeds": (0,), "lava": False, "exact_images": 2, **options}
        return check_parity(net, program, images, **given)  # type: ignore[arg-type]

    return run


def test_a_check_is_cut_and_says_so_once_and_the_chip_answers_the_same(
    check: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = check()
    monkeypatch.setenv("STOCHI_MEMORY", "500kB")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cut = check()
    told = [str(one.message) for one in caught if one.category is SmallerBatches]
    assert len(told) == 1 and "compared in distribution go in batches of 4, not 20" in told[0]
    assert cut.configuration.batch_size == 4 and whole.configuration.batch_size == 512
    for side in ("twin", "chip"):
        assert cut.accuracy[0].sides[side] == whole.accuracy[0].sides[side]
    assert cut.exact == whole.exact


def test_an_exact_comparison_that_does_not_fit_names_the_number_that_does(
    check: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOCHI_MEMORY", "500kB")
    says = r"the exact comparison of 20 samples .* give exact_images \(--exact\) 4, or set"
    with pytest.raises(InputError, match=says):
        check(margins=None, exact_images=20)


@pytest.mark.filterwarnings("error::stochi.batch_memory.SmallerBatches")
def test_records_that_fit_stay_as_they_are(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fit_records(program, 512, None, DEFAULT_MARGINS) == 512
    monkeypatch.setenv("STOCHI_MEMORY", "500kB")
    assert fit_records(program, 512, 5, DEFAULT_MARGINS) == 512  # all 5 fit
    assert fit_records(program, 512, 20) == 512  # nothing is recorded


def test_as_many_are_compared_exactly_as_fit(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fit_exact(program, 1000) == 64 and fit_exact(program, 7) == 7
    monkeypatch.setenv("STOCHI_MEMORY", "500kB")
    with pytest.warns(SmallerBatches, match="value for value are only 4, not 64"):
        assert fit_exact(program, 1000) == 4
