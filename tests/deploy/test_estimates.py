"""Counts of events against brute force, and what they cost."""

import json
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given

from stochi.data import Images
from stochi.deploy import estimate, map_cores
from stochi.deploy.estimates.counting import count_events
from stochi.deploy.estimates.counts import Counts
from stochi.deploy.estimates.destinations import given_placement
from stochi.errors import InputError
from stochi.hardware.energy import LOIHI1_FIGURES, find_figures
from stochi.program.layers import (
    CONSTANT,
    INPUT,
    Convolution,
    Dense,
    Flatten,
    Layer,
    OneToOne,
    Projection,
    Stage,
    SumPool,
    shape_after,
)
from stochi.program.program import Program
from stochi.sim import run
from tests.sim.random_programs import Case, cases
from tests.thoroughness import examples


def ways(stages: tuple[Stage, ...], shape: tuple[int, ...], zeros: bool = False) -> np.ndarray:
    """Count the ways between each pair of target and source, (targets, sources), by loops."""
    found = np.eye(int(np.prod(shape)), dtype=np.int64)
    for stage in stages:
        after = shape_after(stage, shape)
        assert after is not None
        found = _ways_of_one(stage, shape, after, zeros) @ found
        shape = after
    return found


def _ways_of_one(
    stage: Stage, shape: tuple[int, ...], after: tuple[int, ...], zeros: bool
) -> np.ndarray:
    sources = int(np.prod(shape))
    if isinstance(stage, Flatten):
        return np.eye(sources, dtype=np.int64)
    if isinstance(stage, Dense):
        return np.ones(stage.weight.shape, np.int64) if zeros else (stage.weight != 0) * 1
    if isinstance(stage, OneToOne):
        return np.diag(np.broadcast_to((stage.weight != 0) | zeros, shape).ravel() * 1)
    number = np.arange(sources).reshape(shape)
    found = np.zeros((int(np.prod(after)), sources), np.int64)
    pooling = isinstance(stage, SumPool)
    assert isinstance(stage, SumPool | Convolution)
    kernel = stage.kernel if isinstance(stage, SumPool) else stage.weight.shape[2:]
    dilation = (1, 1) if isinstance(stage, SumPool) else stage.dilation
    for target, (out, row, column) in enumerate(product(*map(range, after))):
        for i, j in product(*map(range, kernel)):
            y = row * stage.stride[0] - stage.padding[0] + i * dilation[0]
            x = column * stage.stride[1] - stage.padding[1] + j * dilation[1]
            if not (0 <= y < shape[1] and 0 <= x < shape[2]):
                continue
            if isinstance(stage, SumPool):
                found[target, number[out, y, x]] += 1
                continue
            per_group = stage.weight.shape[1]
            group = out // (len(stage.weight) // stage.groups)
            for channel in range(per_group):
                if zeros or stage.weight[out, channel, i, j]:
                    found[target, number[group * per_group + channel, y, x]] += 1
    assert pooling or isinstance(stage, Convolution)
    return found


def arriving(program: Program, layer: Layer, projection: Projection, sent: Any) -> np.ndarray:
    """Return (time steps, batch, sources) of what arrives, one value after another."""
    shape = program.source_shape(projection, layer)
    delay = np.broadcast_to(projection.delay, shape).ravel()
    flat = sent.reshape(*sent.shape[:2], -1)
    found = np.zeros_like(flat)
    for step, source in product(range(len(flat)), range(flat.shape[2])):
        if step + delay[source] < len(flat):
            found[step + delay[source], :, source] = flat[step, :, source]
    return found


def sent_by(case: Case) -> dict[str, np.ndarray]:
    program = case.program
    record = run(program, case.inputs, probes=("spikes",), **case.coordinates)
    shown = case.inputs.double().numpy()
    if shown.ndim == len(program.input_shape) + 1:
        shown = np.stack([shown] * program.target.time_steps)
    levels = program.target.input_levels
    sent = {name: spikes.numpy() for name, spikes in record.spikes.items()}
    return {INPUT: np.rint(shown * levels) != 0, **sent}


def layers_reached(program: Program) -> dict[str, np.ndarray]:
    """Return the number of layers that each neuron of a source reaches, flat."""
    found = {layer.name: np.zeros(layer.neurons, np.int64) for layer in program.layers}
    found[INPUT] = np.zeros(int(np.prod(program.input_shape)), np.int64)
    for layer in program.layers:
        for source, neurons in found.items():
            reached = np.zeros_like(neurons)
            for projection in layer.projections:
                if projection.source == source:
                    shape = program.source_shape(projection, layer)
                    reached += ways(projection.stages, shape).sum(0)
            neurons += reached > 0
    return found


