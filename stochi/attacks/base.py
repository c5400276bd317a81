"""The bases of all attacks."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass, replace
from numbers import Integral, Real
from typing import ClassVar, TypeVar

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from stochi.arguments import check_fields
from stochi.attacks.chosen import Candidate, Chosen
from stochi.attacks.expectation import judge, judging_runs
from stochi.attacks.grid import onto_grid
from stochi.attacks.memory import check_forgets
from stochi.attacks.objectives import TINY
from stochi.attacks.recipe import EPSILON, Plain, Recipe
from stochi.attacks.surrogates.surrogate import Surrogate
from stochi.errors import InputError, first_line
from stochi.modes import states_kept
from stochi.not_finite import find_not_finite
from stochi.own_code import own_place
from stochi.plain_text import text_of
from stochi.turns import generators_kept

AnyAttack = TypeVar("AnyAttack", bound="Attack")
AnyImageAttack = TypeVar("AnyImageAttack", bound="ImageAttack")

TOLERANCE = 1e-5
"""Rounding error of floats by which a result may leave [0, 1] and the ε-ball."""
SEEDS = 2**64
"""Number of seeds of torch's generator."""
DRAWS_APART = 0x9E3779B97F4A7C15
"""Bits by which the seed of the model's draws differs from that of the attack.

A model that is seeded with a small number later, to report its accuracy, then has other draws than
the attacker saw.
"""


def check_epsilon(epsilon: float) -> None:
    """Raise InputError unless ε is a number in [0, 1]."""
    real = isinstance(epsilon, Real) and not isinstance(epsilon, bool)
    if not real or not 0 <= epsilon <= 1:
        raise InputError(f"epsilon is {text_of(epsilon)}; images lie in [0, 1], so ε must too")


def check_seed(seed: int) -> None:
    """Raise InputError unless a seed is a whole number that torch's generator accepts."""
    whole = isinstance(seed, Integral) and not isinstance(seed, bool)
    if not whole or not 0 <= seed < SEEDS:
        raise InputError(
            f"seed is {text_of(seed)}; it must be a whole number from 0 to {SEEDS - 1}"
        )


def check_weights(model: nn.Module) -> None:
    """Raise InputError if a weight or buffer of the model is not finite.

    The answers alone would not show it, because neurons with such numbers are silent.
    """
    numbers = {n: v for n, v in model.state_dict().items() if isinstance(v, torch.Tensor)}
    name = find_not_finite(numbers)
    if name is not None:
        raise InputError(
            f"the model's {name} is not finite everywhere, so an accuracy under attack would mean"
            " nothing; train the model again"
        )


def random_change(inputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Draw every pixel from [−1, 1), uniformly, in the inputs' shape, type and device."""
    noise = torch.rand(inputs.shape, generator=generator, device=inputs.device, dtype=inputs.dtype)
    return 2 * noise - 1


def largest_change(change: torch.Tensor) -> torch.Tensor:
    """Return the L∞ norm of each image's (batch, *shape) change, of shape (batch, 1, …)."""
    return change.abs().amax(tuple(range(1, change.dim())), keepdim=True)


def times_restarts(restarts: int) -> str:
    """Return the part of an attack's title that gives its restarts, "" for a single start."""
    return f"×{restarts}" if restarts > 1 else ""


@contextmanager
def _statistics_kept(model: nn.Module) -> Iterator[None]:
    """Restore the running statistics, which batch norms in train mode move at every pass."""
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.training]
    before = [{name: buffer.clone() for name, buffer in m.named_buffers()} for m in norms]
    try:
        yield
    finally:
        for norm, kept in zip(norms, before, strict=True):
            for name, buffer in norm.named_buffers():
                buffer.copy_(kept[name])


@contextmanager
def _graphs_released(model: nn.Module) -> Iterator[None]:
    """Detach the membranes that a model keeps, which hold the last gradient's graph."""
    try:
        yield
    finally:
        for module in model.modules():
            for store in (vars(module), module._buffers):
                for name, value in store.items():
                    if isinstance(value, torch.Tensor) and value.grad_fn is not None:
                        store[name] = value.detach()


