"""Many random Programs on the engine and on Lava, compared value by value and counted by kind.

    .venv/bin/python -m tests.sim.deep_run --programs 10000

Hypothesis draws the Programs from fixed seeds, so that a run can be repeated. The run stops at a
mismatch, and Hypothesis prints the smallest Program that shows it.
"""

import argparse
import time
from collections import Counter

import joblib
from hypothesis import HealthCheck, Phase, given, seed, settings

from stochi.commands.console import Output
from stochi.parity.records.comparison import compare_records
from stochi.program.layers import CONSTANT, INPUT
from stochi.program.program import Program
from stochi.sim import run
from stochi.sim.inputs import check_inputs
from stochi.sim.lava.session import LavaSession
from stochi.sim.recording import PROBES, Probes
from tests.sim.random_programs import Case, cases

CHUNK = 100


def run_chunk(number: int, programs: int) -> Counter[str]:
    """Compare a number of Programs, and return the counts."""
    counts: Counter[str] = Counter()

    @seed(number)
    @settings(
        max_examples=programs,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases())
    def compare(case: Case) -> None:
        engine = run(case.program, case.inputs, probes=PROBES, **case.coordinates)
        shown = check_inputs(case.program, case.inputs)
        with LavaSession(case.program, case.side_by_side) as session:
            lava = session.run(shown, case.draws, Probes(PROBES))
        comparisons = compare_records(engine, lava)
        different = sum(c.mismatches for c in comparisons)
        different += int((engine.logits != lava.logits).sum())
        counts["programs"] += 1
        counts["compared values"] += sum(c.compared for c in comparisons) + engine.logits.numel()
        counts["mismatches"] += different
        counts["spikes"] += sum(int(spikes.sum()) for spikes in engine.spikes.values())
        counts.update(features(case.program))
        assert different == 0, case

    compare()
    return counts


def features(program: Program) -> list[str]:
    """List the features of a Program that can go wrong."""
    found = ["layers"] * len(program.layers)
    if program.readout == "membrane" and program.layer(program.output).spikes:
        found.append("programs whose spiking neurons are read by their membranes")
    if program.over_time == "last":
        found.append("programs that are read at the last time step")
    if program.target.random_source == "lfsr":
        found.append("programs that draw from an LFSR")
    order = {layer.name: place for place, layer in enumerate(program.layers)}
    for place, layer in enumerate(program.layers):
        decay = layer.decay
        flags = {
            "layers with several inputs": len(layer.projections) > 1,
            "layers that draw their decays": decay.drawn,
            "programmable layers": decay.programmable,
            "current-based layers": layer.current_keep is not None,
            "layers that reset by subtraction": layer.reset == "subtract" and layer.spikes,
            "layers that never reset": layer.reset == "none" and layer.spikes,
            "layers that reset late": layer.reset_delay and layer.spikes,
            "layers that reset late, with a refractory period": layer.reset_delay
            and layer.refractory > 0,
            "layers that reset their currents": layer.reset_current and layer.spikes,
            "layers with a bias for each neuron": layer.bias_mantissa.ndim > 1,
            "refractory layers": layer.refractory > 0,
            "integrators": not layer.spikes,
            "layers with a noise generator": layer.generator is not None,
        }
        found += [name for name, flag in flags.items() if flag]
        for projection in layer.projections:
            found += [f"{type(stage).__name__} stages" for stage in projection.stages]
            if projection.source not in (INPUT, CONSTANT) and order[projection.source] >= place:
                found.append("recurrent connections")
            if projection.delay.ndim:
                found.append("connections with delays of each axon's own")
    return found


def main() -> None:
    """Run in parallel and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=joblib.cpu_count())
    options = parser.parse_args()
    output = Output(as_json=False)
    start = time.perf_counter()
    chunks = -(-options.programs // CHUNK)
    counts: Counter[str] = Counter()
    parallel = joblib.Parallel(n_jobs=options.processes, return_as="generator_unordered")
    for done, found in enumerate(
        parallel(joblib.delayed(run_chunk)(number, CHUNK) for number in range(chunks)), start=1
    ):
        counts += found
        if done % 10 == 0 or done == chunks:
            minutes = (time.perf_counter() - start) / 60
            output.progress(f"{counts['programs']:,} Programs, {minutes:.0f} min")
    rows = [["what", "number"]]
    first = ["programs", "compared values", "mismatches", "spikes", "layers"]
    for name in [*first, *sorted(set(counts) - set(first))]:
        rows.append([name, f"{counts[name]:,}"])
    output.table(rows, "Random Programs, engine against Lava: spikes, membranes and logits")


if __name__ == "__main__":
    main()
