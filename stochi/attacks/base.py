"""What all attacks share."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from numbers import Integral, Real
from typing import ClassVar, TypeVar

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from stochi.attacks.grid import onto_grid
from stochi.attacks.objectives import TINY
from stochi.errors import InputError, first_line
from stochi.not_finite import find_not_finite

AnyAttack = TypeVar("AnyAttack", bound="Attack")


TOLERANCE = 1e-5
"""By so much an attack may miss [0, 1] and the ε-ball: rounding errors of floats."""
SEEDS = 2**64
"""So many torch's generator has; numpy's, from which ART draws, gets the lower 32 bits."""


def check_epsilon(epsilon: float) -> None:
    """Raise InputError unless ε is a number in [0, 1]."""
    if not isinstance(epsilon, Real) or not 0 <= epsilon <= 1:
        raise InputError(f"epsilon is {epsilon}; images lie in [0, 1], so it must too")


def check_seed(seed: int) -> None:
    """Raise InputError unless a seed is a whole number that torch's generator takes."""
    whole = isinstance(seed, Integral) and not isinstance(seed, bool)
    if not whole or not 0 <= seed < SEEDS:
        raise InputError(f"seed is {seed}; it must be a whole number from 0 to {SEEDS - 1}")


def check_weights(model: nn.Module) -> None:
    """Raise InputError where a number of the model's is not finite; neurons hide that by being
    silent."""
    numbers = {n: v for n, v in model.state_dict().items() if isinstance(v, torch.Tensor)}
    name = find_not_finite(numbers)
    if name is not None:
        raise InputError(
            f"the model's {name} is not finite everywhere; an accuracy under attack would mean"
            " nothing: train it again"
        )


def random_change(inputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Uniform in [−1, 1) in every pixel, of the inputs' shape, type and device."""
    noise = torch.rand(inputs.shape, generator=generator, device=inputs.device, dtype=inputs.dtype)
    return 2 * noise - 1


def largest_change(change: torch.Tensor) -> torch.Tensor:
    """The L∞ norm of each image's (batch, *shape) change, of shape (batch, 1, …)."""
    return change.abs().amax(tuple(range(1, change.dim())), keepdim=True)


@contextmanager
def _statistics_kept(model: nn.Module) -> Iterator[None]:
    """Batch norms in train mode move their running statistics at every pass; put them back."""
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.training]
    before = [{name: buffer.clone() for name, buffer in m.named_buffers()} for m in norms]
    try:
        yield
    finally:
        for norm, kept in zip(norms, before, strict=True):
            for name, buffer in norm.named_buffers():
                buffer.copy_(kept[name])


@contextmanager
def _first_answer_checked(
    model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor
) -> Iterator[None]:
    """Raise InputError where the model has no first answer while inside, or one that cannot be to
    these labels."""
    answered = False

    def check(module: nn.Module, given: object, output: object) -> None:
        nonlocal answered
        answered = True
        handle.remove()
        logits = output[0] if isinstance(output, tuple) else output
        if not isinstance(logits, torch.Tensor) or logits.dim() != 2:
            return  # the attack says what it needs
        if logits.shape[1] < 2:
            raise InputError(
                "the model has 1 class, so its answer cannot be wrong; an attack needs 2 or more"
            )
        if int(labels.max()) >= logits.shape[1]:
            raise InputError(
                f"labels go up to {int(labels.max())}; the model has {logits.shape[1]} classes,"
                f" 0 … {logits.shape[1] - 1}"
            )
        if not bool(logits.isfinite().all()):
            raise InputError("the model's answers are not finite; check its weights")

    handle = model.register_forward_hook(check)
    try:
        yield
    except RuntimeError as error:
        if answered or isinstance(error, torch.OutOfMemoryError):
            raise
        raise InputError(
            f"the model fails on inputs {tuple(inputs.shape)}: {first_line(error)}"
        ) from error
    finally:
        handle.remove()