def counted(case: Case, **options: Any) -> Counts:
    program, draws = case.program, case.draws
    return count_events(program, case.inputs, seed=draws.seed, trial=draws.trial, **options)


@pytest.mark.slow
@examples(3, 25)
@given(cases())
def test_operations_are_those_of_loops_over_spikes_and_synapses(case: Case) -> None:
    case = replace(case, draws=replace(case.draws, first_sample=0))
    program, sent = case.program, sent_by(case)
    steps = program.target.time_steps * sent[INPUT].shape[1]
    for layer, found in zip(program.layers, counted(case).layers, strict=True):
        for projection, count in zip(layer.projections, found.projections, strict=True):
            shape = program.source_shape(projection, layer)
            reached = ways(projection.stages, shape).sum(0)
            if projection.source == CONSTANT:
                assert count.operations == steps * reached.sum()
                continue
            arrived = arriving(program, layer, projection, sent[projection.source])
            assert count.operations == (arrived.sum((0, 1)) * reached).sum()
            with_zeros = ways(projection.stages, shape, zeros=True).sum(0)
            stored = with_zeros if count.format == "dense" else reached
            assert count.processed == (arrived.sum((0, 1)) * stored).sum()


@examples(6, 25)
@given(cases())
def test_what_weights_receive_is_that_of_loops_over_frames(case: Case) -> None:
    case = replace(case, draws=replace(case.draws, first_sample=0))
    program, sent = case.program, sent_by(case)
    steps = program.target.time_steps * sent[INPUT].shape[1]
    for layer, found in zip(program.layers, counted(case).layers, strict=True):
        for projection, count in zip(layer.projections, found.projections, strict=True):
            place = next(
                i
                for i, stage in enumerate(projection.stages)
                if isinstance(stage, Dense | Convolution | OneToOne)
            )
            weighted = projection.stages[place]
            if projection.source == CONSTANT or isinstance(weighted, OneToOne):
                assert count.effective == count.dense == 0
                continue
            shape = program.source_shape(projection, layer)
            early = ways(projection.stages[:place], shape)
            for stage in projection.stages[:place]:
                shape = shape_after(stage, shape) or ()
            arrived = arriving(program, layer, projection, sent[projection.source])
            received = (arrived @ early.T) != 0
            reached = ways((weighted,), shape).sum(0)
            assert count.effective == (received.sum((0, 1)) * reached).sum()
            assert count.dense == steps * ways((weighted,), shape, zeros=True).sum()


@examples(6, 25)
@given(cases())
def test_neurons_are_counted_as_the_record_shows_them(case: Case) -> None:
    case = replace(case, draws=replace(case.draws, first_sample=0))
    program = case.program
    record = run(program, case.inputs, probes=("spikes", "membrane"), **case.coordinates)
    samples, steps = len(record.logits), program.target.time_steps
    reached = layers_reached(program)
    for layer, found in zip(program.layers, counted(case).layers, strict=True):
        membrane = record.membrane[layer.name].numpy()
        spikes = record.spikes[layer.name].numpy() if layer.spikes else np.zeros_like(membrane) != 0
        draws = layer.decay.drawn + (layer.generator is not None)
        updates = 0
        biased = np.broadcast_to(layer.bias() != 0, layer.shape)
        for step in range(steps):
            before = membrane[step - 1] if step else np.zeros_like(membrane[0])
            resting = (before == 0) & (membrane[step] == 0) & ~spikes[step] & ~biased
            updates += 0 if draws else int(resting.sum())
        always = found.constant * samples * steps
        every = layer.neurons * samples * steps
        assert found.accesses == every + always
        assert found.updates == every + always - updates
        assert found.spikes == int(spikes.sum()) + always
        assert found.constant == sum(p.source == CONSTANT for p in layer.projections)
        messages = spikes.reshape(steps * samples, -1).sum(0) @ reached[layer.name]
        assert found.messages == messages + always
        once = layer.decay.drawn and not layer.decay.redraw
        expected = every * draws - once * layer.neurons * samples * (steps - 1)
        assert found.random_numbers == expected


@examples(4, 15)
@given(cases())
def test_batches_of_any_size_give_the_same_counts(case: Case) -> None:
    whole = counted(case)
    assert counted(case, batch_size=1) == whole == counted(case, batch_size=3)