@contextmanager
def _first_answer_checked(
    model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor
) -> Iterator[None]:
    """Raise InputError if the model's first answer fails, or does not fit the labels."""
    answered = False

    def check(module: nn.Module, given: object, output: object) -> None:
        nonlocal answered
        answered = True
        handle.remove()
        logits = output[0] if isinstance(output, tuple) else output
        if not isinstance(logits, torch.Tensor):
            raise InputError(
                f"the model answers with a {type(logits).__name__}; an attack needs"
                " (batch, classes) logits, or a tuple that begins with them"
            )
        if logits.dim() != 2:
            return  # the attack raises an error about it
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
            f"{own_place(error)}"
        ) from error
    finally:
        handle.remove()


@contextmanager
def guarded(
    model: nn.Module,
    inputs: torch.Tensor,
    labels: torch.Tensor,
    seed: int,
    batch_dim: int,
    *,
    is_known_to_forget: bool = False,
) -> Iterator[torch.Generator]:
    """Ask a model with draws of a seed, and leave it and torch's generators as they were.

    Args:
        model: the model that is attacked.
        inputs, labels: samples that it is shown, or the first of them.
        seed: seed of the generator that is yielded, and in another form of the model's draws.
        batch_dim: dimension of the inputs that counts the samples.
        is_known_to_forget: whether the model need not be asked if it remembers the calls before.

    Raises:
        InputError: the model remembers the calls before, fails on such inputs, does not fit the
            labels, or is not finite.
    """
    check_weights(model)
    generator = torch.Generator(device=inputs.device).manual_seed(int(seed))
    # A random model may draw from torch's global generator: seed it too, and restore it.
    with (
        generators_kept(),
        _statistics_kept(model),
        _graphs_released(model),
        states_kept(model),
        _first_answer_checked(model, inputs, labels),
    ):
        if not is_known_to_forget:
            check_forgets(model, inputs, batch_dim)
        torch.manual_seed(int(seed) ^ DRAWS_APART)
        yield generator


