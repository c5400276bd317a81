"""The parity check on streams: inputs that change from time step to time step."""

from collections.abc import Iterator

import pytest
import snntorch as snn
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from stochi.attacks import FGSM, PGD, GreedySpikes
from stochi.data import Images, Streams
from stochi.deploy import Program, lower
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.parity import ParityReport, ablate, check_parity
from stochi.parity.results import WORST
from stochi.sim import run
from stochi.train import RandomTauLeaky
from stochi.train.fine_tuning import FineTuningConfig, fine_tune

STEPS, SHAPE = 6, (2, 4, 4)


class Net(nn.Module):
    """Events (time steps, batch, 2, 4, 4) → spikes of 4 classes at every time step."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(32, 24), RandomTauLeaky()
        self.fc2, self.lif2 = nn.Linear(24, 4), snn.Leaky(beta=0.8)

    def forward(self, events: torch.Tensor) -> torch.Tensor:
        mem1, mem2, spikes = self.lif1.init_leaky(), self.lif2.init_leaky(), []
        for frame in events:
            spk1, mem1 = self.lif1(self.fc1(frame.flatten(1)), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes.append(spk2)
        return torch.stack(spikes)


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(0)
    net = Net()
    with torch.no_grad():
        for layer in (net.fc1, net.fc2):
            layer.weight.mul_(4)
    return net.eval()


@pytest.fixture(scope="module")
def events(net: nn.Module) -> Streams:
    """Labels are what the network mostly answers."""
    inputs = (torch.rand(STEPS, 40, *SHAPE) < 0.3).float()
    with torch.no_grad():
        labels = torch.stack([net(inputs).sum(0) for _ in range(20)]).sum(0).argmax(1)
    return Streams(inputs, labels)


@pytest.fixture(scope="module")
def program(net: nn.Module, events: Streams) -> Program:
    return lower(to_nir(net, events.inputs[:, :2]), events=True)


@pytest.fixture(scope="module")
def report(net: nn.Module, program: Program, events: Streams) -> ParityReport:
    attack = GreedySpikes(12, candidates=60, draws=4)
    return check_parity(
        net, program, events, trials=3, lava=False, attacks=[attack], attack_images=6
    )


def test_sides_agree_and_the_attack_finds_events(report: ParityReport) -> None:
    assert report.mismatches == 0 and report.compared > 10_000
    clean, on_float, on_chip, worst = report.accuracy
    assert clean.sides["float"].value > 0.5
    assert clean.sides["chip"] == clean.sides["twin"]
    assert (on_float.made_on, on_chip.made_on) == ("float", "chip")
    assert worst.attack == f"{WORST}, 12 events" and worst.epsilon is None
    assert all(worst.sides[s].value <= on_float.sides[s].value for s in ("float", "chip"))
    assert on_chip.flips is not None
    assert len(on_chip.flips.chip_only) + len(on_chip.flips.both) >= 2
    assert report.distribution is not None and report.distribution.images == 40
    assert set(report.distribution.layers) == {"lif1", "lif2"}


def test_a_dataset_and_a_loader_give_the_same_report(
    net: nn.Module, program: Program, events: Streams
) -> None:
    """In batches of 16 as in batches of the loader: draws depend on the batches alone."""
    options = {"trials": 2, "lava": False, "exact_images": 20, "batch_size": 16}
    whole = check_parity(net, program, events, **options)  # type: ignore[arg-type]
    loader = DataLoader(_Single(events), 16, collate_fn=_stack)
    assert check_parity(net, program, loader, **options) == whole  # type: ignore[arg-type]
    parts = ((inputs, labels) for inputs, labels in events.split(16))
    assert check_parity(net, program, parts, **options) == whole  # type: ignore[arg-type]
    assert whole.mismatches == 0


class _Single(Dataset):
    """One stream (time steps, 2, 4, 4) after another."""

    def __init__(self, events: Streams) -> None:
        self.events = events

    def __len__(self) -> int:
        return len(self.events)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.events.inputs[:, number], self.events.labels[number]


def _stack(several: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, ...]:
    inputs, labels = zip(*several, strict=True)
    return torch.stack(inputs, 1), torch.stack(labels)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.float64])
def test_events_may_have_any_type(
    net: nn.Module, program: Program, events: Streams, dtype: torch.dtype
) -> None:
    options = {"trials": 1, "lava": False, "margins": None, "exact_images": 4}
    expected = check_parity(net, program, events, **options)  # type: ignore[arg-type]
    given = events.with_inputs(events.inputs.to(dtype))
    assert check_parity(net, program, given, **options) == expected  # type: ignore[arg-type]


def test_batches_give_the_chip_the_same_draws(
    net: nn.Module, program: Program, events: Streams
) -> None:
    """Sample by sample the chip's answers do not depend on the batches."""
    some = [
        check_parity(net, program, events, trials=2, lava=False, batch_size=size).accuracy[0]
        for size in (7, 40)
    ]
    assert some[0].sides["chip"] == some[1].sides["chip"]
    assert some[0].sides["twin"] == some[0].sides["chip"]


