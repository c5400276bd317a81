"""The loop over samples, time steps, layers and their synapses."""

from numba import njit, uintp

from stochi.hardware.fixed_point import shift
from stochi.sim.engine.compiled import tables as t
from stochi.sim.engine.compiled.neurons import step_neurons
from stochi.sim.engine.compiled.synapses import add_rows, convolve, list_events, pool


def make_kernel(sources: str):  # type: ignore[no-untyped-def]
    """Make the loop, which numba compiles at its first call.

    Args:
        sources: identifies everything that is compiled into the loop.
    """

    @njit(nogil=True, error_model="numpy")
    def run_samples(  # type: ignore[no-untyped-def]
        tables,
        batch,
        first_sample,
        seed,
        trial,
        frames,
        external,
        scratch,
        state,
        spike_probe,
        membrane_probe,
        read,
    ):
        """Step the samples of a shard, one after another, through the whole Program.

        Args:
            first_sample: number of the shard's row 0, for the draws.
            frames: (batch · time steps · n,) uint8 events, or without elements.
            external: int32, the sums of ``EXTERNAL`` synapses, at their offsets.
            scratch: memory of this thread; see ``synapses.scratch``.
            state: int32 membrane, current, waiting and total; uint8 spikes; int64 registers and
                words; and an int32 buffer.
            spike_probe, membrane_probe: (time steps, batch, all neurons), or without elements.
            read: (batch, outputs) int64 that the logits come from, zeros when the run begins.
        """
        _ = sources
        layers, synapses, parameters = tables.layers, tables.synapses, tables.parameters
        membrane, current, waiting, total, spikes, registers, words, buffer = state
        for sample in range(batch):
            membrane[:] = 0
            current[:] = 0
            waiting[:] = 0
            spikes[:] = 0
            for step in range(tables.steps):
                factor = tables.step_factors[step]
                for layer in range(len(layers)):
                    neurons, start = layers[layer, t.NEURONS], layers[layer, t.FIRST_STATE]
                    for i in range(uintp(neurons)):
                        total[i] = 0
                    for row in range(
                        layers[layer, t.FIRST_SYNAPSES], layers[layer, t.LAST_SYNAPSES]
                    ):
                        if synapses[row, t.KIND] == t.EXTERNAL:
                            place = uintp(
                                synapses[row, t.EXTERNAL_START]
                                + step * synapses[row, t.EXTERNAL_STEP]
                                + sample * synapses[row, t.EXTERNAL_SAMPLE]
                            )
                            for i in range(uintp(neurons)):
                                total[i] += external[place + i]
                        else:
                            add_synapses(
                                tables, row, neurons, sample, step, frames, scratch, spikes, total
                            )
                    slot = layers[layer, t.FIRST_SPIKE] + step % layers[layer, t.HISTORY] * neurons
                    step_neurons(
                        layers,
                        layer,
                        parameters,
                        (seed, trial, first_sample + sample, step),
                        total,
                        membrane,
                        current,
                        waiting,
                        spikes,
                        slot,
                        registers,
                        words,
                        buffer,
                    )
                    if spike_probe.size:
                        for i in range(neurons):
                            spike_probe[step, sample, start + i] = spikes[slot + i]
                    if membrane_probe.size:
                        for i in range(neurons):
                            membrane_probe[step, sample, start + i] = membrane[start + i]
                    if layer == tables.output and factor:
                        for i in range(neurons):
                            value = spikes[slot + i] if tables.reads_spikes else membrane[start + i]
                            read[sample, i] += factor * value

    return run_samples


