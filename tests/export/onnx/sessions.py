"""Runs of ONNX models, on one thread."""

from typing import Any

import numpy as np
import onnxruntime
import torch

from stochi.export import GraphModel

Outputs = dict[str, np.ndarray]


def run_onnx(model: Any, inputs: torch.Tensor, **others: Any) -> Outputs:
    """Return a model's outputs by name; numbers become arrays."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feeds = {"inputs": inputs.numpy()} | {name: np.asarray(v) for name, v in others.items()}
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, feeds), strict=True))


def with_draws(model: GraphModel, draws: Outputs) -> GraphModel:
    """Let a module's next run take its λ from these draws."""
    for name, neuron in model.neurons().items():
        drawn = draws.get(f"draws.{name}.decay")
        if drawn is None:
            continue
        rows = iter(drawn) if neuron.sampling == "step" else None

        def draw(current: torch.Tensor, rows: Any = rows, drawn: Any = drawn) -> torch.Tensor:
            return torch.from_numpy(drawn if rows is None else next(rows))

        neuron.draw_decay = draw  # type: ignore[method-assign]
    return model