class Attack(ABC):
    """An adversarial attack, called as ``attack(model, inputs, labels)``.

    An attack of your own defines ``title``, ``with_budget`` and ``perturb``; an
    :class:`ImageAttack` has ``with_budget`` already.

    Attributes:
        seed: seed of the attack's own random choices.
        uses_model: whether the result depends on the model that is attacked.
        uses_gradients: whether it needs the model's gradients; if not, answers are enough.
        single_step: whether it follows the gradient in a single step.
        budget_field: name of the attribute that holds the budget, "" if there is none.
        budget_unit: unit of the budget.
        batch_dim: dimension of the inputs that counts the samples.
        takes: what the inputs must be, and which attack takes other inputs, for error messages.
    """

    seed: int
    uses_model: ClassVar[bool] = True
    uses_gradients: ClassVar[bool] = True
    single_step: ClassVar[bool] = False
    budget_field: ClassVar[str] = ""
    budget_unit: ClassVar[str] = ""
    batch_dim: ClassVar[int] = 0
    takes: ClassVar[str] = "inputs in [0, 1]"

    def __call__(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        budget: float | None = None,
    ) -> torch.Tensor:
        """Return adversarial inputs for ``model``, of the shape of ``inputs``.

        As :meth:`run`, which also tells what made each of them.
        """
        return self.run(model, inputs, labels, budget).inputs

    def run(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        budget: float | None = None,
        *,
        is_known_to_forget: bool = False,
    ) -> Chosen:
        """Return adversarial inputs for ``model``, and the name of the part that made each.

        The same seed gives the same inputs if the model draws from torch's default generator or
        does not draw. torch's global generator stays as it was.

        Args:
            model: (batch, *shape) → (batch, classes) logits, or a tuple that begins with them. It
                is attacked in its current mode (usually ``eval()``) and stays as it was. Attacks
                that use gradients need it to be differentiable.
            inputs: inputs of the form that the attack takes, at least one.
            labels: (batch,) whole numbers, the true classes.
            budget: ε, or the number that the attack counts, in place of the attack's own.
            is_known_to_forget: whether the model is not asked first if it remembers the calls
                before, which takes three passes of a sample: in training, once is enough.

        Raises:
            InputError: inputs, labels or budget are out of range, the model fails on such inputs,
                one of its weights or answers is not finite, it has no gradient, or an attack of
                your own returns a wrong result.
        """
        attack = self if budget is None else self.with_budget(budget)
        if not isinstance(model, nn.Module):
            raise InputError(
                f"a torch model is needed, this is a {type(model).__name__}; wrap a Program in"
                " stochi.attacks.ProgramModel"
            )
        attack.check(inputs, labels)
        inputs, labels = inputs.detach(), labels.detach().long()
        known = is_known_to_forget
        with guarded(
            model, inputs, labels, self.seed, self.batch_dim, is_known_to_forget=known
        ) as generator:
            found = attack.perturb(model, inputs.clone(), labels, generator)
        perturbed, by = found if isinstance(found, Chosen) else (found, (self.title,) * len(labels))
        attack.check_found(perturbed, inputs)
        return Chosen(attack.finish(perturbed.detach(), inputs), by)

    @property
    @abstractmethod
    def title(self) -> str:
        """Name in reports, without the budget."""

    @property
    def recipe(self) -> Recipe:
        """What the attack is and does, as a value."""
        return Recipe(
            kind=type(self).__name__,
            title=self.title,
            budget=getattr(self, self.budget_field) if self.budget_field else None,
            budget_unit=self.budget_unit,
            uses_model=self.uses_model,
            uses_gradients=self.uses_gradients,
            single_step=self.single_step,
            draws=getattr(self, "draws", 1),
            parameters=_parameters(self),
        )

    @property
    def name(self) -> str:
        """Name in reports, with the budget."""
        return self.recipe.name

    @abstractmethod
    def with_budget(self: AnyAttack, budget: float) -> AnyAttack:
        """Return the same attack with another budget."""

    @abstractmethod
    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor | Chosen:
        """Return the attacked inputs, and if an attack has several parts, what made each.

        Args:
            model, inputs, labels: as in a call, already checked; ``inputs`` is a copy.
            generator: generator for the attack's own random choices, seeded with ``seed``.
        """

    def check_counts(self, *names: str, least: int = 1) -> None:
        """Raise InputError unless the attributes of these names are ``least`` or more."""
        for name in names:
            count = getattr(self, name)
            if not isinstance(count, Integral) or count < least:
                raise InputError(f"{name} is {count}; it must be a whole number, {least} or more")

    def finish(self, perturbed: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """Return the result of ``perturb`` after a last step; the base changes nothing."""
        return perturbed

    def check_found(self, perturbed: torch.Tensor, inputs: torch.Tensor) -> None:
        """Raise InputError if the result of ``perturb`` cannot be attacked inputs."""
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
        """Raise InputError if inputs and labels are not of the form that the attack takes."""
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
            raise InputError("labels must be whole numbers of 0 or more, the true classes")
        if not inputs.is_floating_point():
            raise InputError(
                f"inputs are {inputs.dtype}; pass floats in [0, 1] (pixels of 8 bits: divide by"
                " 255)"
            )
        low, high = (float(end) for end in torch.aminmax(inputs.detach()))
        if not (low >= 0 and high <= 1):
            raise InputError(
                f"inputs range from {low:g} to {high:g}; they must be numbers in [0, 1] (scale"
                " them, and put any normalization into the model)"
            )


@dataclass(frozen=True)
class ImageAttack(Attack):
    """Perturb images in [0, 1] by at most ``epsilon`` in every pixel (L∞).

    Attributes:
        epsilon: ε in [0, 1], the largest change of a pixel; a budget replaces it.
        seed: seed of the attack's own random choices, a whole number in [0, 2⁶⁴).
        grid: 255 rounds the attacked images to k/255, the chip's 8-bit input, still within ε of the
            clean ones (see :func:`stochi.attacks.grid.onto_grid`); None leaves them as they are.
    """

    takes: ClassVar[str] = (
        "images of shape (batch, *shape); for events, (time_steps, batch, *shape), use GreedySpikes"
    )
    budget_field: ClassVar[str] = "epsilon"
    budget_unit: ClassVar[str] = EPSILON
    epsilon: float
    seed: int = 0
    grid: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        check_fields(self, besides=("epsilon", "seed", "grid"))
        check_epsilon(self.epsilon)
        check_seed(self.seed)
        whole = isinstance(self.grid, Integral) and not isinstance(self.grid, bool)
        if self.grid is not None and (not whole or self.grid < 1):
            raise InputError(
                f"grid is {text_of(self.grid)}; it must be a whole number of at least 1"
                " (255 for the chip's 8-bit images)"
            )

    def check_found(self, perturbed: torch.Tensor, inputs: torch.Tensor) -> None:
        """Raise InputError unless the result of ``perturb`` is images in the ε-ball."""
        super().check_found(perturbed, inputs)
        largest = float((perturbed - inputs).abs().max())
        if largest > self.epsilon + TOLERANCE:
            raise InputError(
                f"{type(self).__name__}.perturb moved a pixel by {largest:g}; ε is {self.epsilon:g}"
            )

    def with_budget(self: AnyImageAttack, budget: float) -> AnyImageAttack:
        """Return the same attack with another ε."""
        return replace(self, epsilon=budget)

    def finish(self, perturbed: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """Round the images to the grid, if there is one."""
        if self.grid is None:
            return perturbed
        return onto_grid(perturbed, inputs, self.epsilon, self.grid)

    def choose(
        self,
        model: nn.Module,
        candidates: Sequence[Candidate],
        inputs: torch.Tensor,
        labels: torch.Tensor,
    ) -> Chosen:
        """Choose the worst candidate of each image, as the images will be shown, on the grid."""
        shown = [self.finish(candidate.images.detach(), inputs) for candidate in candidates]
        if len(shown) == 1:
            return Chosen(shown[0], (candidates[0].name,) * len(labels))
        runs = judging_runs(model, shown[0], getattr(self, "draws", 1))
        images, numbers = judge(model, shown, labels, *runs)
        return Chosen(images, tuple(candidates[number].name for number in numbers.tolist()))

    def random_start(self, inputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Draw a point uniformly from the ε-ball around the inputs."""
        return self.project(inputs + self.epsilon * random_change(inputs, generator), inputs)

    def project(self, perturbed: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """Project images onto the ε-ball and onto [0, 1]."""
        nearest = torch.minimum(
            torch.maximum(perturbed, inputs - self.epsilon), inputs + self.epsilon
        )
        return nearest.clamp(0, 1)

    def bring_in(self, found: torch.Tensor, inputs: torch.Tensor) -> list[torch.Tensor]:
        """Return two images in the ε-ball for what an attack without a bound found.

        One is clipped to the ball. The other is moved along the line from the clean image to the
        ball's surface, which is outwards if the image lies inside the ball.
        """
        change = found - inputs
        along = inputs + change * (self.epsilon / largest_change(change).clamp_min(TINY))
        return [self.project(found, inputs), self.project(along, inputs)]


def _parameters(attack: Attack) -> dict[str, Plain]:
    """Return the fields of an attack that take part in comparisons, as plain values."""
    if not is_dataclass(attack):
        return {}
    values = {field.name: getattr(attack, field.name) for field in fields(attack) if field.compare}
    return {name: _as_plain(value) for name, value in values.items()}


def _as_plain(value: object) -> Plain:
    if isinstance(value, Plain):
        return value
    if isinstance(value, tuple) and value and all(isinstance(one, Surrogate) for one in value):
        return ",".join(one.name for one in value)
    return repr(value)
