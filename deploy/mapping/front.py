"""Front door of the mapping: a Program in, cores and chips out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stochi.arguments import check_arguments
from stochi.deploy.mapping.blocks import Block
from stochi.deploy.mapping.connections import (
    Image,
    constant_fields,
    image_of,
    make_connection,
)
from stochi.deploy.mapping.incoming import Part, fan_in
from stochi.deploy.mapping.outgoing import axons_between, entries_of_axon
from stochi.deploy.mapping.pipeline import Pipeline, find_pipeline
from stochi.deploy.mapping.placement import OpenCore, Piece, place
from stochi.deploy.mapping.remedies import explain
from stochi.deploy.mapping.results import Core, CorePart, Mapping
from stochi.deploy.mapping.rules import PROGRAM_RULES
from stochi.deploy.mapping.splitting import Grids, Splitter
from stochi.deploy.mapping.use import Use
from stochi.hardware.chips import CHIPS, LONGEST_DELAY, Chip, delay_bits
from stochi.hardware.cores import CoreLimits, find_core
from stochi.program.layers import CONSTANT, INPUT, Layer
from stochi.program.program import Program


def map_cores(program: Program, chip: str | None = None) -> Mapping:
    """Place a Program on the cores of as many chips as it needs.

    Synapses, axons and formats are counted as Loihi 1 has them, also for a chip of which nothing
    public is known; such a chip's unknown limits are not enforced, and :attr:`Mapping.unknown`
    names them. docs/cores.md says what is counted, from what source, and what is assumed.

    Args:
        chip: "loihi1" or "loihi2"; by default the one that the Program was lowered for.

    Returns:
        The mapping; :attr:`Mapping.problems` says why a Program does not fit.

    Raises:
        InputError: the chip is unknown, or the mapping cannot tell how a layer's neurons lie.
    """
    check_arguments(map_cores, locals())
    return map_onto(program, find_core(program.target.chip if chip is None else chip))


def map_onto(program: Program, core: CoreLimits) -> Mapping:
    """Place a Program on cores with these limits; see :func:`map_cores`."""
    names = tuple(layer.name for layer in program.layers)
    problems = [found for rule in PROGRAM_RULES if (found := rule(program, core.chip))]
    pipeline = find_pipeline(program)
    if pipeline.problem:
        return Mapping(core, names, (), (*problems, pipeline.problem))
    problems += _late(program, pipeline, CHIPS[core.chip])
    if problems:
        return Mapping(core, names, (), tuple(problems))
    parts = make_parts(program, pipeline, core)
    taken = sum(layer.compartments(CHIPS[core.chip]) for layer in program.layers)
    many = taken > core.neurons * core.cores
    splitter = Splitter(parts, core, leaving=many)
    grids = splitter.split()
    chips = _place(splitter, grids)
    if len(chips) > 1 and not splitter.leaving:
        splitter = replace(splitter, leaving=True)
        grids = splitter.split()
        chips = _place(splitter, grids)
    missing = [explain(splitter, name, grids) for name in names if name not in grids]
    return Mapping(core, names, _count_axons(splitter, grids, chips), tuple(missing))


def make_parts(program: Program, pipeline: Pipeline, core: CoreLimits) -> dict[str, Part]:
    """Return a Program's layers as the mapping sees them."""
    images = {layer.name: image_of(layer, program) for layer in program.layers}
    images[INPUT] = _input_image(program.input_shape)
    chip = CHIPS[core.chip]
    return {layer.name: _make_part(layer, images, pipeline, chip) for layer in program.layers}


def _make_part(layer: Layer, images: dict[str, Image], pipeline: Pipeline, chip: Chip) -> Part:
    connections = []
    for projection in layer.projections:
        if projection.source != CONSTANT:
            # A chip of unknown bits may have longer delays; they are counted as the most bits.
            bits = delay_bits(min(pipeline.delay(projection, layer.name), LONGEST_DELAY))
            connections.append(make_connection(projection, layer, images, bits))
    constants = [constant_fields(p, layer) for p in layer.projections if p.source == CONSTANT]
    pairs = layer.compartments(chip) > layer.neurons
    return Part(layer, images[layer.name], tuple(connections), tuple(constants), pairs)


def _input_image(shape: tuple[int, ...]) -> Image:
    if len(shape) == 3:
        return (shape[0], shape[1], shape[2])
    if len(shape) == 2:
        return (shape[0], 1, shape[1])
    return (int(np.prod(shape)), 1, 1)


def _late(program: Program, pipeline: Pipeline, chip: Chip) -> list[str]:
    """Return what is wrong with delays that no synapse can have."""
    most = chip.delay_max
    if most is None:
        return []
    return [
        f"layer {layer.name!r}: spikes of {projection.source!r} wait {delay} steps, a synapse's"
        f" delay is at most {most}; smallest change that fits: {delay - most}"
        f" fewer step{'s' * (delay - most > 1)}, or layers that pass them on"
        for layer in program.layers
        for projection in layer.projections
        if (delay := pipeline.delay(projection, layer.name)) > most
    ]


def _place(splitter: Splitter, grids: Grids) -> list[list[OpenCore]]:
    pieces = []
    for name, part in splitter.parts.items():
        if name in grids:
            axons, entries = splitter.fan_out(name, grids[name], grids)
            for index, block in enumerate(grids[name].blocks()):
                out = Use(
                    output_axons=int(axons[index]),
                    output_entries=int(entries[index]),
                    off_chip=int(axons[index]) if splitter.leaving else 0,
                )
                pieces.append(Piece(name, block, fan_in(part, block) + out))
    return place(pieces, splitter.core)


def _count_axons(splitter: Splitter, grids: Grids, chips: list[list[OpenCore]]) -> tuple[Core, ...]:
    """Return the cores, with the output axons that really leave their chip."""
    chip_of = {
        (piece.layer, piece.block): number
        for number, cores in enumerate(chips)
        for core in cores
        for piece in core.pieces
    }
    sent = _axons_by_block(splitter, grids, chip_of)
    found = []
    for chip, cores in enumerate(chips):
        for number, core in enumerate(cores):
            parts = []
            for piece in core.pieces:
                inside = fan_in(splitter.parts[piece.layer], piece.block)
                use = inside + sent[piece.layer, piece.block]
                parts.append(CorePart(piece.layer, piece.block, use))
            total = Use()
            for part in parts:
                total += part.use
            found.append(Core(chip, number, tuple(parts), total))
    return tuple(found)


def _axons_by_block(
    splitter: Splitter, grids: Grids, chip_of: dict[tuple[str, Block], int]
) -> dict[tuple[str, Block], Use]:
    """Return the output axons of each layer's blocks, with those that leave the chip."""
    found = {}
    for name, grid in grids.items():
        blocks = list(grid.blocks())
        ours = np.array([chip_of[name, block] for block in blocks])
        sent, entries, off = np.zeros((3, len(blocks)), np.int64)
        for target, connection in splitter.outgoing(name):
            if target in grids:
                theirs = np.array([chip_of[target, block] for block in grids[target].blocks()])
                axons = axons_between(connection, grid, grids[target])
                away = (axons * (ours[:, None] != theirs[None])).sum(1)
                sent += axons.sum(1)
                entries += axons.sum(1) * entries_of_axon(connection) + away
                off += away
        for index, block in enumerate(blocks):
            found[name, block] = Use(
                output_axons=int(sent[index]),
                output_entries=int(entries[index]),
                off_chip=int(off[index]),
            )
    return found
