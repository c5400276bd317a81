"""Output axons of single neurons: against brute force, and against the mapping's own sums."""

import numpy as np
from hypothesis import given

from stochi.deploy.estimates.destinations import fewest_destinations
from stochi.deploy.mapping.connections import image_of, make_connection
from stochi.deploy.mapping.messages import axons_of_neurons
from stochi.program.layers import CONSTANT, INPUT, as_image
from tests.deploy.mapping.brute_force import inside, paths_between
from tests.deploy.mapping.test_random_programs import RANDOM, TIGHT, mapped, parts_of
from tests.sim.random_programs import Case, cases


@RANDOM
@given(cases())
def test_each_neuron_has_an_axon_for_each_block_that_it_reaches(case: Case) -> None:
    program = case.program
    mapping = mapped(program, TIGHT)
    found = axons_of_neurons(program, mapping)
    images = {layer.name: image_of(layer, program) for layer in program.layers}
    shape = program.input_shape
    images[INPUT] = (*as_image(shape),) if len(shape) > 1 else (shape[0], 1, 1)  # type: ignore[assignment]
    expected = {source: np.zeros(values.size, np.int64) for source, values in found.items()}
    for layer in program.layers:
        for projection in layer.projections:
            if projection.source == CONSTANT:
                continue
            connection = make_connection(projection, layer, images, 0)
            paths = paths_between(projection, program.source_shape(projection, layer))
            for part in parts_of(mapping, layer.name):
                reached = paths[:, inside(images[layer.name], part.block)].any(1)
                if connection.shared:  # an axon serves all channels of a place
                    by_place = reached.reshape(images[projection.source])
                    reached = np.broadcast_to(by_place.any(0), by_place.shape).ravel()
                expected[projection.source] += reached
    for source, values in found.items():
        np.testing.assert_array_equal(values.ravel(), expected[source])
    for source, least in fewest_destinations(program).items():
        assert (found[source] >= least).all()


@RANDOM
@given(cases())
def test_discrete_axons_add_up_to_those_of_the_mapping(case: Case) -> None:
    program = case.program
    mapping = mapped(program, TIGHT)
    found = axons_of_neurons(program, mapping)
    images = {layer.name: image_of(layer, program) for layer in program.layers}
    for layer in program.layers:
        feeds = [
            make_connection(projection, target, images, 0)
            for target in program.layers
            for projection in target.projections
            if projection.source == layer.name
        ]
        constants = sum(p.source == CONSTANT for p in layer.projections)
        blocks = len(list(parts_of(mapping, layer.name)))
        sent = mapping.use_of(layer.name).output_axons - constants * blocks
        total = int(found[layer.name].sum())
        assert total >= sent if any(one.shared for one in feeds) else total == sent
