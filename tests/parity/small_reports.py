"""Reports for tests: one of a small network, and parts of which others are put together."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from functools import cache

import numpy as np
import torch

from stochi.attacks import FGSM, UniformNoise
from stochi.data import Images
from stochi.deploy import lower
from stochi.export import to_nir
from stochi.parity import ParityReport, ablate, check_parity
from stochi.parity.ablation_results import (
    Ablation,
    AblationConfiguration,
    RateShift,
    Shown,
    Variant,
)
from stochi.parity.costs import AnnEnergy, CoresTaken, Costs, Energy, LayerCosts
from stochi.parity.distribution.results import (
    AnswerDistribution,
    Comparison,
    Distribution,
    LayerDistribution,
    Margins,
)
from stochi.parity.event_sample import EventFrames, EventSample
from stochi.parity.records.comparison import FirstMismatch, LayerComparison
from stochi.parity.results import (
    SIDES,
    AccuracyRow,
    Configuration,
    Errors,
    ExactComparison,
    FlippedImage,
    Flips,
    LayerTrace,
    MaskingSign,
    OwnComparison,
    RunDetails,
    SampleTrace,
)
from stochi.statistics.intervals import Estimate
from tests.conftest import conv_net

SHAPE = (2, 8, 8)
DATE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
PAIRS = ("chip_minus_float", "twin_minus_float", "chip_minus_twin")


@cache
def full_report() -> ParityReport:
    """A report with all parts but Lava's, of grey images by a network that is right on them."""
    torch.manual_seed(0)
    net, images = _grey_net(), torch.rand(12, 1, 8, 8)
    with torch.no_grad():
        labels = torch.stack([net(images) for _ in range(4)]).mean(0).argmax(1)
    data = Images(images, labels)
    program = lower(to_nir(net, images[:1]))
    attack = FGSM(0.1, draws=2, surrogates=("own", "atan-25"))
    found = check_parity(
        *(net, program, data),
        attacks=[UniformNoise(0.1), attack],
        epsilons=[0.1, 0.3],
        trials=2,
        lava=False,
        exact_images=4,
    )
    found = replace(found, ablation=ablate(net, program, data, attack=attack, trials=2))
    return found.dated(DATE, command=["stochi", "parity", "a b.pt"], data="12 of <my> images")


def _grey_net() -> torch.nn.Module:
    net = conv_net()
    net.network.conv1 = torch.nn.Conv2d(1, 4, 3, padding=1)
    with torch.no_grad():
        net.network.conv1.weight.mul_(3.0)
    return net


def estimate(value: float, half: float = 0.02, images: int = 100) -> Estimate:
    """An estimate with an interval of ± ``half``."""
    return Estimate(value, value - half, value + half, images, 3)


def accuracy_row(
    attack: str = "clean", chip: float = 0.9, shift: float = 0.0, half: float = 0.02
) -> AccuracyRow:
    """A row in which the chip has this accuracy and this difference from the float model."""
    values = {"float": chip - shift, "twin": chip, "chip": chip}
    shifts = dict(zip(PAIRS, (estimate(by, half) for by in (shift, shift, 0.0)), strict=True))
    return AccuracyRow(
        *(attack, attack, None, None),
        {side: estimate(values[side]) for side in SIDES},
        shifts,
        {side: estimate(values[side]) for side in SIDES},
        None if attack == "clean" else Flips((0,), (), (1, 2)),
    )


def errors(shift: float, half: float = 0.001) -> Errors:
    """Mean squared errors of which the chip's is larger by ``shift``."""
    sides = {side: estimate(0.01 + shift * (side != "float"), half) for side in SIDES}
    shifts = (estimate(by, half) for by in (shift, shift, 0.0))
    return Errors(sides, dict(zip(PAIRS, shifts, strict=True)))


def plain_report(mismatches: int = 0, **parts: object) -> ParityReport:
    """A report without a comparison in distribution, of one layer."""
    asked = Configuration("loihi2", "decay", "philox", 4, 3, (0,), 4, 0, (), None, 512, False)
    first = FirstMismatch(2, 1, (0, 3), 5, 6) if mismatches else None
    layers = (LayerComparison("lif1", "spikes", 1000, mismatches, first),)
    exact = ExactComparison("twin", "engine", 0, 4, None, 1000, mismatches, layers)
    given: Mapping[str, object] = {"accuracy": (accuracy_row(),), **parts}
    return ParityReport(asked, (exact,), **given)  # type: ignore[arg-type]


