"""``stochi train --tune``"""

from pathlib import Path
from typing import Any

from stochi.commands.console import Output
from stochi.commands.data import check_images_fit, load_program_for_images


def tune_checkpoint(
    output: Output,
    checkpoint: Path,
    program: Path,
    out: Path,
    seed: int,
    epochs: int,
    data: str,
    data_dir: Path | None,
) -> None:
    """Tune a checkpoint's network with a Program's arithmetic and noise in the loop; write it."""
    from stochi.data.catalogue import find_data_set
    from stochi.deploy.program import NOISE_TARGETS
    from stochi.deploy.table_bits import table_bits
    from stochi.train.checkpoint import NetworkConfig, in_floats, load_checkpoint, save_checkpoint
    from stochi.train.fine_tuning import FineTuningConfig, fine_tune

    config = FineTuningConfig(seed=seed, epochs=epochs)
    model, content = load_checkpoint(checkpoint)
    network = NetworkConfig.from_dict(content["network"])
    lowered = load_program_for_images(program)
    chosen = find_data_set(data)
    check_images_fit(chosen, checkpoint, network.input_shape, network.classes)
    training, _ = chosen.read(data_dir)
    output.progress(f"Tuning on {len(training)} images of {data}, {epochs} epochs, seed {seed}")
    losses: list[float] = []

    def show(epoch: int, loss: float) -> None:
        losses.append(loss)
        output.progress(f"epoch {epoch:3d}  loss {loss:.4f}")

    tuned, network = in_floats(fine_tune(model, lowered, training, config, progress=show), network)
    about: dict[str, Any] = {**config.as_dict(), "data": data, "tuned_from": str(checkpoint)}
    save_checkpoint(out, tuned, network, {**about, "program": str(program), "losses": losses})
    source, bits = lowered.random_source, table_bits(lowered)
    output.say(
        f"Wrote {out}. Next: stochi export {out}, stochi deploy GRAPH --noise {lowered.noise}"
        + (f" --calibration {program}" if lowered.noise in NOISE_TARGETS else "")
        + (f" --bits {max(bits.values())}" if bits else "")
        + (f" --random-source {source}" if source != "philox" else "")
        + f", and compare with stochi parity {checkpoint} PROGRAM --lowered-from {out}"
    )
    output.finish({"checkpoint": str(out), "losses": losses, "training": about})
