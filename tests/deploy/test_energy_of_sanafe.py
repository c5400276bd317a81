"""Energy of the same spikes in SANA-FE, beside ours: ``pip install --no-deps sanafe==2.2.9``.

A layer lies on one core, and all cores on one tile, so that nothing hops. A driver for each neuron
makes it spike where the engine's record has a spike; the network's own synapses have a weight of 0
and only cost. A driver's spike arrives a time step later, so SANA-FE runs one step more.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stochi.deploy import Program, estimate, lower
from stochi.deploy.estimates.destinations import fewest_destinations
from stochi.deploy.estimates.fan_out import synapse_format
from stochi.export import to_nir
from stochi.hardware.energy import LOIHI1_FIGURES
from stochi.program.layers import INPUT, Layer
from stochi.sim import run
from stochi.train.networks import small_conv_net
from tests.deploy.test_estimates import ways

pytestmark = pytest.mark.slow
FORMATS = {
    "dense": "loihi_dense_synapse",
    "sparse": "loihi_sparse_synapse",
    "convolutional": "loihi_conv_synapse",
}


def architecture(path: Path, layers: int, inputs: int) -> None:
    """Write a chip of one tile, with costs of ours, a core a layer and a free one for drivers."""
    costs = LOIHI1_FIGURES
    free = "{model: input, energy_access_neuron: 0.0, latency_access_neuron: 0.0,"
    free += " energy_update_neuron: 0.0, latency_update_neuron: 0.0,"
    free += " energy_spike_out: 0.0, latency_spike_out: 0.0}"
    lif = "{model: leaky_integrate_fire"
    for name, cost in (("access", costs.access), ("update", costs.update)):
        lif += f", energy_{name}_neuron: {cost.picojoules}e-12"
        lif += f", latency_{name}_neuron: {cost.nanoseconds}e-9"
    lif += f", energy_spike_out: {costs.spike.picojoules}e-12"
    lif += f", latency_spike_out: {costs.spike.nanoseconds}e-9}}"
    synapses = "".join(
        f"""
            - name: {FORMATS[kind]}
              attributes: {{model: current_based, energy_process_spike: {cost.picojoules}e-12,
                latency_process_spike: {cost.nanoseconds}e-9}}"""
        for kind, cost in costs.synapses.items()
    )
    cores = "".join(
        f"""
        - name: {name}
          attributes: {{buffer_position: soma, buffer_inside_unit: false,
            max_neurons_supported: 100000}}
          axon_in:
            - name: in
              attributes: {{energy_message_in: 0.0, latency_message_in: 16.0e-9}}
          synapse:{synapses}
          dendrite:
            - name: dendrites
              attributes: {{model: accumulator, energy_update: 0.0, latency_update: 0.0}}
          soma:
            - name: lif
              attributes: {lif}
            - name: driver[0..{max(1, drivers - 1)}]
              attributes: {free}
          axon_out:
            - name: out
              attributes: {{energy_message_out: {energy}e-12, latency_message_out: 5.1e-9}}"""
        for name, drivers, energy in (
            (f"layer[0..{max(1, layers - 1)}]", 1, costs.message_out.picojoules),
            ("drivers", inputs, 0.0),
        )
    )
    path.write_text(
        f"""
architecture:
  name: one_tile
  attributes: {{topology: mesh, width: 1, height: 1, link_buffer_size: 16, sync_model: fixed,
    latency_sync: 0.0}}
  tile:
    - name: tile
      attributes: {{energy_north_hop: 0.0, latency_north_hop: 0.0, energy_east_hop: 0.0,
        latency_east_hop: 0.0, energy_south_hop: 0.0, latency_south_hop: 0.0,
        energy_west_hop: 0.0, latency_west_hop: 0.0}}
      core:{cores}
"""
    )


def pairs_of(layer: Layer, shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return (source, target) of each synapse that a spike reaches; dense ones with their zeros."""
    (projection,) = layer.projections
    zeros = synapse_format(projection) == "dense"
    found = np.argwhere(ways(projection.stages, shape, zeros=zeros).T)
    return [(int(source), int(target)) for source, target in found]


