"""Networks that answer with their output of the last time step, as their Programs then do."""

from dataclasses import replace

import pytest
import snntorch as snn
import torch
from torch import nn

from benchmarks.support.networks import strong
from stochi.attacks import FGSM
from stochi.attacks.program_model import ProgramModel
from stochi.data import Images
from stochi.deploy import Program, calibrate, lower
from stochi.errors import InputError
from stochi.export import from_nir, to_nir
from stochi.hardware.draws import Draws
from stochi.parity import ablate, check_parity
from stochi.parity.records.comparison import compare_records
from stochi.parity.records.twin import record_twin
from stochi.sim import run
from stochi.sim.recording import PROBES
from stochi.train import FineTuningConfig, RandomTauLeaky, fine_tune, twin_of
from stochi.train.twin.model import answering_model_of

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
SHAPE, STEPS = (1, 6, 6), 7
READS = {"spk": "spikes", "mem": "membrane", "mem_rec": "membrane", "cur": "input"}


class LastStep(nn.Module):
    """A network whose forward returns something of the last time step only."""

    def __init__(self, answer: str) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(36, 30), RandomTauLeaky(threshold=0.3)
        self.fc2, self.lif2 = nn.Linear(30, 4), snn.Leaky(beta=0.8)
        self.answer = answer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem1, mem2, mem_rec = self.lif1.reset_mem(), self.lif2.reset_mem(), []
        for _ in range(STEPS):
            spk1, mem1 = self.lif1(self.fc1(x.flatten(1)), mem1)
            cur = self.fc2(spk1)
            if self.answer == "cur":
                continue
            spk, mem2 = self.lif2(cur, mem2)
            mem_rec.append(mem2)
        if self.answer == "cur":
            return cur
        if self.answer == "mem_rec":
            return torch.stack(mem_rec)[-1]
        return spk if self.answer == "spk" else mem2


def network(answer: str) -> nn.Module:
    torch.manual_seed(2)
    return strong(LastStep(answer))


def images(count: int = 40) -> torch.Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(5))


def lowered(net: nn.Module, noise: str = "decay") -> Program:
    return lower(to_nir(net, images(2)), noise=noise)


def labelled(net: nn.Module) -> Images:
    """Images with the classes that the network answers most often."""
    shown = images(60)
    with torch.no_grad():
        votes = torch.stack([net(shown).argmax(1) for _ in range(20)])
    return Images(shown, votes.mode(0).values)


@pytest.mark.parametrize("answer", READS)
def test_program_twin_and_model_answer_with_the_same_quantity(answer: str) -> None:
    net, shown = network(answer), images()
    program = lowered(net)
    assert (program.readout, program.over_time) == (READS[answer], "last")
    theirs = run(program, shown, seed=3, trial=2, probes=PROBES)
    mean = run(replace(program, over_time="mean"), shown, seed=3, trial=2)
    assert not torch.equal(theirs.logits, mean.logits)
    ours = record_twin(twin_of(program, net, shown[:2]), program, shown, Draws(3, 2))
    assert sum(c.mismatches for c in compare_records(ours, theirs)) == 0
    assert torch.allclose(ours.logits, theirs.logits, atol=1e-5)
    trials = torch.stack([run(program, shown, seed=3, trial=t).logits for t in range(40)])
    with torch.no_grad():
        floats = torch.stack([net(shown).double() for _ in range(40)])
    error = (trials.mean((0, 1)) - floats.mean((0, 1))).abs()
    assert float((error / floats.std((0, 1))).max()) < 0.1
    answers = ProgramModel(program, seed=3)(shown)
    assert torch.equal(answers, run(program, shown, seed=3).logits)


@pytest.mark.lava
@pytest.mark.parametrize("answer", ["spk", "mem", "cur"])
def test_lava_reads_the_last_time_step(answer: str) -> None:
    program = lowered(network(answer))
    ours, theirs = (run(program, images(5), backend, seed=3) for backend in ("engine", "lava"))
    assert torch.equal(ours.logits, theirs.logits) and bool(ours.logits.any())


@pytest.mark.parametrize("answer", ["spk", "mem", "cur"])
def test_parity_of_the_last_time_step(answer: str) -> None:
    net = network(answer)
    program, data = lowered(net), labelled(net)
    report = check_parity(
        net, program, data, trials=4, lava=False, attacks=[FGSM(0.1, draws=2)], exact_images=8
    )
    assert report.mismatches == 0 and report.compared > 0
    clean = report.accuracy[0].sides
    assert abs(clean["chip"].value - clean["float"].value) < 0.1
    assert clean["float"].value > 0.45 and clean["twin"] == clean["chip"]


def test_an_ablation_reads_the_last_time_step() -> None:
    net = network("mem")
    program, data = lowered(net), labelled(net)
    found = ablate(net, program, data, trials=1)
    chip = run(program, data.inputs, seed=0).predictions()
    whole = found.variants["all"].clean.accuracy.value
    assert whole == pytest.approx(float((chip == data.labels).double().mean()))
    mean = run(replace(program, over_time="mean"), data.inputs, seed=0).predictions()
    assert not torch.equal(chip, mean)


def test_fine_tuning_and_a_fit_keep_the_last_time_step() -> None:
    net = network("mem")
    program, _ = calibrate(to_nir(net, images(2)), images(), noise="membrane", method="moments")
    assert program.over_time == "last"
    data, config = Images(images(), torch.zeros(40).long()), FineTuningConfig(epochs=1)
    tuned = fine_tune(net, program, data, config)
    again = lower(to_nir(tuned, images(2)), noise="membrane", fitted=program)
    assert (again.readout, again.over_time) == ("membrane", "last")
    ours = record_twin(tuned, again, images(9), Draws(3))
    assert torch.allclose(ours.logits, run(again, images(9), seed=3).logits, atol=1e-5)


def test_a_model_that_reads_otherwise_than_the_program_is_refused() -> None:
    net, shown = network("mem"), images()
    program, data = lowered(net), labelled(net)
    early = replace(program, over_time="mean")
    mean = from_nir(to_nir(net, shown[:2]), readout="mean")
    with pytest.raises(InputError, match=r"the output of the last .*, the Program with the mean"):
        check_parity(net, early, data, lava=False)
    with pytest.raises(InputError, match="mean output over time, the Program with the output of"):
        answering_model_of(mean, shown, program)
    assert twin_of(early, net, shown[:2]).reading.readout == "mean"
    assert lower(to_nir(mean, shown)).over_time == "mean"
