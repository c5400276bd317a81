"""The parts of a report that its page draws: counts of classes, flipped images, one sample."""

import re
from base64 import b64decode
from dataclasses import replace

import numpy as np
import torch

from stochi.data import Images, Streams
from stochi.deploy import lower
from stochi.export import to_nir
from stochi.parity import check_parity
from stochi.parity.flipped import MOST, keep_flipped
from stochi.parity.records.comparison import compare_records
from stochi.parity.results import Flips
from stochi.parity.sample_trace import NEURONS, trace_sample
from stochi.sim.record import Record
from tests.conftest import conv_net
from tests.parity.small_reports import accuracy_row, composed_report


def test_counts_of_classes_do_not_depend_on_the_margins_or_the_batches() -> None:
    images = Images(torch.rand(9, 2, 8, 8), torch.arange(9) % 5)
    net = conv_net()
    program = lower(to_nir(net, images.inputs[:1]))
    options = {"trials": 2, "seeds": (0,), "lava": False, "exact_images": 2}
    reports = [
        check_parity(net, program, images, **more, **options)  # type: ignore[arg-type]
        for more in ({}, {"margins": None}, {"margins": None, "batch_size": 4})
    ]
    first, second, third = (report.confusion for report in reports)
    assert first is not None and second is not None and third is not None
    assert first == second and second["chip"] == third["chip"]
    for side in ("float", "chip"):
        assert [sum(row) for row in first[side]] == [4, 4, 4, 4, 2]
        right = sum(first[side][n][n] for n in range(5)) / 18
        assert abs(right - reports[0].accuracy[0].sides[side].value) < 1e-12


def test_flipped_images_are_of_all_kinds_and_whole() -> None:
    clean = Images(torch.rand(20, 3, 4, 5), torch.zeros(20, dtype=torch.int64))
    attacked = clean.with_inputs((clean.inputs + 0.1).clamp(0, 1))
    flips = Flips(tuple(range(5, 15)), (1,), (0, 19))
    kept = keep_flipped(replace(accuracy_row("FGSM"), flips=flips), clean, attacked)
    assert [(one.flips, one.number) for one in kept] == [
        ("chip_only", 1),
        *(("float_only", number) for number in (5, 6, 7)),
        *(("both", number) for number in (0, 19)),
    ]
    assert len(kept) == MOST
    for one in kept:
        pixels = np.frombuffer(b64decode(one.attacked), np.uint8).reshape(one.shape)
        expected = (255 * attacked.inputs[one.number]).round().numpy()
        assert np.array_equal(pixels, expected)


def test_what_is_no_picture_is_not_kept() -> None:
    row, labels = accuracy_row("FGSM"), torch.zeros(3, dtype=torch.int64)
    for inputs in (torch.rand(3, 7), torch.rand(3, 2, 4, 4), torch.rand(3, 3, 128, 128)):
        samples = Images(inputs, labels)
        assert keep_flipped(row, samples, samples) == []
    streams = Streams(torch.rand(2, 3, 1, 4, 4), labels)
    assert keep_flipped(row, streams, streams) == []
    grey = Images(torch.rand(3, 4, 4), labels)
    assert [one.shape for one in keep_flipped(row, grey, grey)] == [(1, 4, 4)] * 3
    assert keep_flipped(accuracy_row(), grey, grey) == []


def record(spikes: torch.Tensor, membrane: torch.Tensor) -> Record:
    return Record(torch.zeros(3, 2), {"lif": spikes}, {"lif": membrane, "out": membrane[..., :1]})


def test_the_traced_sample_and_neuron_are_those_of_the_first_mismatch() -> None:
    spikes = torch.rand(5, 3, 4, 6) < 0.5
    membrane = torch.randint(-50, 50, (5, 3, 4, 6), dtype=torch.int32)
    other = membrane.clone()
    other[2, 1, 3, 2] += 7
    records = {"twin": record(spikes, membrane), "engine": record(spikes, other)}
    layers = compare_records(records["twin"], records["engine"])
    trace = trace_sample(records, 4, "engine", layers)
    assert (trace.number, trace.seed, trace.chip) == (1, 4, "engine")
    lif, out = trace.layers
    assert lif.neuron == 3 * 6 + 2 and lif.neuron in lif.neurons
    assert len(lif.neurons) == NEURONS and list(lif.neurons) == sorted(lif.neurons)
    assert [a - b for a, b in zip(lif.membranes["chip"], lif.membranes["twin"], strict=True)] == [
        *(0, 0, 7, 0, 0)
    ]
    digits = lif.spikes["twin"][lif.neurons.index(20)]
    assert digits == "".join(str(int(s)) for s in spikes[:, 1, 3, 2])
    assert out.spikes == {} and out.neurons == ()
    same = trace_sample({"twin": records["twin"], "engine": records["twin"]}, 0, "engine", [])
    assert same.number == 0
    moves = membrane[:, 0].flatten(1).amax(0) - membrane[:, 0].flatten(1).amin(0)
    assert same.layers[0].neuron == int(moves.argmax())


def test_numbers_have_a_minus_sign_and_names_are_the_same_everywhere() -> None:
    report = composed_report()
    different = [text for text in report.warnings() if "beyond the margin" in text]
    assert "the spikes of lif1, the membranes of lif1," in different[0]
    assert different[0].removeprefix("float model and chip") in report.verdict.text
    rows = report.distribution_table()
    assert [row[0] for row in rows if "across" in row[0]] == ["   across sides"] * 2
    tables = (report.table(), rows, report.differences_table(), report.ablation_table())
    cells = [cell for table in tables for row in table for cell in row]
    assert not [cell for cell in cells if re.search(r"-\d", cell)]
    assert any(cell.startswith("+0.0\n[−2.0, +2.0]") for cell in cells)
