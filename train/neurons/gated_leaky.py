"""A leaky integrate-and-fire neuron whose spikes pass a random gate."""

from collections.abc import Callable
from typing import Any

import snntorch as snn
import torch
from torch import nn

from stochi.arguments import check_arguments
from stochi.errors import InputError
from stochi.train.neurons.checks import check_leaky_options

LEAST_SHARE = 0.1
"""Least probability of a learned gate, as in the authors' code."""


class GatedLeaky(snn.Leaky):
    """``snn.Leaky`` whose spikes pass on with a probability: s := s·g, g ~ Bernoulli(p).

    Stochastic gating (StoG, Ding et al., AAAI 2024). g is drawn for every neuron, sample and time
    step, in training and in eval mode; spikes are not scaled up. The neuron itself is reset by a
    spike that its gate stops. A chip takes two of its stock neurons for one (``to_nir``).

    Args:
        beta: decay β of the membrane, a number or a tensor that broadcasts over the neurons.
        open_share: p in (0, 1], a number or a tensor that broadcasts over the neurons.
        learn_gates: whether p is learned. It is used within [0.1, 1], and its gradient is that of
            s·p. In the paper every neuron has a p of its own, from 1 on, and the loss has γ·Σp²
            with γ = 5·10⁻⁶; pass a tensor of ones of the neurons' shape, and add that to your loss.
        generator: a ``torch.Generator`` for the draws, on the device of the inputs; ``None`` uses
            torch's default one.
        threshold, spike_grad, init_hidden, output, reset_mechanism, reset_delay, learn_beta,
            learn_threshold: as in ``snn.Leaky``; the default is a reset to zero, at once, as a
            chip's stock neuron does it.

    Attributes:
        open_share: p, a buffer or a parameter.
        quiet: whether all gates are open.

    Raises:
        InputError: an argument is out of range.
    """

    open_share: torch.Tensor

    def __init__(
        self,
        beta: float | torch.Tensor = 0.5,
        *,
        open_share: float | torch.Tensor = 0.9,
        learn_gates: bool = False,
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
        check_arguments(GatedLeaky.__init__, locals())
        check_leaky_options(beta, threshold, reset_mechanism)
        check_open_share(open_share)
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
        share = torch.as_tensor(open_share, dtype=torch.get_default_dtype()).detach().clone()
        if learn_gates:
            self.open_share = nn.Parameter(share)
        else:
            self.register_buffer("open_share", share)
        self.generator = generator
        self.quiet = False

    def gate_shares(self) -> torch.Tensor:
        """Return the probability with which each gate is open."""
        if isinstance(self.open_share, nn.Parameter):
            return self.open_share.clamp(LEAST_SHARE, 1)
        return self.open_share

    def forward(self, input_: torch.Tensor, mem: torch.Tensor | None = None) -> Any:
        """Compute one step of a ``(batch, …)`` current, with the results of ``snn.Leaky``."""
        found = super().forward(input_, mem)
        if isinstance(found, tuple):
            return self._passed(found[0]), *found[1:]
        return self._passed(found)

    def _passed(self, spikes: torch.Tensor) -> torch.Tensor:
        """Return the spikes whose gates are open."""
        if self.quiet:
            return spikes
        share = self.gate_shares().to(spikes.dtype)
        drawn = torch.rand(
            spikes.shape, generator=self.generator, device=spikes.device, dtype=spikes.dtype
        )
        return spikes * ((drawn < share).to(spikes.dtype) + (share - share.detach()))

    def extra_repr(self) -> str:
        """Return the options that a printed network shows."""
        share = self.gate_shares().detach()
        return f"open_share={float(share.mean()):g}" + ("" if share.numel() == 1 else " on average")


def check_open_share(open_share: float | torch.Tensor) -> None:
    """Raise InputError unless gates are open with probabilities in (0, 1]."""
    share = torch.as_tensor(open_share)
    if not share.numel() or not bool(((share > 0) & (share <= 1)).all()):
        raise InputError(f"open_share is {open_share}; it must be above 0 and at most 1")