def frames_of(events: np.ndarray) -> EventFrames:
    """Events, (frames, polarities, height, width) bool, as a report keeps them."""
    bits = np.packbits(events.reshape(len(events), -1), axis=1)
    return EventFrames(int(events.sum()), 0, tuple(b64encode(one).decode() for one in bits))


def event_sample(steps: int = 4, shape: tuple[int, ...] = (2, 9, 11)) -> EventSample:
    """A sample's events, of which an attack adds two and removes one at its second time step."""
    clean = np.random.default_rng(0).random((steps, *shape)) < 0.2
    attacked = clean.copy()
    clean[1, 0, 0, :3], attacked[1, 0, 0, :3] = (True, False, False), (False, True, True)
    frames = frames_of(clean), frames_of(attacked)
    return EventSample(3, shape, steps, 1, frames[0], "flips, 3 <events>", "chip", frames[1])


def costs(chip: str = "loihi2") -> Costs:
    """What a sample costs, of two layers on two cores."""
    energy = Energy(
        "Loihi 1", "14 nm", chip != "loihi1", 30.0, 45.5, 32.0, 10.0, 3.0, 0.5, 9.0, 4.0
    )
    layers = (
        LayerCosts("lif1", 2, 1200, 5000, 120.25, 4000.0, 9600.0, 9600.0),
        LayerCosts("out", 1, 10, 300, 0.0, 250.5, 80.0, 0.0),
    )
    cores = CoresTaken(2, 1, 128, ("memory", "axons in"))
    ann = AnnEnergy(1000, 0.3, 2.8)
    return Costs(chip, 4, 0, 64.0, layers, cores, energy, ann, ("left out: <the host>",))


def composed_report() -> ParityReport:
    """A report with every part, that needs no network."""
    found = Comparison({"float": 0.2, "chip": 0.3}, 0.5, 0.4, 0.6, 0.01, 0.5, "different")
    open_ = replace(found, difference=None, low=None, high=None, verdict="undecided")
    layers = {"lif1": LayerDistribution(found, open_, found, found, found)}
    network = AnswerDistribution(found, {"0": found, "1": open_}, found, found, found)
    shown = Shown(estimate(0.5), None, estimate(0.0))
    variant = Variant(shown, shown, {"lif1": RateShift(0.1, estimate(0.0))})
    asked = AblationConfiguration("loihi2", "decay", 4, "FGSM", 4, 3, 0, 512)
    trace = {"twin": ("0101", "1111"), "chip": ("0111", "1111")}
    membranes = {"twin": (1, -2, 3, 0), "chip": (1, -2, 4, 0)}
    attacked = replace(
        accuracy_row("FGSM, ε = 0.1", 0.4), made_on="twin", epsilon=0.1, made_by={"FGSM": 1.0}
    )
    return plain_report(
        3,
        accuracy=(accuracy_row(), attacked, replace(attacked, epsilon=0.2)),
        distribution=Distribution(100, 3, Margins(), layers, network, (), "different"),
        masking=(MaskingSign("chip", 0.1, "FGSM", "noise", 0.2, 0.1, 0.3, 0.0),),
        ablation=Ablation(asked, {"float": variant, "all": variant}),
        other_weights={"lif1": 0.01},
        own=OwnComparison(8, 0, 0.0, 1.0),
        confusion=dict.fromkeys(("float", "chip"), ((3, 1), (0, 4))),
        flipped=(FlippedImage(1, "FGSM", "twin", "both", (1, 1, 2), "AAE=", "//8="),),
        sample=SampleTrace(1, 0, "engine", (LayerTrace("lif1", (0, 3), trace, 3, membranes),)),
        costs=costs(),
        events=event_sample(),
        run=RunDetails({"stochi": "0.1.0", "lava": None}, "4 images", "2026-01-02", ("stochi",)),
    )
