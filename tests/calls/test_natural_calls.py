"""Right calls with the numbers and containers that users of numpy and torch have at hand."""

import json
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stochi import attacks, data, deploy, hardware, parity, sim, statistics, study, train
from stochi.arguments import plain
from stochi.errors import InputError, StochiError
from tests.calls.base_cases import World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.mark.parametrize(
    ("value", "hint", "made"),
    [
        (np.int64(3), int, 3),
        (np.bool_(True), bool, True),
        (np.float32(0.5), float | None, 0.5),
        (torch.tensor(3), int | None, 3),
        (torch.tensor(0.5, requires_grad=True), float, 0.5),
        (np.array(7), int, 7),
        ([1, np.int8(2)], tuple[int, int], (1, 2)),
        (np.arange(2), tuple[int, ...], (0, 1)),
        (torch.tensor([0.5, 1.0]), tuple[float, ...], (0.5, 1.0)),
    ],
)
def test_numbers_and_lists_become_pythons_own(value: Any, hint: Any, made: Any) -> None:
    found = plain(value, hint)
    assert found == made
    assert type(found) is type(made)
    if isinstance(made, tuple):
        assert [type(one) for one in found] == [type(one) for one in made]


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (torch.tensor(0.5), float | torch.Tensor),
        (torch.tensor(1.0, device="meta"), float),
        (torch.ones(2), float),
        (np.ones((2, 2)), tuple[float, ...]),
        ("spikes", tuple[str, ...]),
        ((1, 2, 3), tuple[int, int]),
        (None, int | None),
        (object(), int),
    ],
)
def test_everything_else_stays_the_same_object(value: Any, hint: Any) -> None:
    assert plain(value, hint) is value


def test_options_take_numbers_of_numpy_and_torch_and_lists() -> None:
    made = train.NetworkConfig(
        channels=[np.int64(2), 2],  # type: ignore[list-item,arg-type]
        hidden=np.array([4, 4]),  # type: ignore[arg-type]
        time_steps=np.int64(2),  # type: ignore[arg-type]
        classes=torch.tensor(3),  # type: ignore[arg-type]
        batch_norm=np.True_,  # type: ignore[arg-type]
    )
    assert made == train.NetworkConfig(channels=(2, 2), hidden=(4, 4), time_steps=2, classes=3)
    assert json.dumps([made.classes, made.time_steps, made.channels, made.batch_norm])
    epsilon: Any = torch.tensor(0.25)
    assert attacks.PGD(epsilon, seed=np.int64(3), grid=np.int32(255)) == attacks.PGD(
        0.25, seed=3, grid=255
    )
    steps: Any = [0, 1]
    assert attacks.Offsets(steps=steps) == attacks.Offsets(steps=(0, 1))
    count: Any = np.int64(3)
    assert data.Binning(count) == data.Binning(3)
    values: Any = np.array([0.25, 0.5])
    assert hardware.Empirical(values) == hardware.Empirical((0.25, 0.5))
    epsilons: Any = np.linspace(0, 0.5, 2)
    assert study.CurvePlan(epsilons=epsilons).epsilons == (0.0, 0.5)


def test_a_check_takes_numbers_of_numpy_and_its_report_is_written(
    world: World, tmp_path: Path
) -> None:
    few: Any = np.int64(4)
    epsilons: Any = np.linspace(0.1, 0.2, 2)
    seeds: Any = np.arange(2)
    report = parity.check_parity(
        world.model,
        world.program,
        world.images,
        trials=np.int64(2),
        seeds=seeds,
        epsilons=epsilons,
        attacks=[attacks.FGSM(np.float32(0.1), draws=np.int64(1))],  # type: ignore[arg-type]
        exact_images=few,
        attack_images=few,
        batch_size=few,
        lava=False,
    )
    report.save(tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text())
    ablation = parity.ablate(
        world.model, world.program, world.images, trials=2, seed=np.uint8(3), batch_size=few
    )
    assert ablation == parity.ablate(
        world.model, world.program, world.images, trials=2, seed=3, batch_size=4
    )


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.array, torch.tensor])
def test_a_seed_of_any_kind_of_number_draws_the_same(world: World, kind: Any) -> None:
    shown = world.images.inputs
    wanted = sim.run(world.program, shown, seed=200, trial=7, first_sample=9).logits
    found = sim.run(world.program, shown, seed=kind(200), trial=kind(7), first_sample=np.uint8(9))
    assert torch.equal(found.logits, wanted)
    assert type(hardware.Draws(kind(200)).seed) is int


def _shown(world: World) -> dict[str, Any]:
    inputs = world.images.inputs
    array = inputs.numpy()
    return {
        "big-endian": array.astype(">f8"),
        "negative strides": np.ascontiguousarray(array[::-1, :, ::-1])[::-1, :, ::-1],
        "long doubles": array.astype(np.longdouble),
        "a mask that hides nothing": np.ma.masked_greater(array, 2),  # type: ignore[no-untyped-call]
        "a list of tensors": list(inputs),
        "a tuple of tensors": tuple(inputs),
        "a list of arrays": list(array),
    }


