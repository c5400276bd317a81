"""Published energies and times of a chip's events, and of the operations of a quantized ANN.

Figures of different sources belong to different processes. Nothing here is scaled from one process
or chip to another.
"""

from dataclasses import dataclass

from stochi.errors import InputError


@dataclass(frozen=True)
class Cost:
    """Cost of one event.

    Attributes:
        picojoules: energy.
        nanoseconds: time.
    """

    picojoules: float
    nanoseconds: float


@dataclass(frozen=True)
class Figures:
    """Published costs of a chip's events.

    Attributes:
        chip: the chip that was measured or simulated, a name in ``CHIPS``.
        title: what people call it.
        process: its manufacturing process.
        source: where the figures stand.
        access: a neuron is read, at every time step.
        update: a neuron computes and its state is written, on top of the access.
        spike: a neuron spikes, on top of both.
        synapses: format of the synapse → a spike is processed at it.
        message_out: a spike is sent to one core.
        axon_in: a spike arrives at a core.
        hop_north_south, hop_east_west: a message travels between two neighbouring tiles.
        random_number: a random number is drawn. No time is published.
    """

    chip: str
    title: str
    process: str
    source: str
    access: Cost
    update: Cost
    spike: Cost
    synapses: dict[str, Cost]
    message_out: Cost
    axon_in: Cost
    hop_north_south: Cost
    hop_east_west: Cost
    random_number: Cost


DENSE, SPARSE, CONVOLUTIONAL = "dense", "sparse", "convolutional"
"""Formats of synapses that have costs of their own."""

LOIHI1_FIGURES = Figures(
    chip="loihi1",
    title="Loihi 1",
    process="14 nm",
    source=(
        "SANA-FE arch/loihi.yaml and arch/loihi_with_noise.yaml, after SPICE simulations in Davies"
        " et al., IEEE Micro 2018"
    ),
    access=Cost(51.2, 6.0),
    update=Cost(21.6, 3.7),
    spike=Cost(69.3, 30.0),
    synapses={DENSE: Cost(35.5, 3.8), SPARSE: Cost(33.6, 4.7), CONVOLUTIONAL: Cost(24.0, 3.1)},
    message_out=Cost(111.0, 5.1),
    axon_in=Cost(0.0, 16.0),
    hop_north_south=Cost(4.2, 6.5),
    hop_east_west=Cost(3.0, 4.1),
    random_number=Cost(6.0, 0.0),
)
"""Figures of Loihi 1. Its random number is the difference of a neuron's update, 27.6 − 21.6 pJ."""

FIGURES = {figures.chip: figures for figures in (LOIHI1_FIGURES,)}
"""Chip's name → its published figures. Nothing is public for Loihi 2."""


def find_figures(chip: str) -> Figures:
    """Return the published figures of a chip.

    Raises:
        InputError: there are none; the message lists the chips that have some.
    """
    if chip not in FIGURES:
        raise InputError(
            f"figures is {chip!r}; energies and times are published for {', '.join(FIGURES)} only"
        )
    return FIGURES[chip]


@dataclass(frozen=True)
class DigitalFigures:
    """Published energies of the operations of a digital accelerator, in pJ.

    Attributes:
        process: manufacturing process.
        source: where the figures stand.
        multiply: an 8-bit product.
        add: a 32-bit sum, since sums of 8-bit products take more than 8 bits.
        reads: (bytes of an on-chip memory, energy of 64 bits read from it), from small to large.
    """

    process: str
    source: str
    multiply: float
    add: float
    reads: tuple[tuple[int, float], ...]

    def byte_read(self, held: int) -> tuple[int, float]:
        """Return the size of the smallest memory that holds some bytes, and a byte's energy.

        More than the largest memory is taken to be several of these: an underestimate, since
        the way between them is left out.
        """
        size, energy = next((r for r in self.reads if r[0] >= held), self.reads[-1])
        return size, energy / 8


DIGITAL_45NM = DigitalFigures(
    process="45 nm",
    source="Horowitz, Computing's energy problem, ISSCC 2014",
    multiply=0.2,
    add=0.1,
    reads=((2**13, 10.0), (2**15, 20.0), (2**20, 100.0)),
)
