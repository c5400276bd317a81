"""The README of a folder, and the packages that it needs."""

import re
import textwrap

from stochi.plain_text import escape_text
from stochi.program.program import Program
from stochi.sim.lava.compatibility import INSTALL
from stochi.sim.lava.folder_run import Form

REQUIREMENTS = f"""\
# What lava-nc 0.10.0 imports when it runs this folder. lava-nc itself names Python 3.10 and numpy 1
# only, so pip installs it alone, after these:
#   {INSTALL}
numpy>=1.26
scipy>=1.11
asteval>=0.9.31,<0.10
networkx<=2.8.7
"""

_HEAD = """\
# A spiking network for Lava

Written by `stochi deploy --format lava`. It runs where lava-nc and numpy are
installed; neither torch nor Stochi is needed.

    pip install -r requirements.txt
    {install}
    python run.py

`run.py` builds the network out of Lava processes, runs {samples} samples of {steps} time steps on
Lava's runtime and compares every spike with the expected ones. Its last line is `0 of N spikes
differ`; its exit status is 0 if nothing differs, 1 if something does, 2 if it cannot run.
`sha256sum -c SHA256SUMS` tells whether a file was changed on the way. Lava starts its processes by
fork, so the run needs Linux or another Unix.

- `model.program`: the network in the chip's integers, for {chip} with noise "{noise}"; an archive
  of numpy arrays without pickles.
- `inputs.npz`: `frames`, the integers that the input sends, (1 or time steps, samples, *shape);
  `seed` and `trial` of the draws.
- `expected.npz`: spikes of every layer, the output's membranes, and the logits, as Stochi's engine
  computes them.
- `run.py` and `stochi_lava/`: the script, and copies of Stochi's source files that differ from them
  in the package's name only: Lava processes, the chip's arithmetic, the reader of the Program.

## The processes

{processes}

Axes are reversed, (W, H, C), as in Lava's convolutions. {order}

| layer | neurons | fed by | on Lava |
|---|---|---|---|
{rows}
"""

_STOCK = """\
Connections are Lava's own `Dense` and `Conv` (a pooling is a `Conv` of ones). Their sums reach the
neurons a time step after the spikes, so each layer runs some time steps later than the one before.
Neurons are Lava's own `LIFReset` where it has all that the layer needs; else they are `ChipNeurons`
(`stochi_lava/sim/lava/processes/chip_neurons.py`), which take the same sums. `FrameSource` sends
the input. `WeightExponent` shifts a convolution's sums, since Lava's `Conv` knows no exponent."""
_WHOLE = """\
Each layer is one process, `ChipLayer` (`stochi_lava/sim/lava/processes/chip_layer.py`), with its
connections and its neurons, since Lava's own processes cannot express the network:
{why}. `BatchSource` sends the input."""

_CHIP = """\
## What a chip needs

Everything here was **verified only in simulation**, on Lava's Python models on a CPU. Nobody has
run this folder on a Loihi: lava-nc holds only Python models of these processes. Lava's extension
for Loihi is available to members of Intel's Neuromorphic Research Community only, as lava-nc's own
README says; we had no access to it, and it may need changes that are not in this list.

- The run configuration: `stochi_lava/sim/lava/runtime.py` starts `Loihi2SimCfg` with the tag
  `fixed_pt`. lava-nc also has `Loihi2HwCfg` and `Loihi1HwCfg`, which prefer models for a neuro core
  where an installed package has some.
- Input and output: {source} and the reading of spikes are Python processes on the
  host. On the chip they need the extension's own way to send and receive spikes.
{needs}
Verified in simulation, by Stochi's tests: the same integers in these processes, in Stochi's engine
and, where Lava's own processes know the network, in those. Not verified: that a chip gives these
integers, its speed, its energy, and whether the network fits on its cores.
"""


def write_readme(program: Program, form: Form, samples: int) -> str:
    """Return the README of a Program's folder."""
    whole = form.whole_layers is not None
    target = program.target
    return (
        _HEAD.format(
            install=INSTALL,
            samples=samples,
            steps=target.time_steps,
            chip=target.chip,
            noise=target.noise,
            processes=_WHOLE.format(why=form.whole_layers) if whole else _STOCK,
            order="Samples run side by side." if whole else "Samples run one after another.",
            rows="\n".join(_rows(program, form)),
        )
        + "\n"
        + _CHIP.format(
            source="`BatchSource`" if whole else "`FrameSource`", needs=_needs(program, form)
        )
    )


def _rows(program: Program, form: Form) -> list[str]:
    rows = []
    for layer in program.layers:
        fed = ", ".join(dict.fromkeys(projection.source for projection in layer.projections))
        why = form.neurons.get(layer.name)
        runs_on = "`LIFReset`" if why is None else f"`ChipNeurons`: Lava's LIF has no {why}"
        if form.whole_layers is not None:
            runs_on = "`ChipLayer`"
        shape = "×".join(map(str, layer.shape))
        rows.append(f"| {_shown(layer.name)} | {shape} | {_shown(fed)} | {runs_on} |")
    return rows


def _shown(names: str) -> str:
    """Return names that a page of Markdown shows as they are."""
    return re.sub(r"([\\`*\[\]<>|&])", r"\\\1", escape_text(names))


def _needs(program: Program, form: Form) -> str:
    lines = []
    if form.whole_layers is not None:
        lines.append(
            "`ChipLayer` has only a Python model. On the chip its connections are synapses, and its"
            " neurons compartments, so the network has to be built anew from `model.program`."
        )
    microcode = [layer.name for layer in program.layers if layer.decay.drawn]
    if microcode:
        lines.append(
            f"The neurons of {_shown(', '.join(microcode))} draw their decay at run time and have"
            " only a Python model. Loihi 2 has programmable neurons; the microcode is not part of"
            " this folder. `stochi_lava/hardware/neuron.py` defines their arithmetic. The draws"
            f" come from a {_SOURCES[program.target.random_source]}; a chip's generator would draw"
            " other numbers, so expect equal distributions, not equal spikes."
        )
    noisy = [layer.name for layer in program.layers if layer.generator is not None]
    if noisy:
        lines.append(
            f"The neurons of {_shown(', '.join(noisy))} add noise of the chip's stock generator,"
            " whose exponent, mantissa and target are in `model.program`. The chip's own generator"
            " draws other numbers, so expect equal distributions, not equal spikes."
        )
    resets = [layer.name for layer in program.layers if layer.resets_in_microcode]
    if resets:
        lines.append(
            f"The neurons of {_shown(', '.join(resets))} reset otherwise than to 0 at the spike,"
            " which takes a programmable neuron."
        )
    others = set(form.neurons) - {*microcode, *noisy, *resets}
    if others and form.whole_layers is None:
        lines.append(
            f"The neurons of {_shown(', '.join(sorted(others)))} have only a Python model here. The"
            " table above says what Lava's LIF lacks for them."
        )
    if program.target.input_levels > 1:
        lines.append(
            f"The input is graded: integers of up to {program.target.input_levels}, with a spike of"
            " each pixel at each time step, which Loihi 2 has and Loihi 1 does not."
        )
    items = (textwrap.fill(line, 98, break_on_hyphens=False) for line in lines)
    return "".join(f"- {textwrap.indent(item, '  ').strip()}\n" for item in items)


_SOURCES = {
    "philox": "counter-based generator (Philox)",
    "lfsr": "shift register (LFSR)",
}