class Attack(ABC):
    """An attack is called as ``attack(model, inputs, labels)`` or with a budget of its own.

    Attributes:
        seed: of the attack's own random choices.
        uses_model: whether what it finds depends on the model it is made on.
        uses_gradients: whether it asks the model for gradients, or else for answers only.
        batch_dim: which dimension of the inputs counts the samples.
        takes: what the inputs must be, and which attack to use where they are not, for messages.
    """

    seed: int
    uses_model: ClassVar[bool] = True
    uses_gradients: ClassVar[bool] = True
    batch_dim: ClassVar[int] = 0
    takes: ClassVar[str] = "inputs in [0, 1]"

    def __call__(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        budget: float | None = None,
    ) -> torch.Tensor:
        """Adversarial inputs for ``model``, of the shape of ``inputs``.

        The same seed gives the same inputs where the model draws from torch's default generator
        or from none; torch's and numpy's global generators are left as they were.

        Args:
            model: (batch, *shape) → (batch, classes) logits, or a tuple that begins with them; in
                the mode (``eval()``, as a rule) in which it is to be attacked, and left as it was.
                Attacks that use gradients need it to be differentiable.
            inputs: as the attack takes them, at least one.
            labels: (batch,) whole numbers, the true classes.
            budget: replaces the attack's own: ε, or what else the attack counts.

        Raises:
            InputError: inputs, labels or budget are out of range, the model fails on such inputs,
                a weight or an answer of it is not finite, it has no gradient, or an attack of your
                own does not return what an attack must.
            ArtUnavailable: the attack is ART's, and ART is not installed.
        """
        attack = self if budget is None else self.with_budget(budget)
        if not isinstance(model, nn.Module):
            raise InputError(
                f"a torch model is needed, this is a {type(model).__name__}; a Program goes into"
                " stochi.attacks.ProgramModel"
            )
        attack.check(inputs, labels)
        inputs, labels = inputs.detach(), labels.detach().long()
        check_weights(model)
        generator = torch.Generator(device=inputs.device).manual_seed(int(self.seed))
        # A random model may draw from torch's own generator: seed that too, and put it back.
        devices = [inputs.device] if inputs.is_cuda else []
        with (
            torch.random.fork_rng(devices=devices),
            _statistics_kept(model),
            _first_answer_checked(model, inputs, labels),
        ):
            torch.manual_seed(self.seed)
            perturbed = attack.perturb(model, inputs.clone(), labels, generator)
        attack.check_found(perturbed, inputs)
        return attack.finish(perturbed.detach(), inputs)

    @property
    @abstractmethod
    def name(self) -> str:
        """How the attack is called in reports."""

    @abstractmethod
    def with_budget(self: AnyAttack, budget: float) -> AnyAttack:
        """The same attack with another budget."""

    @abstractmethod
    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """What the attack does; may use the generator for its own choices."""

    def check_counts(self, *names: str) -> None:
        """Raise InputError unless the attributes of these names are 1 or more."""
        for name in names:
            count = getattr(self, name)
            if not isinstance(count, Integral) or count < 1:
                raise InputError(f"{name} is {count}; it must be a whole number, 1 or more")

    def finish(self, perturbed: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """What is done to all that the attack finds."""
        return perturbed

    def check_found(self, perturbed: torch.Tensor, inputs: torch.Tensor) -> None:
        """Raise InputError where what ``perturb`` returned cannot be attacked inputs."""
        wrong = None
        if not isinstance(perturbed, torch.Tensor):
            wrong = f"a {type(perturbed).__name__}"
        elif (perturbed.shape, perturbed.dtype) != (inputs.shape, inputs.dtype):
            wrong = f"{perturbed.dtype} of shape {tuple(perturbed.shape)}"
        elif not bool(((perturbed >= -TOLERANCE) & (perturbed <= 1 + TOLERANCE)).all()):
            wrong = "numbers that are not in [0, 1]"
        if wrong is not None:
            raise InputError(
                f"{type(self).__name__}.perturb returned {wrong}; it must return inputs in [0, 1],"
                f" {inputs.dtype} of shape {tuple(inputs.shape)}"
            )

    def check(self, inputs: torch.Tensor, labels: torch.Tensor) -> None:
        """Raise InputError where inputs and labels are not what the attack takes."""
        if not (isinstance(inputs, torch.Tensor) and isinstance(labels, torch.Tensor)):
            raise InputError(
                f"inputs and labels must be tensors; these are {type(inputs).__name__} and"
                f" {type(labels).__name__}"
            )
        samples = inputs.shape[self.batch_dim] if inputs.dim() > self.batch_dim else 0
        if labels.dim() != 1 or samples != len(labels) or not inputs.numel():
            raise InputError(
                f"inputs of shape {tuple(inputs.shape)} and labels of shape {tuple(labels.shape)};"
                f" one label is needed for each of the {samples} inputs, and at least one of both."
                f" {type(self).__name__} takes {self.takes}"
            )
        if labels.is_floating_point() or int(labels.min()) < 0:
            raise InputError("labels must be whole numbers from 0 on, the true classes")
        if not inputs.is_floating_point():
            raise InputError(
                f"inputs are {inputs.dtype}; pass floats in [0, 1] (pixels of 8 bits: divide by"
                " 255)"
            )
        low, high = (float(end) for end in torch.aminmax(inputs))
        if not (low >= 0 and high <= 1):
            raise InputError(
                f"inputs range from {low:g} to {high:g}; they must be numbers in [0, 1] (scale"
                " them, and put any normalization into the model)"
            )


@dataclass(frozen=True)
class ImageAttack(Attack):
    """Perturb images in [0, 1] by at most ``epsilon`` in every pixel (L∞).

    Attributes:
        epsilon: ε in [0, 1]; a budget replaces it.
        seed: of the attack's own random choices, a whole number in [0, 2⁶⁴).
        grid: 255 puts the found images on k/255, the chip's 8-bit input, still within ε of the
            clean ones (see :func:`stochi.attacks.grid.onto_grid`); None leaves them as they are.
    """

    takes: ClassVar[str] = (
        "images of shape (batch, *shape); for events, (steps, batch, *shape), use GreedySpikes"
    )
    epsilon: float
    seed: int = 0
    grid: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        check_epsilon(self.epsilon)
        check_seed(self.seed)
        if self.grid is not None and (not isinstance(self.grid, Integral) or self.grid < 1):
            raise InputError(
                f"grid is {self.grid}; it must be a whole number of at least 1 (the chip's 8-bit"
                " images have 255)"
            )

    def check_found(self, perturbed: torch.Tensor, inputs: torch.Tensor) -> None:
        """Raise InputError where what ``perturb`` returned are no images in the ε-ball."""
        super().check_found(perturbed, inputs)
        largest = float((perturbed - inputs).abs().max())
        if largest > self.epsilon + TOLERANCE:
            raise InputError(
                f"{type(self).__name__}.perturb moved a pixel by {largest:g}; ε is {self.epsilon:g}"
            )

    def with_budget(self: "AnyImageAttack", budget: float) -> "AnyImageAttack":
        """The same attack with another ε."""
        return replace(self, epsilon=budget)

    def finish(self, perturbed: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """Put the images on the grid, if there is one."""
        if self.grid is None:
            return perturbed
        return onto_grid(perturbed, inputs, self.epsilon, self.grid)

    def random_start(self, inputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """A point drawn uniformly from the ε-ball around the inputs."""
        return self.project(inputs + self.epsilon * random_change(inputs, generator), inputs)

    def project(self, perturbed: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """Back into the ε-ball and into [0, 1]."""
        nearest = torch.minimum(
            torch.maximum(perturbed, inputs - self.epsilon), inputs + self.epsilon
        )
        return nearest.clamp(0, 1)

    def brought_in(self, found: torch.Tensor, inputs: torch.Tensor) -> list[torch.Tensor]:
        """What an attack without a bound found, brought into the ε-ball: clipped, and along the
        line from the clean image to the ball's surface, which is outwards where it lies inside."""
        change = found - inputs
        along = inputs + change * (self.epsilon / largest_change(change).clamp_min(TINY))
        return [self.project(found, inputs), self.project(along, inputs)]


AnyImageAttack = TypeVar("AnyImageAttack", bound=ImageAttack)
