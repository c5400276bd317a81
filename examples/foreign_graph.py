"""Lower a NIR graph that another framework wrote, and show it events."""

from itertools import pairwise
from pathlib import Path

import nir
import numpy as np
import torch

from stochi.deploy import lower, read_graph
from stochi.sim import Record, run

DT = 1e-3  # seconds per time step; NIR's time constants are in seconds


def build_graph() -> nir.NIRGraph:
    """Return a two-layer network, as any framework that writes NIR would describe it."""
    rng = np.random.default_rng(0)
    zeros, ones = np.zeros(32), np.ones(32)
    nodes = {
        "input": nir.Input(np.array([64])),
        "weights1": nir.Affine(rng.normal(0.02, 0.15, (32, 64)), zeros),
        # tau_syn, tau_mem, r, v_leak, v_threshold
        "hidden": nir.CubaLIF(4e-3 * ones, 1e-2 * ones, ones, zeros, ones / 2, w_in=4 * ones),
        "weights2": nir.Affine(rng.normal(0.02, 0.3, (10, 32)), np.full(10, 0.01)),
        "neurons": nir.LIF(
            tau=20e-3 * ones[:10], r=10 * ones[:10], v_leak=zeros[:10], v_threshold=ones[:10]
        ),
        "output": nir.Output(np.array([10])),
    }
    return nir.NIRGraph(nodes, list(pairwise(nodes)))


def draw_events(time_steps: int) -> torch.Tensor:
    """Return (time steps, 5, 64) frames of exactly 0 and 1, a sample each of 0 to 40 % events."""
    uniform = torch.rand(time_steps, 5, 64, generator=torch.Generator().manual_seed(0))
    return (uniform < torch.linspace(0, 0.4, 5)[:, None]).float()


def main(out: Path = Path("runs/examples"), time_steps: int = 100) -> Record:
    """Write the graph, read it back, lower it and print the rates for sparse to dense events."""
    out.mkdir(parents=True, exist_ok=True)
    nir.write(str(out / "foreign_graph.nir"), build_graph())
    graph = read_graph(out / "foreign_graph.nir")
    # NIR does not say how spikes reset a neuron: to v_reset, or by subtracting the threshold.
    program = lower(graph, dt=DT, time_steps=time_steps, events=True, reset="zero")
    program.save(out / "foreign_graph.program")
    print(program)
    record = run(program, draw_events(time_steps), probes=("spikes", "membrane"))
    record.save(out / "foreign_graph.npz")
    for layer, spikes in record.spikes.items():
        rates = spikes.double().mean((0, 2)) / DT
        print(f"{layer}: " + ", ".join(f"{rate:.0f}" for rate in rates) + " spikes per second")
    return record


if __name__ == "__main__":
    main()