def test_attacks_on_images_take_streams_of_graded_frames(net: nn.Module, events: Streams) -> None:
    graded = Streams(events.inputs * 0.8, events.labels)
    program = lower(to_nir(net, graded.inputs[:, :2]))
    attacks = [FGSM(0.3, draws=4, grid=255), PGD(0.3, iterations=5, draws=4, grid=255)]
    report = check_parity(net, program, graded, trials=3, lava=False, attacks=attacks)
    assert report.mismatches == 0
    rows = {(row.title.split()[0], row.made_on): row for row in report.accuracy[1:]}
    clean = report.accuracy[0].sides["chip"].value
    assert rows["PGD-5", "twin"].sides["chip"].value < clean - 0.2
    ablation = ablate(net, program, graded, trials=2, attack=attacks[1])
    assert ablation.variants["float"].attacked is not None
    attacked = ablation.variants["float"].attacked.accuracy
    assert attacked is not None and attacked.value < clean - 0.2


def test_ablation_in_batches(net: nn.Module, program: Program, events: Streams) -> None:
    whole, parts = (ablate(net, program, events, trials=2, batch_size=size) for size in (40, 9))
    chip = [one.variants["all"] for one in (whole, parts)]
    assert chip[0].clean.accuracy == chip[1].clean.accuracy
    assert {k: r.rate for k, r in chip[0].rates.items()} == pytest.approx(
        {k: r.rate for k, r in chip[1].rates.items()}
    )
    assert whole.configuration.images == parts.configuration.images == 40
    assert set(whole.variants) == {"float", "weights", "decays", "states", "all"}


def test_fine_tuning_on_streams(net: nn.Module, program: Program, events: Streams) -> None:
    losses: list[float] = []
    config = FineTuningConfig(epochs=4, batch_size=16)
    fine_tune(net, program, events, config, progress=lambda epoch, loss: losses.append(loss))
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: Images(s.inputs, s.labels), r"pass stochi.data.Streams\(inputs, labels\)"),
        (lambda s: Streams(s.inputs[0], s.labels), r"pass stochi.data.Images\(inputs, labels\)"),
        (lambda s: (s.inputs.transpose(0, 1), s.labels), r"pass inputs.transpose\(0, 1\)"),
        (lambda s: Streams(s.inputs, s.labels[:-1]), "40 inputs of shape"),
        (lambda s: Streams(s.inputs[:-1], s.labels), "5 time steps"),
        (lambda s: Streams(s.inputs * 0.5, s.labels), "exactly 0 or 1"),
        (lambda s: Streams(s.inputs[:, :0], s.labels[:0]), "no sample"),
        (lambda s: Streams(s.inputs[..., :3], s.labels), "have shape"),
        (lambda s: Streams(s.inputs, s.labels + 4), "labels must lie in 0 … 3"),
    ],
)
def test_streams_that_do_not_fit(
    net: nn.Module,
    program: Program,
    events: Streams,
    change,  # type: ignore[no-untyped-def]
    message: str,
) -> None:
    with pytest.raises(InputError, match=message):
        check_parity(net, program, change(events), trials=2, lava=False)


def test_a_late_batch_that_does_not_fit(net: nn.Module, program: Program, events: Streams) -> None:
    def batches() -> Iterator[Streams]:
        yield events
        yield Streams(events.inputs * 2, events.labels)

    with pytest.raises(InputError, match="inputs range from 0 to 2"):
        check_parity(net, program, batches(), trials=2, lava=False)