def program_of(noise: str = "decay", **target: Any) -> Program:
    """Two dense layers of known weights, with an integrator that is read."""
    from stochi.program.layers import Decay, Generator
    from stochi.program.target import Target

    def layer(name: str, source: str, weight: np.ndarray, spiking: bool) -> Layer:
        table = np.asarray([1024, 3072], np.int64)
        drawn = noise == "decay" and spiking
        return Layer(
            name,
            (len(weight),),
            (Projection(source, (Dense(weight.astype(np.int16)),), 0),),
            bias_mantissa=np.zeros(1, np.int16),
            bias_exponent=0,
            decay=Decay(table if drawn else np.asarray(4096), drawn, True, drawn),
            threshold_mantissa=np.asarray(1, np.int32) if spiking else None,
            scale=1.0,
            generator=Generator("membrane", 0, 7) if noise == "membrane" and spiking else None,
        )

    chosen = {"chip": "loihi2", "noise": noise, "time_steps": 4, "input_levels": 1, **target}
    first = layer("a", INPUT, np.asarray([[4, 0, 2], [2, 2, 2]]), True)
    second = layer("b", "a", np.asarray([[2, -2]]), False)
    return Program(Target(dt=1e-3, **chosen), (3,), (first, second), "b", "input")


def test_a_hand_worked_example() -> None:
    program = program_of("none", chip="loihi1")
    found = estimate(program, torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]))
    counts, (a, b) = found.counts, found.counts.layers
    assert (counts.samples, counts.input_sent, counts.input_messages) == (2, 8, 8)
    # Both inputs reach both neurons, in 4 time steps; all sums exceed the threshold of 64.
    assert (a.spikes, a.messages, a.random_numbers) == (8, 8, 0)
    assert (a.accesses, a.updates) == (2 * 2 * 4, 8) and (b.accesses, b.updates) == (8, 0)
    assert a.accumulates == 4 * (2 + 2) and b.accumulates == 8 and a.multiply_accumulates == 0
    assert found.metrics.named() == {
        "Footprint": 8 + 2 * (1 + 1 + 1 + 1) + 4,
        "ConnectionSparsity": 1 / 8,
        "ActivationSparsity": 0.5,
        "SynapticOperations": {"Effective_MACs": 0.0, "Effective_ACs": 12.0, "Dense": 32.0},
    }
    assert found.accounts is not None and found.figures is LOIHI1_FIGURES
    # Means of two samples; the sum of the membrane stays 0, so the integrator is never updated.
    assert found.accounts.operations_only == pytest.approx((16 + 8) * 35.5 / 2000)
    assert found.accounts.neurons == pytest.approx((24 * 51.2 + 8 * 21.6 + 8 * 69.3) / 2000)
    assert found.accounts.messages == pytest.approx(8 * 111 / 2000)
    assert found.accounts.random_numbers == 0
    first = 16 * 6.0 + 8 * 3.7 + 8 * 30.0 + 16 * 3.8 + 8 * (5.1 + 16.0)
    second = 8 * 6.0 + 8 * 3.8
    assert found.accounts.serial_time == pytest.approx((first + second + 8 * 16.0) / 2000)
    assert found.accounts.slowest_layer == pytest.approx(first / 2000)
    assert found.ann.multiply_accumulates == 8
    assert found.ann.arithmetic == pytest.approx(8 * 0.3 / 1000)
    assert found.ann.memory == pytest.approx(8 * 2 * 10 / 8 / 1000)


def test_dense_synapses_process_their_zeros_and_others_do_not() -> None:
    program = program_of("none", chip="loihi1")
    counts = count_events(program, torch.tensor([[0.0, 1.0, 0.0]]))
    (first,) = counts.layers[0].projections
    assert (first.operations, first.processed) == (4, 8)


@pytest.mark.parametrize(("noise", "numbers"), [("decay", 8), ("membrane", 8), ("none", 0)])
def test_random_numbers_have_an_energy_even_without_figures(noise: str, numbers: int) -> None:
    found = estimate(program_of(noise), torch.ones(1, 3))
    assert found.counts.total("random_numbers") == numbers
    assert found.accounts is found.figures is None
    assert found.random_energy == pytest.approx(numbers * 6 / 1000)
    assert any("no energy or time is published for loihi2" in note for note in found.notes)
    reference = estimate(program_of(noise), torch.ones(1, 3), figures="loihi1")
    assert reference.counts == found.counts
    assert reference.accounts is not None
    assert reference.accounts.random_numbers == pytest.approx(found.random_energy)
    (note,) = [note for note in reference.notes if note.startswith("a reference, not an estimate")]
    assert ("programmable neurons" in note) == (noise == "decay")


