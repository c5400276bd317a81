"""Synaptic sums from spikes: for every spike that arrives, the weights of its axon are added.

The cost of a time step grows with the spikes that arrive, not with the weights. All arrays are
flat, and functions take them with an offset, because slices would cost more than some layers.
Indices are unsigned in the innermost loops, since numba otherwise tests whether each is negative.
"""

import numpy as np
from numba import njit, uintp

from stochi.sim.engine.compiled import tables as t

TILE = 16
NARROW_ROWS = 128
"""Number of weights of at most 255 whose sum in any order stays below 2¹⁵, within 16 bits."""


@njit(nogil=True, error_model="numpy")
def list_events(values, start, count, largest, events):  # type: ignore[no-untyped-def]
    """List the places of values that are not 0, each as often as its value; return their number."""
    found, begin = 0, uintp(start)
    for place in range(uintp(count)):
        events[uintp(found)] = place
        found += values[begin + place] != 0
    if largest == 1:
        return found
    found = 0
    for place in range(count):
        for _ in range(values[start + place]):
            events[found] = place
            found += 1
    return found


@njit(nogil=True, error_model="numpy")
def add_rows(rows, start, count, weights, offset, width, narrow_sums, sums, place):  # type: ignore[no-untyped-def]
    """Compute ``sums[place:][:width] += Σ weights[offset + rows[i]·width :][:width]`` exactly."""
    outputs, to = uintp(width), uintp(place)
    last = start + count
    while start < last:
        stop = min(start + NARROW_ROWS, last)
        for i in range(outputs):
            narrow_sums[i] = 0
        while start + 4 <= stop:
            a = uintp(offset + rows[uintp(start)] * width)
            b = uintp(offset + rows[uintp(start + 1)] * width)
            c = uintp(offset + rows[uintp(start + 2)] * width)
            d = uintp(offset + rows[uintp(start + 3)] * width)
            for i in range(outputs):
                narrow_sums[i] += weights[a + i] + weights[b + i] + weights[c + i] + weights[d + i]
            start += 4
        while start < stop:
            a = uintp(offset + rows[uintp(start)] * width)
            for i in range(outputs):
                narrow_sums[i] += weights[a + i]
            start += 1
        for i in range(outputs):
            sums[to + i] += narrow_sums[i]


@njit(nogil=True, error_model="numpy")
def convolve(row, taps, weights, values, start, events, lists, counts, narrow_sums, tile, sums):  # type: ignore[no-untyped-def]
    """Compute sums (outputs, positions).

    First the rows of weights that meet in each position are listed, then they are added.
    """
    positions, groups, width = row[t.POSITIONS], row[t.GROUPS], row[t.WIDTH]
    capacity = uintp(row[t.ROWS] * row[t.LARGEST_VALUE])
    area, inputs = row[t.AREA], row[t.CHANNELS] // groups
    starts = row[t.TAPS]
    pairs = starts + area + 1
    for i in range(groups * positions):
        counts[i] = 0
    for channel in range(row[t.CHANNELS]):
        count = list_events(values, start + channel * area, area, row[t.LARGEST_VALUE], events)
        group = channel // inputs
        first = (channel - group * inputs) * row[t.KERNEL]
        line = group * positions
        for event in range(count):
            place = uintp(starts + events[uintp(event)])
            pair = uintp(pairs + 2 * taps[place])
            last_pair = uintp(pairs + 2 * taps[place + uintp(1)])
            while pair < last_pair:
                here = uintp(line + taps[pair + uintp(1)])
                length = counts[here]
                lists[here * capacity + uintp(length)] = first + taps[pair]
                counts[here] = length + 1
                pair += uintp(2)
    for group in range(groups):
        offset = row[t.WEIGHTS] + group * row[t.ROWS] * width
        for first in range(0, positions, TILE):
            size = min(TILE, positions - first)
            for i in range(uintp(size * width)):
                tile[i] = 0
            for p in range(size):
                here = group * positions + first + p
                add_rows(
                    lists,
                    here * row[t.ROWS] * row[t.LARGEST_VALUE],
                    counts[here],
                    weights,
                    offset,
                    width,
                    narrow_sums,
                    tile,
                    p * width,
                )
            for output in range(width):
                line = uintp((group * width + output) * positions + first)
                step, place = uintp(width), uintp(output)
                for p in range(uintp(size)):
                    sums[line + p] = tile[p * step + place]


@njit(nogil=True, error_model="numpy")
def pool(row, values, pooled):  # type: ignore[no-untyped-def]
    """Sum the values of every window."""
    height, width = row[t.POOL_HEIGHT], row[t.POOL_WIDTH]
    place = 0
    for channel in range(row[t.POOL_CHANNELS]):
        for y_out in range(row[t.POOL_HEIGHT_OUT]):
            top = y_out * row[t.POOL_STRIDE_Y] - row[t.POOL_PADDING_Y]
            for x_out in range(row[t.POOL_WIDTH_OUT]):
                left = x_out * row[t.POOL_STRIDE_X] - row[t.POOL_PADDING_X]
                total = 0
                for y in range(max(top, 0), min(top + row[t.POOL_KERNEL_Y], height)):
                    for x in range(max(left, 0), min(left + row[t.POOL_KERNEL_X], width)):
                        total += values[(channel * height + y) * width + x]
                pooled[place] = total
                place += 1


def scratch(tables: t.Tables) -> tuple[np.ndarray, ...]:
    """Allocate the memory of one thread.

    These are events, lists and their lengths, narrow sums, a tile of sums, two buffers for sums and
    two for the values that arrive.
    """
    return (
        np.zeros(tables.events + 1, np.int32),
        np.zeros(tables.lists + 1, np.int32),
        np.zeros(tables.places + 1, np.int32),
        np.zeros(tables.widest, np.int16),
        np.zeros(TILE * tables.widest, np.int32),
        np.zeros(tables.largest_sum, np.int32),
        np.zeros(tables.largest_sum, np.int32),
        np.zeros(tables.largest_source, np.int32),
        np.zeros(tables.largest_source, np.int32),
    )
