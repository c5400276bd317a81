"""Copies of Stochi's own source files, which need only numpy, Lava and the standard library.

So the arithmetic in a folder is not a second definition: it is these files, with another name of
their package.
"""

import re
from pathlib import Path

from stochi import errors

PACKAGE = "stochi_lava"
"""The copies' package, whose name does not hide an installed Stochi."""
SCRIPT = "deploy/portable/run_script.py"
MODULES = (
    *(
        "arguments",
        "budget",
        "caching",
        "data/array_files",
        "errors",
        "files",
        "notebook_tables",
        "plain_text",
        "processes",
        "temporary",
    ),
    *("hardware/array_synapses", "hardware/broadcasting", "hardware/chips", "hardware/decays"),
    *("hardware/delays", "hardware/draws", "hardware/fixed_point", "hardware/jitable"),
    *("hardware/lfsr", "hardware/neuron", "hardware/noise", "hardware/sums"),
    *("program/archive", "program/layers", "program/layout", "program/members"),
    *("program/chip_rules", "program/demands", "program/fields", "program/network"),
    *("program/program", "program/rules", "program/target", "program/wording"),
    *("sim/mapped", "sim/engine/neuron_step"),
    *("sim/lava/array_layer", "sim/lava/compatibility", "sim/lava/folder_run", "sim/lava/jobs"),
    *("sim/lava/layer_sources", "sim/lava/network", "sim/lava/numpy_two", "sim/lava/runtime"),
    *("sim/lava/stock", "sim/lava/stock_rules"),
    *("sim/lava/processes/batch_source", "sim/lava/processes/chip_layer"),
    *("sim/lava/processes/chip_neurons", "sim/lava/processes/frame_source"),
    "sim/lava/processes/weight_exponent",
)
"""Modules that a folder carries, as paths below the package."""
_IMPORT = re.compile(r"^(\s*(?:from|import) )stochi\b", re.MULTILINE)


def read_sources() -> dict[str, str]:
    """Return the text of the script and of each copied module, by its path in the folder."""
    texts = {"run.py": _read(SCRIPT)}
    packages = {PACKAGE: '"""Source files of Stochi, BSD-3-Clause."""\n'}
    for module in MODULES:
        path = f"{PACKAGE}/{module}.py"
        texts[path] = _read(f"{module}.py")
        for folder in list(Path(path).parents)[:-1]:
            packages.setdefault(folder.as_posix(), "")
    return texts | {f"{folder}/__init__.py": text for folder, text in packages.items()}


def _read(path: str) -> str:
    text = (Path(errors.__file__).parent / path).read_text(encoding="utf-8")
    return _IMPORT.sub(rf"\g<1>{PACKAGE}", text)
