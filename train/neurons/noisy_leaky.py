"""A leaky integrate-and-fire neuron with noise on its membrane."""

from collections.abc import Callable

import snntorch as snn
import torch

from stochi.arguments import check_arguments
from stochi.deploy.graph.membrane_noise import MembraneNoise
from stochi.errors import InputError, check_not_too_large
from stochi.train.neurons.checks import check_leaky_options


def make_noise(noise_std: float, distribution: str = "normal") -> MembraneNoise:
    """Make a neuron's noise; raise InputError if its deviation or distribution is out of range."""
    if not noise_std > 0:
        raise InputError(f"noise_std is {noise_std}; it must be above 0 (snn.Leaky has no noise)")
    check_not_too_large(noise_std=noise_std)
    return MembraneNoise(float(noise_std), distribution)


class NoisyLeaky(snn.Leaky):
    """``snn.Leaky`` whose membrane gets additive noise at every time step: v := β·v + x + ξ.

    The noisy neuron of threshold guarding optimization (TGO, Wang et al., ICLR 2026) and of noisy
    spiking networks (Ma et al., Patterns 2023): whether it fires is a matter of probability. ξ is
    drawn for every neuron, sample and time step, in training and in eval mode, and stays in the
    membrane, with its leak. On a chip, the stock generator makes noise of this deviation, which is
    uniform; with ``distribution="uniform"`` the chip's noise has this one's shape as well.

    Args:
        beta: decay β of the membrane, a number or a tensor that broadcasts over the neurons.
        noise_std: standard deviation of ξ, above 0 and at most 1,000,000, in units of the membrane.
        distribution: distribution of ξ, "normal" or "uniform", with a mean of 0.
        generator: a ``torch.Generator`` for the draws, on the device of the inputs; ``None`` uses
            torch's default one.
        threshold, spike_grad, init_hidden, output, reset_mechanism, reset_delay, learn_beta,
            learn_threshold: as in ``snn.Leaky``; the default is a reset to zero, at once, as a
            chip's stock neuron does it.

    Attributes:
        noise: deviation and distribution of ξ.
        quiet: whether no noise is added.

    Raises:
        InputError: an argument is out of range.
    """

    def __init__(
        self,
        beta: float | torch.Tensor = 0.5,
        *,
        noise_std: float = 0.2,
        distribution: str = "normal",
        generator: torch.Generator | None = None,
        threshold: float | torch.Tensor = 1.0,
        spike_grad: Callable[[torch.Tensor], torch.Tensor] | None = None,
        init_hidden: bool = False,
        output: bool = False,
        reset_mechanism: str = "zero",
        reset_delay: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
    ) -> None:
        check_arguments(NoisyLeaky.__init__, locals())
        check_leaky_options(beta, threshold, reset_mechanism)
        noise = make_noise(noise_std, distribution)
        super().__init__(
            beta=beta,
            threshold=threshold,
            spike_grad=spike_grad,
            init_hidden=init_hidden,
            output=output,
            reset_mechanism=reset_mechanism,
            reset_delay=reset_delay,
            learn_beta=learn_beta,
            learn_threshold=learn_threshold,
        )
        self.noise = noise
        self.generator = generator
        self.quiet = False

    def _base_state_function(self, input_: torch.Tensor) -> torch.Tensor:
        """Return the membrane after a step, where all of snn.Leaky's resets begin."""
        updated: torch.Tensor = super()._base_state_function(input_)
        return updated if self.quiet else updated + self.noise.draw(updated, self.generator)

    def extra_repr(self) -> str:
        """Return the options that a printed network shows."""
        return f"noise_std={self.noise.std}, distribution={self.noise.distribution!r}"
