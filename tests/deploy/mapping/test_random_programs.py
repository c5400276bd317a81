"""Random Programs: every neuron has its place, no limit is exceeded, counts equal brute force."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import assume, given

from stochi.deploy import Mapping, Program, map_cores
from stochi.deploy.mapping.connections import image_of, make_connection
from stochi.deploy.mapping.front import map_onto
from stochi.deploy.mapping.pipeline import find_pipeline
from stochi.deploy.mapping.results import CorePart
from stochi.deploy.mapping.rules import find_problem
from stochi.errors import InputError
from stochi.hardware.chips import LONGEST_DELAY, delay_bits
from stochi.hardware.cores import CORES, CoreLimits
from stochi.program.layers import CONSTANT, INPUT, OneToOne, as_image
from tests.deploy.mapping.brute_force import count_lists, inside, paths_between
from tests.program.test_archive import FILES
from tests.sim.random_programs import Case, cases
from tests.thoroughness import examples

TIGHT = CoreLimits(
    "loihi2",
    cores=3,
    neurons=24,
    words=2000,
    words_of_axon=256,
    input_axons=900,
    output_entries=200,
    off_chip=150,
    formats=7,
    configurations=12,
    thresholds=12,
    noise_settings=1,
    delay_slots=2**13,
)
RANDOM = examples(6, 20)


def mapped(program: Program, core: CoreLimits) -> Mapping:
    """Map a Program, unless it is of a kind that the mapping refuses in words."""
    try:
        mapping = map_onto(program, core)
    except InputError as error:
        assert "constant input" in str(error) or "one form" in str(error)
        assume(False)
    assume(mapping.fits)
    return mapping


@RANDOM
@given(cases())
def test_every_neuron_is_placed_once_and_no_core_exceeds_a_limit(case: Case) -> None:
    for core in (CORES["loihi2"], TIGHT):
        mapping = mapped(case.program, core)
        assert all(find_problem(one.use, core) is None for one in mapping.cores)
        assert all(one.number < core.cores for one in mapping.cores)
        for layer in case.program.layers:
            placed = np.zeros(image_of(layer, case.program), int)
            for part in parts_of(mapping, layer.name):
                placed[part.block.slices] += 1
            assert (placed == 1).all()


@RANDOM
@given(cases())
def test_axons_and_synapses_equal_brute_force(case: Case) -> None:
    program = case.program
    mapping = mapped(program, TIGHT)
    arriving, sent, stored = brute_force_totals(program, mapping)
    for layer in program.layers:
        use, constants = mapping.use_of(layer.name), 0
        for projection in layer.projections:
            if projection.source == CONSTANT:
                constants += len(list(parts_of(mapping, layer.name)))
        assert use.input_axons == arriving[layer.name] + constants
        assert use.output_axons == sent.get(layer.name, 0) + constants
        extra = sum(p.source == CONSTANT for p in layer.projections) * layer.neurons
        low, high = stored[layer.name]
        assert low + extra <= use.synapses <= high + extra


def brute_force_totals(
    program: Program, mapping: Mapping
) -> tuple[dict[str, int], dict[str, int], dict[str, tuple[int, int]]]:
    """Return axons that arrive and are sent, and bounds of the stored synapses, by layer.

    The bounds are equal for convolutions with one delay. Lists of fully connected weights may
    hold zeros, and patterns of one-to-one weights may look alike by chance.
    """
    images = {layer.name: image_of(layer, program) for layer in program.layers}
    shape = program.input_shape
    images[INPUT] = (*as_image(shape),) if len(shape) > 1 else (shape[0], 1, 1)  # type: ignore[assignment]
    pipeline = find_pipeline(program)
    arriving = {layer.name: 0 for layer in program.layers}
    sent: dict[str, int] = {}
    stored = {layer.name: (0, 0) for layer in program.layers}
    for layer in program.layers:
        for projection in layer.projections:
            if projection.source == CONSTANT:
                continue
            bits = delay_bits(min(pipeline.delay(projection, layer.name), LONGEST_DELAY))
            connection = make_connection(projection, layer, images, bits)
            source = program.source_shape(projection, layer)
            paths = paths_between(projection, source)
            weights = paths_between(projection, source, random=True)
            loose = connection.dense or isinstance(projection.stages[0], OneToOne)
            loose = loose or any(isinstance(stage, OneToOne) for stage in projection.stages)
            loose = loose or len(np.unique(projection.delay)) > 1
            for part in parts_of(mapping, layer.name):
                chosen = inside(images[layer.name], part.block)
                reached = paths[:, chosen].any(1)
                if connection.shared:
                    reached = reached.reshape(images[projection.source]).any(0).ravel()
                arriving[layer.name] += int(reached.sum())
                found = count_lists(paths[:, chosen], weights[:, chosen])
                most = int(paths[:, chosen].sum()) + len(paths) * len(chosen) if loose else found
                low, high = stored[layer.name]
                stored[layer.name] = (low + found, high + most)
                for other in parts_of(mapping, projection.source):
                    ours = np.zeros(len(paths), bool)
                    ours[inside(images[projection.source], other.block)] = True
                    going = ours & paths[:, chosen].any(1)
                    if connection.shared:
                        going = going.reshape(images[projection.source]).any(0).ravel()
                    name = projection.source
                    sent[name] = sent.get(name, 0) + int(going.sum())
    return arriving, sent, stored


def parts_of(mapping: Mapping, layer: str) -> Iterator[CorePart]:
    """Return the parts of a layer."""
    for core in mapping.cores:
        for part in core.parts:
            if part.layer == layer:
                yield part


def test_an_unknown_chip_is_refused() -> None:
    with pytest.raises(InputError, match="loihi3"):
        map_cores(Program.load(FILES / "version_7.program"), "loihi3")