@njit(nogil=True, error_model="numpy", inline="always")
def add_synapses(tables, row, neurons, sample, step, frames, scratch, spikes, total):  # type: ignore[no-untyped-def]
    """Add the shifted sums of one set of synapses to ``total``."""
    sums, other_sums, given, other_given = scratch[5:]
    synapses, pools = tables.synapses, tables.pools
    first_pool, middle_pool = synapses[row, t.POOLS_BEFORE], synapses[row, t.POOLS_AFTER]
    delay, source = synapses[row, t.DELAY], synapses[row, t.SOURCE]
    if synapses[row, t.DELAYS] != t.NO_DELAYS or first_pool < middle_pool:
        collect(tables, row, sample, step, frames, spikes, given)
        for pooling in range(first_pool, middle_pool):
            pool(pools[pooling], given, other_given)
            given, other_given = other_given, given
        weigh(tables, row, given, 0, scratch)
    elif step < delay:
        return
    elif source < 0:
        weigh(tables, row, frames, input_place(tables, row, sample, step - delay), scratch)
    else:
        weigh(tables, row, spikes, spike_place(tables, row, step - delay), scratch)
    for pooling in range(middle_pool, synapses[row, t.POOLS_END]):
        pool(pools[pooling], sums, other_sums)
        sums, other_sums = other_sums, sums
    exponent = synapses[row, t.EXPONENT]
    for i in range(uintp(neurons)):
        total[i] += shift(sums[i], exponent)


@njit(nogil=True, error_model="numpy", inline="always")
def weigh(tables, row, values, start, scratch):  # type: ignore[no-untyped-def]
    """Weigh ``values`` from ``start`` on, and put the results into the sums.

    Spikes have 8 bits, and values that were pooled or delayed before have 32. This function is
    compiled for both.
    """
    events, lists, counts, narrow_sums, tile, sums = scratch[:6]
    synapses, weights = tables.synapses, tables.weights
    if synapses[row, t.KIND] == t.CONVOLUTION:
        convolve(
            synapses[row],
            tables.taps,
            weights,
            values,
            start,
            events,
            lists,
            counts,
            narrow_sums,
            tile,
            sums,
        )
        return
    for i in range(uintp(synapses[row, t.SUMS])):
        sums[i] = 0
    largest = synapses[row, t.LARGEST_VALUE]
    count = list_events(values, start, synapses[row, t.ARRIVING], largest, events)
    offset, width = synapses[row, t.WEIGHTS], synapses[row, t.WIDTH]
    if synapses[row, t.KIND] == t.DENSE:
        add_rows(events, 0, count, weights, offset, width, narrow_sums, sums, 0)
    else:
        for i in range(count):
            sums[events[i]] += weights[offset + events[i]]


@njit(nogil=True, error_model="numpy")
def input_place(tables, row, sample, step):  # type: ignore[no-untyped-def]
    """Return the place where a sample's frame of a time step begins."""
    return (sample * tables.steps + step) * tables.synapses[row, t.SOURCE_NEURONS]


@njit(nogil=True, error_model="numpy")
def spike_place(tables, row, step):  # type: ignore[no-untyped-def]
    """Return the place where a source's spikes of a time step begin in its history."""
    source, neurons = tables.synapses[row, t.SOURCE], tables.synapses[row, t.SOURCE_NEURONS]
    return tables.layers[source, t.FIRST_SPIKE] + step % tables.layers[source, t.HISTORY] * neurons


@njit(nogil=True, error_model="numpy")
def collect(tables, row, sample, step, frames, spikes, given):  # type: ignore[no-untyped-def]
    """Put each neuron's value of ``delay`` time steps ago into ``given``."""
    synapses = tables.synapses
    for i in range(synapses[row, t.SOURCE_NEURONS]):
        delay = synapses[row, t.DELAY]
        if synapses[row, t.DELAYS] != t.NO_DELAYS:
            delay = tables.delays[synapses[row, t.DELAYS] + i]
        if step < delay:
            given[i] = 0
        elif synapses[row, t.SOURCE] < 0:
            given[i] = frames[input_place(tables, row, sample, step - delay) + i]
        else:
            given[i] = spikes[spike_place(tables, row, step - delay) + i]
