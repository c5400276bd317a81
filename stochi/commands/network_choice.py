"""The network that ``stochi train`` builds, from the words of the command line."""

from typing import TYPE_CHECKING, Annotated

import typer

from stochi.commands.options import refuse, was_given
from stochi.errors import InputError

if TYPE_CHECKING:
    from stochi.data.catalogue import DataSet
    from stochi.train import NetworkConfig

NETWORKS = ("conv", "mlp", "sew-resnet19", "vgg9")

NetworkOption = Annotated[
    str,
    typer.Option(
        help="conv: two convolutions; mlp: two linear layers, for events only; sew-resnet19 or"
        " vgg9: deep ones, for images only."
    ),
]
WidthOption = Annotated[
    int | None,
    typer.Option(
        help="Number of channels of a deep network's first stage, 16 by default; the RandHet-SNN"
        " paper has 128."
    ),
]
RandomLayersOption = Annotated[
    int | None,
    typer.Option(
        help="Number of layers of a deep network, from the input on, that draw τ; all by default."
    ),
]
NeuronOption = Annotated[
    str,
    typer.Option(
        help="random: neurons that draw τ; plain: snn.Leaky, which does not; cuba: snn.Synaptic,"
        " whose input current decays as well; noisy: NoisyLeaky, with noise on its membrane; or"
        " gated: GatedLeaky, whose spikes pass random gates."
    ),
]
TimeStepsOption = Annotated[
    int | None,
    typer.Option(
        help="Number of time steps that an image is shown, 8 by default, or into which a recording"
        " of events is cut, 10 by default."
    ),
]
SigmaOption = Annotated[float, typer.Option(help="Spread of the logit of the random decay λ.")]
SamplingOption = Annotated[
    str,
    typer.Option(
        help="When λ is drawn: at each time step (step), once per sample (forward), once for all"
        " (fixed), or never (mean)."
    ),
]
InputGainOption = Annotated[
    str, typer.Option(help="Factor of the input: 1 − λ (coupled) or 1 − E[λ] (mean).")
]
BitsOption = Annotated[
    int,
    typer.Option(help="Draw λ from a table of 2^bits entries, 1 to 8 bits; 0: no table."),
]

NoiseStdOption = Annotated[
    float,
    typer.Option(help="Standard deviation of noisy neurons' noise; their threshold is 1."),
]

OpenShareOption = Annotated[
    float,
    typer.Option(help="Probability with which gated neurons' gates let a spike pass."),
]


def choose_network(
    context: typer.Context, chosen: "DataSet", *, batch_norm: bool
) -> "NetworkConfig":
    """Return the configuration of a network for a data set, from the options of a command.

    Raises:
        InputError: an option is out of range or has no effect.
    """
    from stochi.train import NetworkConfig
    from stochi.train.networks import check_time_steps

    given = context.params
    network, time_steps, width = given["network"], given["time_steps"], given["width"]
    _check_kind(context, chosen, network)
    time_steps = (chosen.time_steps or 8) if time_steps is None else time_steps
    check_time_steps(time_steps)
    same = ("sigma", "sampling", "input_gain", "neuron", "noise_std", "open_share", "random_layers")
    found = NetworkConfig(
        input_shape=chosen.shape,
        classes=chosen.classes,
        time_steps=time_steps,
        bits=given["bits"] or None,
        batch_norm=batch_norm,
        kind=f"event-{network}" if chosen.events else network,
        width=16 if width is None else width,
        **{name: given[name] for name in same},
    )
    _check_neuron(context, found)
    return found


def _check_kind(context: typer.Context, chosen: "DataSet", network: str) -> None:
    """Raise InputError unless a data set's samples go with a kind of network."""
    from stochi.train.deep_networks.catalogue import DEEP_NETWORKS

    if network not in NETWORKS:
        raise InputError(f"--network is {network!r}; choose from {', '.join(NETWORKS)}")
    if network == "mlp" and not chosen.events:
        raise InputError(
            f"--network mlp is for events, and {chosen.name} consists of images; leave it out"
        )
    if network not in DEEP_NETWORKS:
        refuse(context, ("width", "random_layers"), f"it is for deep networks, not {network}")
    elif chosen.events:
        raise InputError(
            f"--network {network} is for images, and {chosen.name} consists of events; choose conv"
            " or mlp"
        )


def _check_neuron(context: typer.Context, network: "NetworkConfig") -> None:
    """Raise InputError if an option of the neurons is out of range or has no effect."""
    neuron = network.neurons  # which checks the options
    if neuron.kind != "random":
        options = ("sigma", "sampling", "input_gain", "bits", "random_layers")
        refuse(context, options, f"it is for random decays, and --neuron {neuron.kind} draws none")
    for option, kind in (("noise_std", "noisy"), ("open_share", "gated")):
        if neuron.kind != kind:
            refuse(context, (option,), f"it is for --neuron {kind}, and this is {neuron.kind}")
    if neuron.kind == "random" and neuron.sampling == "mean":
        without_effect = {
            "sigma": was_given(context, "sigma"),
            "bits": neuron.bits is not None,
            "random-layers": network.random_layers is not None,
        }
        for name in (name for name, given in without_effect.items() if given):
            raise InputError(f"--{name} is for random decays; --sampling mean draws none")