def test_graded_inputs_are_multiplied() -> None:
    program = program_of(input_levels=255)
    counts = count_events(program, torch.tensor([[0.5, 0.0, 0.001]]))
    layer = counts.layers[0]
    assert (layer.multiply_accumulates, layer.accumulates) == (8, 0)  # 0.001 of 255 rounds to 0


def test_messages_go_to_as_many_cores_as_are_given() -> None:
    program = program_of("none")
    shown = torch.ones(1, 3)
    one = count_events(program, shown)
    placement = given_placement(program, {"input": 2, "a": 5, "b": 0})
    more = count_events(program, shown, placement=placement)
    assert more.layers[0].messages == 5 * one.layers[0].messages > 0
    assert more.input_messages == 2 * one.input_messages
    by_neuron = {"input": np.asarray([1, 2, 4]), "a": np.asarray([3, 1]), "b": 0}
    found = estimate(program, torch.tensor([[1.0, 0.0, 1.0]]), destinations=by_neuron)
    assert found.messages_by == "given" and "as many for each spike as were given" in found.notes[0]
    assert found.counts.input_messages == 4 * (1 + 4)
    # Both neurons of a spike at each of the 4 time steps.
    assert found.counts.layers[0].messages == 4 * (3 + 1)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"a": 0}, r"destinations of 'a' is 0 for neuron \(0,\); .* from 1 on"),
        ({"a": np.asarray([1, 0])}, r"destinations of 'a' is 0 for neuron \(1,\)"),
        ({"b": -1}, "destinations of 'b' is -1"),
        ({"c": 1}, "destinations of 'c'; this Program has input, a, b"),
        ({"a": None}, "destinations of 'a' is None; give a whole number"),
        ({"a": True}, "destinations of 'a' is True"),
        ({"a": 1.5}, "destinations of 'a' is 1.5"),
        ({"a": np.asarray([1.0, np.nan])}, "destinations of 'a' is an array of float64"),
        ({"a": np.asarray([1, 1, 1])}, r"have shape \(3,\); .* neurons' shape \(2,\)"),
    ],
)
def test_wrong_destinations_are_refused(changed: dict[str, Any], message: str) -> None:
    given_to = {"input": 1, "a": 1, "b": 0, **changed}
    with pytest.raises(InputError, match=message):
        estimate(program_of("none"), torch.ones(1, 3), destinations=given_to)


def strip_program(chip: str, side: int = 40) -> Program:
    """One convolution of more neurons than a core of Loihi 1 has, and one weight of 0."""
    weight = np.full((1, 1, 3, 3), 2, np.int16)
    weight[0, 0, 0, 0] = 0
    made = program_of("none", chip=chip)
    first, _ = made.layers
    stages = (Convolution(weight, (1, 1), (1, 1), (1, 1), 1),)
    only = replace(first, shape=(1, side, side), projections=(Projection(INPUT, stages, 0),))
    return Program(made.target, (1, side, side), (only,), "a", "spikes")


def test_messages_are_those_of_the_mapping_neuron_by_neuron() -> None:
    program = strip_program("loihi1")
    mapping = map_cores(program)
    blocks = [part.block for core in mapping.cores for part in core.parts]
    assert len(blocks) > 1
    shown = (torch.rand(2, 1, 40, 40, generator=torch.Generator().manual_seed(0)) > 0.7).float()
    messages = 0
    for _, _, row, column in shown.nonzero().tolist():
        for block in blocks:
            rows, columns = (range(max(0, at - 1), min(40, at + 2)) for at in (row, column))
            down = any(block.rows[0] <= one < block.rows[1] for one in rows)
            across = any(block.columns[0] <= one < block.columns[1] for one in columns)
            messages += down and across
    found = estimate(program, shown)
    sent = int(shown.sum())
    assert found.counts.input_messages == 4 * messages
    assert sent < messages < sent * len(blocks)
    assert found.messages_by == "mapping" == found.to_json()["messages_by"]
    assert found.mapping == mapping
    assert f"mapping to {len(mapping.cores)} cores of loihi1" in found.notes[0]
    assert estimate(strip_program("loihi2"), shown).counts.input_messages == 4 * sent