@pytest.mark.parametrize("kind", _shown(World(Path())))
def test_inputs_of_any_layout_are_the_same_inputs(world: World, kind: str) -> None:
    wanted = sim.run(world.program, world.images.inputs).logits
    assert torch.equal(sim.run(world.program, _shown(world)[kind]).logits, wanted)


@pytest.mark.parametrize(
    "dtype", [torch.uint16, torch.uint32, torch.uint64, torch.float8_e4m3fn, torch.float8_e5m2]
)
def test_types_that_torch_only_stores_are_inputs(world: World, dtype: torch.dtype) -> None:
    ones = torch.ones(2, 1, 4, 4)
    found = sim.run(world.program, ones.to(dtype)).logits
    assert torch.equal(found, sim.run(world.program, ones).logits)


def test_quantized_inputs_are_their_values(world: World) -> None:
    packed = torch.quantize_per_tensor(world.images.inputs, 1 / 255, 0, torch.quint8)
    found = sim.run(world.program, packed).logits
    assert torch.equal(found, sim.run(world.program, packed.dequantize()).logits)


@pytest.mark.parametrize(
    ("kind", "says"),
    [("nested", "nested tensor"), ("masked", "behind their mask"), ("uneven", "pass a tensor")],
)
def test_inputs_without_a_meaning_are_one_line(world: World, kind: str, says: str) -> None:
    inputs = world.images.inputs
    given: Any = {
        "nested": torch.nested.nested_tensor(list(inputs)),
        "masked": np.ma.masked_greater(inputs.numpy(), 0.5),  # type: ignore[no-untyped-call]
        "uneven": [inputs[0], inputs[:2]],
    }[kind]
    with pytest.raises(InputError, match=says) as raised:
        sim.run(world.program, given)
    assert "\n" not in str(raised.value)


def test_answers_that_are_not_right_or_wrong_are_one_line(world: World) -> None:
    frames, right = world.frames, torch.ones(1, 6)
    with pytest.raises(InputError, match="right_attacked has other values"):
        attacks.measure_attack(frames, frames, right, right * 2)
    whole = attacks.measure_attack(frames, frames, right, torch.zeros(1, 6, dtype=torch.int64))
    truth = attacks.measure_attack(frames, frames, right, torch.zeros(1, 6, dtype=torch.bool))
    assert whole.success == truth.success
    with pytest.raises(InputError, match="outside"):
        statistics.estimate_accuracy(torch.tensor([[2, 0]]))
    with pytest.raises(InputError, match="outside"):
        statistics.estimate_accuracy(torch.tensor([[float("nan"), 0]]))


def test_a_zero_byte_in_a_name_is_one_line(world: World, tmp_path: Path) -> None:
    name = f"{tmp_path}/a\0b"
    with pytest.raises(StochiError, match="no name of a file"):
        world.program.save(name)
    with pytest.raises(StochiError, match="no name of a file"):
        world.record.save(name)
    with pytest.raises(StochiError, match="probe_folder"):
        sim.run(world.program, world.images.inputs, probes="spikes", probe_folder=name)
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_holds_only_what_is_read_again(tmp_path: Path) -> None:
    network = train.NetworkConfig(channels=(2, 2), time_steps=2, sigma=np.float32(1))  # type: ignore[arg-type]
    path = tmp_path / "network.pt"
    scores = namedtuple("scores", "best")
    training = {
        "accuracy": np.float64(0.5),
        "epochs": [np.int64(3), (np.float32(0.5), scores(np.bool_(True)))],
    }
    train.save_checkpoint(path, network.build(), network, training)
    found = train.load_checkpoint(path)[1]["training"]
    assert found == {"accuracy": 0.5, "epochs": [3, (0.5, (True,))]}
    before, circle = path.read_bytes(), []  # type: ignore[var-annotated]
    circle.append(circle)
    for hostile in ({"a": object()}, {"a": Path()}, {"a": circle}):
        with pytest.raises(InputError, match="not read again"):
            train.save_checkpoint(path, network.build(), network, hostile)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["STOCHI_MEMORY", "STOCHI_WORK"])
@pytest.mark.parametrize("value", ["lots", "8G", "-1", "nan"])
def test_a_budget_that_is_no_number_is_not_blamed_on_a_file(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    readers: dict[str, Any] = {
        "program.npz": deploy.Program.load,
        "graph.nir": deploy.read_graph,
        "network.pt": train.load_checkpoint,
    }
    paths = {kind: world.file(kind) for kind in readers}
    monkeypatch.setenv(name, value)
    for kind, reader in readers.items():
        with pytest.raises(StochiError) as raised:
            reader(paths[kind])
        assert str(raised.value).startswith(f"the environment variable {name} is {value!r}")
