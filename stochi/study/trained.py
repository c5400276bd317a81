"""A trained network in all of its places: as a float model, and on the chip."""

from functools import cached_property

import nir
import torch
from torch import nn

from stochi.attacks import ProgramModel
from stochi.data.samples import Samples
from stochi.data.streams import Streams
from stochi.deploy import Program, calibrate, lower
from stochi.export import to_nir
from stochi.export.copying import copy_model
from stochi.hardware.draws import Draws
from stochi.parity.arguments import ATTACKER_SEED
from stochi.parity.attacked import asked_batch_first, batch_first
from stochi.parity.batch_sizes import images_at_a_time
from stochi.parity.records.float_model import run_float_model
from stochi.sim.backends import run
from stochi.study.victims import FLOAT, MEAN
from stochi.train.neurons.random_tau_leaky import RandomTauLeaky
from stochi.train.twin.model import FreshDraws, twin_of


class TrainedNetwork:
    """A trained network, with the Programs and twins made from it, each at its first use.

    Args:
        model: the network, on the device that it runs on.
        calibration: training samples that additive noise is fitted to.
        seed: of the draws that its answers are judged by.
        device: where the network and its Programs run.
    """

    def __init__(
        self, model: nn.Module, calibration: Samples, seed: int, device: str = "cpu"
    ) -> None:
        self.model, self.calibration, self.seed, self.device = model, calibration, seed, device
        self.events = isinstance(calibration, Streams)
        self.sample = calibration.first(1).inputs.to(device)
        self.programs: dict[str, Program] = {}
        self.twins: dict[str, nn.Module] = {}

    @cached_property
    def graph(self) -> nir.NIRGraph:
        """The network as a graph."""
        return to_nir(self.model, self.sample)

    @cached_property
    def mean_model(self) -> nn.Module:
        """The network with λ at its mean in all of its neurons."""
        copied = copy_model(self.model)
        for module in copied.modules():
            if isinstance(module, RandomTauLeaky):
                module.sampling = "mean"
        return copied

    def make_program(self, place: str) -> Program:
        """Return the Program with a place's stand-in, lowered at the first call."""
        if place not in self.programs:
            if place == "membrane":
                data = self.calibration.inputs
                self.programs[place], _ = calibrate(
                    self.graph, data, noise=place, events=self.events
                )
            else:
                self.programs[place] = lower(self.graph, noise=place, events=self.events)
        return self.programs[place]

    def predict(self, place: str, samples: Samples, trial: int) -> torch.Tensor:
        """Return the classes that the network answers in a place, (samples,)."""
        if place in (FLOAT, MEAN):
            model = self.model if place == FLOAT else self.mean_model
            shown = batch_first(samples)
            with torch.no_grad():
                few = images_at_a_time(shown, 1)
                asked = asked_batch_first(model, samples)
                return run_float_model(asked, shown, Draws(self.seed, trial), few).argmax(1).cpu()
        program = self.make_program(place)
        return run(program, samples, seed=self.seed, trial=trial, device=self.device).predictions()

    def make_surface(self, place: str, by_queries: bool = False) -> nn.Module:
        """Return an attacker's model of a place.

        It is the float model, the same with λ at its mean, or the twin of the place's Program; for
        attacks by queries, the Program itself.
        """
        if place in (FLOAT, MEAN):
            return self.model if place == FLOAT else self.mean_model
        program = self.make_program(place)
        if by_queries:
            return ProgramModel(program, ATTACKER_SEED)
        if place not in self.twins:
            self.twins[place] = twin_of(program, self.model, self.sample)
        return FreshDraws(self.twins[place], ATTACKER_SEED)