def test_a_program_that_does_not_fit_has_the_fewest_messages_and_says_why() -> None:
    made = program_of("none", chip="loihi1")
    first, _ = made.layers
    wide = Projection(INPUT, (Dense(np.full((2, 4097), 2, np.int16)),), 0)
    program = Program(made.target, (4097,), (replace(first, projections=(wide,)),), "a", "spikes")
    found = estimate(program, torch.ones(1, 4097))
    assert found.messages_by == "fewest" and found.counts.input_messages == 4 * 4097
    assert found.mapping is None
    assert "since it does not fit: on loihi1, a neuron of layer 'a' needs" in found.notes[0]


def test_a_neuron_that_always_spikes_serves_each_block() -> None:
    program = strip_program("loihi1")
    (only,) = program.layers
    bias = Projection(CONSTANT, (OneToOne(np.full((1, 40, 40), 2, np.int16)),), 0)
    high = np.asarray(100, np.int32)
    only = replace(only, projections=(*only.projections, bias), threshold_mantissa=high)
    program = Program(program.target, program.input_shape, (only,), "a", "spikes")
    blocks = sum(len(core.parts) for core in map_cores(program).cores)
    found = estimate(program, torch.zeros(3, 1, 40, 40)).counts
    (layer,) = found.layers
    assert layer.constant == blocks > 1 and layer.projections[1].operations == 3 * 4 * 1600
    assert layer.spikes == layer.messages == 3 * 4 * blocks


def test_resets_by_subtraction_say_that_second_neurons_are_left_out() -> None:
    made = program_of("none", chip="loihi1")
    soft = replace(made.layers[0], reset="subtract", reset_delay=True)
    program = Program(made.target, (3,), (soft, made.layers[1]), "b", "input")
    notes = estimate(program, torch.ones(1, 3)).notes
    assert any("2 neurons that reset by subtraction take a second one each" in n for n in notes)
    other = Program(replace(made.target, chip="loihi2"), (3,), program.layers, "b", "input")
    assert not any("second" in note for note in estimate(other, torch.ones(1, 3)).notes)


def test_labelled_data_count_as_their_inputs() -> None:
    program, shown = program_of(), (torch.rand(5, 3) > 0.5).float()
    whole = count_events(program, shown)
    assert count_events(program, Images(shown, torch.zeros(5).long()), batch_size=2) == whole
    pairs = [(shown[:3], torch.zeros(3).long()), (shown[3:], torch.zeros(2).long())]
    assert count_events(program, pairs) == whole


@pytest.mark.parametrize("data", [torch.zeros(0, 3), []])
def test_empty_data_are_refused(data: Any) -> None:
    with pytest.raises(InputError, match=r"holds? no sample"):
        estimate(program_of(), data)


@pytest.mark.parametrize("noise", ["decay", "none"])
def test_inputs_of_zeros_cost_accesses_and_draws_alone(noise: str) -> None:
    found = estimate(program_of(noise), torch.zeros(1, 3), figures="loihi1")
    counts, accounts = found.counts, found.accounts
    assert accounts is not None
    assert counts.input_messages == counts.total("spikes") == counts.total("operations") == 0
    draws = 2 * 4 * (noise == "decay")
    assert counts.total("updates") == counts.total("random_numbers") == draws
    assert accounts.neurons == pytest.approx((3 * 4 * 51.2 + draws * 21.6) / 1000)
    assert accounts.all_events == pytest.approx(accounts.neurons + draws * 6 / 1000)
    assert found.metrics.activation_sparsity == 1 and found.metrics.effective_acs == 0
    written = json.dumps(found.to_json(), allow_nan=False)
    assert "-0" not in written
    assert json.loads(written)["accounts"]["layers"][0]["name"] == "a"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_inputs_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(InputError, match=r"inputs range from .* they must be numbers in \[0, 1\]"):
        estimate(program_of(), torch.tensor([[1.0, value, 0.0]]))


def test_arguments_are_checked() -> None:
    with pytest.raises(InputError, match=r"figures is 'loihi2'; .* published for loihi1 only"):
        estimate(program_of(), torch.ones(1, 3), figures="loihi2")
    with pytest.raises(InputError, match="inputs have shape"):
        estimate(program_of(), torch.ones(1, 4))
    with pytest.raises(InputError, match="batch_size is 0"):
        count_events(program_of(), torch.ones(1, 3), batch_size=0)
    assert find_figures("loihi1") is LOIHI1_FIGURES
