"""Training with input noise that is crafted while the network runs."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional

from stochi.arguments import check_fields
from stochi.attacks.base import check_epsilon
from stochi.errors import InputError
from stochi.export.model.model import GraphModel
from stochi.train.defences.defence import Defence
from stochi.train.networks import RepeatSteps
from stochi.train.twin.model import FreshDraws


@dataclass(frozen=True)
class CraftedNoise(Defence):
    """HIRE-SNN (Kundu et al., ICCV 2021): the input changes from period to period of a pass.

    The time steps are divided into periods. The first period shows the image. At the end of each
    period, the shown input moves along the sign of the loss's gradient with respect to it, and the
    next period shows the result. The attack therefore needs no passes of its own.

    In the paper the weights also change after each period; here one update follows the whole pass,
    over which the loss is computed. The authors published no training code.

    Attributes:
        epsilon: ε in [0, 1], the largest distance of a pixel from the image.
        periods: number of periods, at least 2 and at most the network's time steps.
        step_size: change of a pixel in one move, in [0, 1]; ε if not given.

    Raises:
        InputError: a parameter is out of range.
    """

    name: ClassVar[str] = "hire"
    takes_streams: ClassVar[bool] = False
    epsilon: float = 0.1
    periods: int = 2
    step_size: float | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        check_epsilon(self.epsilon)
        if self.periods < 2:
            raise InputError(f"periods is {self.periods}; the noise needs at least 2")
        if self.step_size is not None and not 0 <= self.step_size <= 1:
            raise InputError(f"step_size is {self.step_size}; it must lie in [0, 1]")

    def loss(self, model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the cross-entropy of the output over all periods.

        Raises:
            InputError: the model is not a graph's, does not have exactly one RepeatSteps (which may
                be the model itself) either, or shows events, or it has fewer time steps than there
                are periods.
        """
        network = _network_of(model)
        time_steps = (
            network.reading.time_steps if isinstance(network, GraphModel) else network.time_steps
        )
        if time_steps < self.periods:
            raise InputError(
                f"periods is {self.periods}, but the network runs for {time_steps} time steps; a"
                " period needs at least one"
            )
        step_size = self.epsilon if self.step_size is None else self.step_size
        ends = [time_steps * k // self.periods for k in range(1, self.periods)]
        run = _Run(labels, self.epsilon, step_size, ends)
        if isinstance(network, GraphModel):
            if isinstance(model, FreshDraws):
                model.draw()
            return functional.cross_entropy(run.of_graph(network, inputs), labels)
        hooks = (
            network.network.register_forward_pre_hook(run.show),
            network.network.register_forward_hook(run.craft),
        )
        try:
            return super().loss(model, inputs, labels)
        finally:
            for hook in hooks:
                hook.remove()


@dataclass
class _Run:
    """One pass of training: the input that is shown, and the outputs so far.

    Attributes:
        ends: numbers of finished time steps after which a period ends and another begins.
        low, high: limits of the ε-ball around the image, within [0, 1].
        shown: input of the current period.
        outputs: output of each finished time step.
    """

    labels: torch.Tensor
    epsilon: float
    step_size: float
    ends: list[int]
    low: torch.Tensor | None = None
    high: torch.Tensor | None = None
    shown: torch.Tensor | None = None
    outputs: list[torch.Tensor] = field(default_factory=list)

    def show(self, network: nn.Module, arguments: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        """Before a time step, replace the image by this period's input."""
        if self.shown is None:
            (image,) = arguments
            self.low = (image - self.epsilon).clamp(0, 1).detach()
            self.high = (image + self.epsilon).clamp(0, 1).detach()
            self.shown = image.detach().requires_grad_(True)
        return (self.shown,)

    def of_graph(self, model: GraphModel, images: torch.Tensor) -> torch.Tensor:
        """Run a graph's model on inputs that change, and return its answer."""
        output = model.wiring.output
        found = []

        def frame(step: int) -> torch.Tensor:
            (shown,) = self.show(model, (images,))
            return model.in_own_type(shown)

        for outputs in model.run_frames(frame, model.reading.time_steps):
            found.append(outputs[output])
            self.craft(model, images, model.read(found[-1:]))
        return model.read(found)

    def craft(
        self,
        network: nn.Module,
        arguments: object,
        output: torch.Tensor | tuple[torch.Tensor, ...],
    ) -> None:
        """After the last time step of a period, make the next period's input."""
        self.outputs.append(output[0] if isinstance(output, tuple) else output)
        if len(self.outputs) not in self.ends:
            return
        assert self.shown is not None
        loss = functional.cross_entropy(torch.stack(self.outputs).mean(0), self.labels)
        (gradient,) = torch.autograd.grad(loss, self.shown, retain_graph=True)
        moved = self.shown.detach() + self.step_size * gradient.sign()
        self.shown = torch.clamp(moved, self.low, self.high).requires_grad_(True)


def _network_of(model: nn.Module) -> GraphModel | RepeatSteps:
    inner = model.model if isinstance(model, FreshDraws) else model
    if isinstance(inner, GraphModel):
        return inner
    found = [module for module in model.modules() if isinstance(module, RepeatSteps)]
    if len(found) != 1 or found[0].events:
        raise InputError(
            f"the {type(model).__name__} contains {len(found)} RepeatSteps; crafted noise needs one"
            " that shows images (events=False)"
        )
    return found[0]