def test_attacks_that_do_not_take_the_inputs(
    net: nn.Module, program: Program, events: Streams
) -> None:
    with pytest.raises(InputError, match="GreedySpikes on streams"):
        check_parity(net, program, events, attacks=[PGD(0.1)], lava=False)
    still = lower(to_nir(net, events.inputs[:, :2]))
    images = Images(torch.rand(4, *SHAPE), torch.zeros(4, dtype=torch.long))
    with pytest.raises(InputError, match="GreedySpikes takes events that change"):
        check_parity(net, still, images, attacks=[GreedySpikes(2)], lava=False)


def test_the_engine_takes_inputs_in_any_order_of_memory(program: Program, events: Streams) -> None:
    turned = events.inputs.transpose(0, 1).contiguous().transpose(0, 1)
    assert not turned.is_contiguous()
    assert torch.equal(run(program, turned).logits, run(program, events.inputs).logits)


def test_a_dataset_of_as_many_streams_as_time_steps(
    net: nn.Module, program: Program, events: Streams
) -> None:
    few = events.first(STEPS)
    options = {"trials": 2, "lava": False, "margins": None, "exact_images": 4}
    expected = check_parity(net, program, few, **options)  # type: ignore[arg-type]
    single = _Single(few)
    for data in (single, DataLoader(single, STEPS), DataLoader(single, STEPS, collate_fn=_stack)):
        found = check_parity(net, program, data, **options)  # type: ignore[arg-type]
        assert found == expected


def test_accuracy_is_never_a_mean_of_errors(
    net: nn.Module, program: Program, events: Streams
) -> None:
    first = events.first(8)
    second = (first.inputs, torch.rand(8, 4) * 9)
    data = [(first.inputs, first.labels), second]
    options = {"trials": 2, "lava": False, "margins": None, "exact_images": 4}
    with pytest.raises(InputError, match="batch 1 of the data: its labels are floats"):
        check_parity(net, program, data, **options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="batch 1 of the data: its labels are floats"):
        ablate(net, program, data, trials=2)


def test_images_for_a_model_of_streams(net: nn.Module, program: Program) -> None:
    images = Images((torch.rand(4, *SHAPE) < 0.3).float(), torch.zeros(4, dtype=torch.long))
    message = r"the model takes streams, \(time steps, batch, 2, 4, 4\), and the data are images"
    with pytest.raises(InputError, match=message):
        check_parity(net, program, images, lava=False)
    with pytest.raises(InputError, match=message):
        ablate(net, program, images)
    with pytest.raises(InputError, match=message):
        fine_tune(net, program, images)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_models_of_16_bits_compute_in_float32(events: Streams, dtype: torch.dtype) -> None:
    """As in to_nir, whose graph has their weights exactly."""
    torch.manual_seed(1)
    net = Net().eval().to(dtype)
    program = lower(to_nir(net, events.inputs[:, :2]), events=True)
    attack = GreedySpikes(2, candidates=10, draws=1)
    report = check_parity(
        net, program, events, trials=2, lava=False, attacks=[attack], attack_images=2
    )
    assert report.mismatches == 0 and report.compared > 10_000
    assert all(parameter.dtype == dtype for parameter in net.parameters())
    tuned = fine_tune(net, program, events.first(8), FineTuningConfig(epochs=1))
    assert all(parameter.dtype == torch.float32 for parameter in tuned.parameters())


def test_attacks_on_answers_of_every_time_step(net: nn.Module, events: Streams) -> None:
    with pytest.raises(InputError, match=r"mean over time.*answering\(\)"):
        GreedySpikes(2)(net, events.inputs[:, :2], events.labels[:2])


@pytest.mark.parametrize("form", ["pair", "dataset", "loader"])
def test_fine_tuning_takes_every_form(
    net: nn.Module, program: Program, events: Streams, form: str
) -> None:
    few = events.first(STEPS + 2)
    data = {
        "pair": (few.inputs, few.labels),
        "dataset": _Single(few),
        "loader": DataLoader(_Single(few), 3),
    }[form]
    losses: list[list[float]] = [[], []]
    for each, source in zip(losses, (few, data), strict=True):
        fine_tune(
            net,
            program,
            source,
            FineTuningConfig(epochs=2, batch_size=4),
            progress=lambda epoch, loss, each=each: each.append(loss),  # type: ignore[misc]
        )
    assert losses[0] == losses[1]


def test_fine_tuning_checks_the_samples(net: nn.Module, program: Program, events: Streams) -> None:
    turned = Streams(events.inputs.transpose(0, 1), events.labels)
    with pytest.raises(InputError, match=r"pass inputs.transpose\(0, 1\)"):
        fine_tune(net, program, turned)