def simulate(program: Program, frames: Any, spikes: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return what SANA-FE finds of one sample.

    Args:
        frames: (time steps, inputs) bool.
        spikes: layer's name → (time steps, neurons) bool.
    """
    sanafe = pytest.importorskip("sanafe", reason="SANA-FE is not installed")
    drivers = frames.shape[1] + sum(values.shape[1] for values in spikes.values())
    architecture(folder / "chip.yaml", len(program.layers), drivers)
    chip_plan = sanafe.load_arch(str(folder / "chip.yaml"))
    *cores, driver_core = chip_plan.cores()
    net = sanafe.Network()
    free = 0

    def driven(name: str, trains: Any) -> Any:
        nonlocal free
        group = net.create_neuron_group(name, trains.shape[1])
        for number in range(trains.shape[1]):
            group[number].set_attributes(
                soma_hw_name=f"driver[{free}]",
                model_attributes={"spikes": [bool(spike) for spike in trains[:, number]]},
            )
            group[number].map_to_core(driver_core)
            free += 1
        return group

    groups = {INPUT: driven(INPUT, frames)}
    for layer, core in zip(program.layers, cores, strict=False):
        (projection,) = layer.projections
        attributes = {"threshold": 0.5, "reset": 0.0, "leak_decay": 0.0, "force_update": True}
        group = net.create_neuron_group(
            layer.name,
            layer.neurons,
            model_attributes=attributes,
            soma_hw_name="lif",
            default_synapse_hw_name=FORMATS[synapse_format(projection)],
        )
        shape = program.source_shape(projection, layer)
        pairs = pairs_of(layer, shape)
        source = groups[projection.source]
        source.connect_neurons_sparse(group, {"weight": [0.0] * len(pairs)}, pairs)
        for number in range(layer.neurons):
            group[number].map_to_core(core)
        groups[layer.name] = group
        if layer.spikes:
            trains = driven(f"driver of {layer.name}", spikes[layer.name])
            one_to_one = [(number, number) for number in range(layer.neurons)]
            trains.connect_neurons_sparse(group, {"weight": [1.0] * layer.neurons}, one_to_one)
    chip = sanafe.SpikingChip(chip_plan)
    chip.load(net)
    found: dict[str, Any] = chip.sim(program.target.time_steps + 1)
    return found


def test_sanafe_finds_the_same_energy_for_the_same_spikes(tmp_path: Path) -> None:
    pytest.importorskip("sanafe", reason="SANA-FE is not installed")
    net = small_conv_net(channels=(4, 8), time_steps=4).eval()
    with torch.no_grad():
        for module in (net.network.conv1, net.network.conv2):
            module.weight *= 4
    shown = torch.rand(1, 1, 8, 8) > 0.5
    program = lower(to_nir(net, shown.float()), events=True)
    steps = program.target.time_steps
    stream = shown.expand(steps, *shown.shape).float()
    record = run(program, stream, probes=("spikes",))
    spikes = {name: values[:, 0].flatten(1).numpy() for name, values in record.spikes.items()}
    frames = stream[:, 0].flatten(1).numpy() > 0
    theirs = simulate(program, frames, spikes, tmp_path)["energy"]
    one_core_each = fewest_destinations(program)
    ours = estimate(program, stream, figures="loihi1", destinations=one_core_each)
    assert ours.accounts is not None
    costs, layers = LOIHI1_FIGURES, ours.counts.layers
    driving = sum(
        layer.spikes * costs.synapses[layer.projections[0].format].picojoules for layer in layers
    )
    a_step_more = sum(layer.neurons for layer in layers) * (
        costs.access.picojoules + costs.update.picojoules
    )
    resting = sum(layer.accesses - layer.updates for layer in layers) * costs.update.picojoules
    nanojoules = {name: float(value) * 1e9 for name, value in theirs.items()}
    accounts = ours.accounts
    print(f"SANA-FE {nanojoules}, drivers {driving / 1000}")
    print(f"a step more {a_step_more / 1000}, resting neurons {resting / 1000}")
    print(f"ours {accounts.synapses}, {accounts.neurons}, {accounts.messages}")
    assert accounts.messages > 0 and accounts.synapses > 0
    assert nanojoules["synapse"] == pytest.approx(accounts.synapses + driving / 1000)
    assert nanojoules["network"] == pytest.approx(accounts.messages)
    assert nanojoules["soma"] == pytest.approx(accounts.neurons + (a_step_more + resting) / 1000)
