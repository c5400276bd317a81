"""A right call of every public function, for tests that change it or look at what it leaves."""

import importlib
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import nir
import numpy as np
import torch
from snntorch import surrogate
from torch import nn

import stochi
from stochi import attacks, data, deploy, export, hardware, parity, sim, statistics, study, train
from tests.conftest import dense_net


class Call(NamedTuple):
    """A function, and arguments that are right, by their names; ``*`` are positional ones."""

    function: Callable[..., Any]
    arguments: dict[str, Any]

    def __call__(self) -> Any:
        """Call it."""
        given = dict(self.arguments)
        return self.function(*given.pop("*", ()), **given)


class World:
    """Small networks, samples and files that calls are made with, each made once.

    Args:
        folder: folder for files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        torch.manual_seed(3)
        self.model = dense_net(2)
        self.images = data.Images(torch.rand(6, 1, 4, 4), torch.arange(6) % 3)
        self.frames = (torch.rand(2, 6, 2, 4, 4) < 0.4).float()
        self.streams = data.Streams(self.frames, torch.arange(6) % 3)
        self.event_model = Events().eval()
        self.budget = attacks.EventBudget(count=3)

    @cached_property
    def graph(self) -> nir.NIRGraph:
        return export.to_nir(self.model, self.images.inputs)

    @cached_property
    def program(self) -> deploy.Program:
        return deploy.lower(self.graph)

    @cached_property
    def event_program(self) -> deploy.Program:
        graph = export.to_nir(self.event_model, self.frames)
        return deploy.lower(graph, noise="none", events=True)

    @cached_property
    def record(self) -> sim.Record:
        return sim.run(self.program, self.images.inputs, probes=("spikes", "membrane"))

    @cached_property
    def report(self) -> parity.ParityReport:
        attack = attacks.FGSM(0.1, draws=1)
        return parity.check_parity(
            self.model, self.program, self.images, trials=2, attacks=[attack], lava=False
        )

    @cached_property
    def form(self) -> attacks.PatternForm:
        return attacks.PatternForm((2, 2), (2, 2, 4, 4), attacks.Offsets(), self.budget)

    @cached_property
    def pattern(self) -> attacks.EventPattern:
        return attacks.EventPattern(self.form, ((0, 0, 1, 1), (1, 1, 0, 1)))

    @cached_property
    def recordings(self) -> Path:
        """Folder of own recordings, two of each of two classes."""
        for name in ("left", "right"):
            (self.folder / "own" / name).mkdir(parents=True)
            for number in range(2):
                events = np.array([[t % 4, number, 1000 * t, t % 2] for t in range(8)])
                np.save(self.folder / "own" / name / f"{number}.npy", events)
        return self.folder / "own"

    @cached_property
    def events(self) -> data.EventSet:
        return data.open_recordings(self.recordings, (4, 4), time_unit="us")

    def file(self, name: str) -> Path:
        """Return the path of a file of this kind, which exists."""
        path = self.folder / name
        if not path.exists():
            match name:
                case "graph.nir":
                    deploy.write_graph(self.graph, path)
                case "program.npz":
                    self.program.save(path)
                case "pattern.json":
                    attacks.save_pattern(self.pattern, path)
                case "network.pt":
                    network = train.NetworkConfig(channels=(2, 2), time_steps=2)
                    train.save_checkpoint(path, network.build(), network, {})
        return path


class Events(nn.Module):
    """A network of events, (time steps, batch, 2, 4, 4) → (batch, 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.network = train.RepeatSteps(
            nn.Sequential(
                nn.Flatten(),
                nn.Linear(32, 8),
                train.RandomTauLeaky(threshold=0.3, init_hidden=True),
                nn.Linear(8, 3),
            ),
            2,
            events=True,
        )
        with torch.no_grad():
            for parameter in self.network.parameters():
                parameter *= 3

    def forward(self, events: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        return self.network(events)


def public() -> Iterator[tuple[str, Any]]:
    """Yield every public name, as ``package.name``, with what it names."""
    for package in stochi.__all__:
        module = importlib.import_module(f"stochi.{package}")
        for name in module.__all__:
            yield f"{package}.{name}", getattr(module, name)


NOT_CALLED = {
    *("attacks.ATTACK_NAMES", "attacks.EVENT_ATTACK_NAMES", "attacks.Recipe"),
    *("attacks.Attack", "attacks.ImageAttack", "attacks.PotentialSurrogate"),
    *("deploy.Convention", "deploy.CostEstimate", "deploy.LayerFit", "deploy.Mapping"),
    *("deploy.Program", "export.GraphModel", "hardware.DecayDistribution"),
    *("parity.Ablation", "parity.ParityReport", "parity.ReportComparison"),
    *("statistics.Equivalence", "statistics.Estimate"),
    *("study.EventStudyResults", "study.StudyResults", "sim.Record"),
}
"""Values, bases, and results, which functions make and not callers; warnings count too."""
OF_THE_PROGRAM = "program."
"""Parts of a Program, whose own tests are in tests/program."""


def saved_report(world: World, name: str) -> Path:
    """A report in a file."""
    world.report.save(world.folder / name)
    return world.folder / name


def _image_attack(name: str, **more: Any) -> Callable[[World], Call]:
    return lambda w: Call(getattr(attacks, name), {"epsilon": 0.1, "seed": 1, **more})


def _event_attack(name: str, **more: Any) -> Callable[[World], Call]:
    return lambda w: Call(getattr(attacks, name), {"budget": w.budget, "seed": 1, **more})


_FOLLOWS = {"grid": 255, "draws": 2, "surrogates": "own", "keep": "worst"}
_CLIMBS = {**_FOLLOWS, "iterations": 2, "loss": "ce", "restarts": 1, "targets": 2}
_SEARCHES = {"draws": 2, "surrogates": "own", "iterations": 2}

CALLS: dict[str, Callable[[World], Call]] = {
    "attacks.APGD": _image_attack("APGD", **_CLIMBS),
    "attacks.SAPGD": _image_attack("SAPGD", **_CLIMBS),
    "attacks.PGD": _image_attack(
        "PGD", **_CLIMBS, step_size=0.01, use_random_start=True, schedule="constant"
    ),
    "attacks.FAB": _image_attack("FAB", **{k: v for k, v in _CLIMBS.items() if k != "loss"}),
    "attacks.FGSM": _image_attack("FGSM", **_FOLLOWS),
    "attacks.MIFGSM": _image_attack("MIFGSM", **_FOLLOWS, iterations=2, momentum=1.0),
    "attacks.UniformNoise": _image_attack("UniformNoise", grid=255),
    "attacks.Square": _image_attack(
        "Square", grid=255, iterations=2, draws=2, restarts=1, progress=print
    ),
    "attacks.HopSkipJump": _image_attack(
        "HopSkipJump", grid=255, iterations=2, directions=4, starts=3, draws=2
    ),
    "attacks.AutoAttack": _image_attack(
        "AutoAttack", grid=255, version="rand", iterations=2, squares=2, draws=2, surrogates="own"
    ),
    "attacks.AdaptiveSurrogate": lambda w: Call(attacks.AdaptiveSurrogate, {"coverage": 0.4}),
    "attacks.FixedSurrogate": lambda w: Call(
        attacks.FixedSurrogate, {"kernel": "atan", "sharpness": 10.0}
    ),
    "attacks.AppliedPattern": lambda w: Call(
        attacks.AppliedPattern,
        {"budget": w.budget, "seed": 0, "draws": 1, "pattern": w.pattern, "shifted": True},
    ),
    "attacks.Boundary": _event_attack("Boundary", iterations=2, draws=2, starts=2, pool=None),
    "attacks.CornerAttack": _event_attack("CornerAttack", draws=2, tries=2, size=2),
    "attacks.DashAttack": _event_attack("DashAttack", draws=2, tries=2, length=2, dwell=1),
    "attacks.FrameAttack": _event_attack("FrameAttack", draws=2, tries=2),
    "attacks.MaskAwareDashAttack": _event_attack(
        "MaskAwareDashAttack", draws=2, tries=2, length=2, dwell=1, most=2
    ),
    "attacks.GreedySpikes": _event_attack("GreedySpikes", candidates=8, draws=2),
    "attacks.ProbabilisticPGD": _event_attack(
        "ProbabilisticPGD",
        **_SEARCHES,
        step_size=0.2,
        samples=2,
        sampling="straight-through",
        temperature=1.0,
    ),
    "attacks.RandomEvents": _event_attack("RandomEvents", draws=2),
    "attacks.Retiming": lambda w: Call(
        attacks.Retiming,
        {
            "budget": attacks.EventBudget(count=3, kinds=("move-time",), max_delay=1),
            "seed": 1,
            **_SEARCHES,
            "prunes": 2,
        },
    ),
    "attacks.SparseGradient": _event_attack("SparseGradient", **_SEARCHES, probes=2, prunes=2),
    "attacks.SpikeFool": _event_attack(
        "SpikeFool", **_SEARCHES, walk=1, classes=2, overshoot=1.5, prunes=0
    ),
    "attacks.TopGradient": _event_attack("TopGradient", **_SEARCHES),
    "attacks.EventBudget": lambda w: Call(
        attacks.EventBudget,
        {
            "count": 3,
            "share": 0.5,
            "kinds": ("insert", "delete", "move-time", "move-space"),
            "max_delay": 1,
            "max_distance": 1,
            "keep_polarity": True,
            "refractory": 0,
        },
    ),
    "attacks.EventPattern": lambda w: Call(
        attacks.EventPattern, {"form": w.form, "events": ((0, 0, 1, 1),)}
    ),
    "attacks.NoiseSearch": lambda w: Call(
        attacks.NoiseSearch, {"families": ("perlin",), "candidates": 2, "trials": 1, "seed": 0}
    ),
    "attacks.Offsets": lambda w: Call(
        attacks.Offsets, {"steps": (0, 1), "rows": (0, 1), "columns": (0, 1)}
    ),
    "attacks.PatternForm": lambda w: Call(
        attacks.PatternForm,
        {
            "size": (2, 2),
            "shape": (2, 2, 4, 4),
            "offsets": attacks.Offsets(),
            "budget": w.budget,
            "occludes": False,
            "title": "pattern",
        },
    ),
    "attacks.PatternTraining": lambda w: Call(
        attacks.PatternTraining,
        {
            "iterations": 2,
            "batch": 3,
            "draws": 1,
            "surrogates": "own",
            "target": 1,
            "held_out": 2,
            "seed": 0,
        },
    ),
    "attacks.ProgramModel": lambda w: Call(
        attacks.ProgramModel, {"program": w.program, "seed": 1, "backend": "engine"}
    ),
    "attacks.StreamModel": lambda w: Call(attacks.StreamModel, {"model": w.event_model}),
    "attacks.fooling_rate": lambda w: Call(
        attacks.fooling_rate,
        {
            "model": w.event_model,
            "pattern": w.pattern,
            "samples": w.streams,
            "trials": 1,
            "target": 1,
            "seed": 0,
        },
    ),
    "attacks.load_pattern": lambda w: Call(attacks.load_pattern, {"path": w.file("pattern.json")}),
    "attacks.save_pattern": lambda w: Call(
        attacks.save_pattern, {"pattern": w.pattern, "path": w.folder / "saved.json"}
    ),
    "attacks.make_attack": lambda w: Call(
        attacks.make_attack,
        {
            "name": "pgd",
            "epsilon": 0.1,
            "iterations": 2,
            "draws": 2,
            "restarts": 1,
            "surrogates": "own",
            "seed": 0,
            "grid": 255,
        },
    ),
    "attacks.make_event_attack": lambda w: Call(
        attacks.make_event_attack,
        {
            "name": "greedy-spikes",
            "budget": w.budget,
            "draws": 2,
            "seed": 0,
        },
    ),
    "attacks.measure_attack": lambda w: Call(
        attacks.measure_attack,
        {
            "clean": w.frames,
            "attacked": w.frames.flip(3),
            "right_clean": torch.ones(1, 6, dtype=torch.bool),
            "right_attacked": torch.zeros(1, 6, dtype=torch.bool),
            "budget": w.budget,
        },
    ),
    "attacks.random_like": lambda w: Call(attacks.random_like, {"pattern": w.pattern, "seed": 1}),
    "attacks.search_noise": lambda w: Call(
        attacks.search_noise,
        {
            "model": w.event_model,
            "samples": w.streams,
            "budget": 3,
            "offsets": attacks.Offsets(),
            "target": None,
            "search": attacks.NoiseSearch(candidates=1),
        },
    ),
    "attacks.train_patch": lambda w: Call(
        attacks.train_patch,
        {
            "model": w.event_model,
            "samples": w.streams,
            "budget": 3,
            "side": 2,
            "place": (0, 0),
            "occludes": False,
            "training": attacks.PatternTraining(iterations=1, draws=1),
        },
    ),
    "attacks.train_universal": lambda w: Call(
        attacks.train_universal,
        {
            "model": w.event_model,
            "samples": w.streams,
            "budget": 3,
            "offsets": attacks.Offsets(),
            "training": attacks.PatternTraining(iterations=1, draws=1),
        },
    ),
    "attacks.with_surrogate": lambda w: Call(
        attacks.with_surrogate,
        {"model": w.model, "surrogate": surrogate.fast_sigmoid()},
    ),
    "data.BackgroundFilter": lambda w: Call(data.BackgroundFilter, {"distance": 1, "steps": 1}),
    "data.MaskFilter": lambda w: Call(data.MaskFilter, {"most": 2}),
    "data.Binning": lambda w: Call(
        data.Binning, {"time_steps": 2, "by": "duration", "step_us": 1000}
    ),
    "data.EventSet": lambda w: Call(
        data.EventSet,
        {
            "recordings": w.events.recordings,
            "labels": w.events.labels,
            "classes": 2,
            "binning": data.Binning(2),
            "cache": None,
            "class_names": ("left", "right"),
        },
    ),
    "data.Images": lambda w: Call(
        data.Images, {"inputs": w.images.inputs, "labels": w.images.labels}
    ),
    "data.Streams": lambda w: Call(data.Streams, {"inputs": w.frames, "labels": w.streams.labels}),
    "data.draw_events": lambda w: Call(
        data.draw_events, {"events": w.streams, "path": w.folder / "e.png", "step_ms": 50}
    ),
    "data.encode": lambda w: Call(
        data.encode,
        {
            "samples": w.streams,
            "name": "delta",
            "time_steps": 2,
            "seed": 0,
            "first_sample": 0,
            "threshold": 0.5,
        },
    ),
    "data.from_tonic": lambda w: Call(
        data.from_tonic, {"dataset": Tonic(), "classes": 2, "binning": data.Binning(2)}
    ),
    "data.load": lambda w: Call(data.load, {"name": "digits", "data_dir": None}),
    "data.load_digits": lambda w: Call(data.load_digits, {}),
    "data.open_events": lambda w: Call(
        data.open_events,
        {"name": "saccades", "data_dir": None, "binning": data.Binning(2), "cache": None},
    ),
    "data.open_recordings": lambda w: Call(
        data.open_recordings,
        {
            "folder": w.recordings,
            "sensor": (4, 4),
            "classes": ("left", "right"),
            "binning": data.Binning(2),
            "time_unit": "us",
            "cache": None,
        },
    ),
    "deploy.calibrate": lambda w: Call(
        deploy.calibrate,
        {
            "graph": w.graph,
            "data": w.images,
            "chip": "loihi2",
            "noise": "membrane",
            "method": "behaviour",
            "dt": 1e-3,
            "time_steps": 2,
            "events": False,
            "random_source": "philox",
            "convention": "nir",
            "reset": "zero",
            "progress": print,
        },
    ),
    "deploy.estimate": lambda w: Call(
        deploy.estimate,
        {
            "program": w.program,
            "data": w.images,
            "figures": "loihi1",
            "destinations": None,
            "seed": 0,
            "trial": 0,
        },
    ),
    "deploy.lower": lambda w: Call(
        deploy.lower,
        {
            "graph": w.graph,
            "chip": "loihi2",
            "noise": "decay",
            "calibration": None,
            "fitted": None,
            "dt": 1e-3,
            "time_steps": 2,
            "events": False,
            "bits": 4,
            "random_source": "philox",
            "convention": "nir",
            "reset": "zero",
        },
    ),
    "deploy.map_cores": lambda w: Call(deploy.map_cores, {"program": w.program, "chip": "loihi2"}),
    "deploy.measure_model": lambda w: Call(
        deploy.measure_model,
        {"model": w.model, "batches": [w.images.inputs], "neurons": (train.RandomTauLeaky,)},
    ),
    "deploy.read_graph": lambda w: Call(deploy.read_graph, {"path": w.file("graph.nir")}),
    "deploy.read_net": lambda w: Call(
        deploy.read_net, {"path": w.folder / "none.net", "time_steps": 2}
    ),
    "deploy.recognize": lambda w: Call(
        deploy.recognize, {"graph": w.graph, "dt": 1e-3, "convention": "nir"}
    ),
    "deploy.resolve_conventions": lambda w: Call(
        deploy.resolve_conventions,
        {"graph": w.graph, "dt": 1e-3, "convention": "nir", "reset": "zero"},
    ),
    "deploy.write_graph": lambda w: Call(
        deploy.write_graph, {"graph": w.graph, "path": w.folder / "written.nir"}
    ),
    "deploy.write_lava": lambda w: Call(
        deploy.write_lava,
        {
            "program": w.program,
            "folder": w.folder / "lava",
            "inputs": w.images.inputs,
            "seed": 0,
            "trial": 0,
        },
    ),
    "export.draws_for_onnx": lambda w: Call(
        export.draws_for_onnx,
        {"network": w.program, "batch": 2, "seed": 0, "trial": 0, "first_sample": 0},
    ),
    "export.from_nir": lambda w: Call(
        export.from_nir,
        {
            "graph": w.graph,
            "dt": 1e-3,
            "time_steps": 2,
            "readout": "mean",
            "convention": "nir",
            "reset": "zero",
            "dtype": torch.float64,
        },
    ),
    "export.to_nir": lambda w: Call(
        export.to_nir, {"model": w.model, "sample": w.images.inputs, "dt": 1e-3}
    ),
    "export.to_onnx": lambda w: Call(
        export.to_onnx,
        {
            "network": w.program,
            "path": w.folder / "program.onnx",
            "draws": "inside",
            "streams": False,
            "unrolled": False,
            "probes": ("spikes",),
            "source": None,
        },
    ),
    "hardware.Draws": lambda w: Call(
        hardware.Draws, {"seed": 0, "trial": 0, "first_sample": 0, "source": "philox"}
    ),
    "hardware.Empirical": lambda w: Call(hardware.Empirical, {"values": (0.2, 0.5)}),
    "hardware.LogitNormal": lambda w: Call(hardware.LogitNormal, {"sigma": 1.0}),
    "hardware.NormalTau": lambda w: Call(hardware.NormalTau, {"mean_tau": 2.0, "spread": 0.1}),
    "hardware.Uniform": lambda w: Call(hardware.Uniform, {"low": 0.2, "high": 0.5}),
    "parity.Margins": lambda w: Call(parity.Margins, {"rate": 0.01, "accuracy": 0.01}),
    "parity.ablate": lambda w: Call(
        parity.ablate,
        {
            "model": w.model,
            "program": w.program,
            "data": w.images,
            "attack": attacks.FGSM(0.1, draws=1),
            "attack_images": 2,
            "trials": 1,
            "seed": 0,
            "batch_size": 4,
        },
    ),
    "parity.check_parity": lambda w: Call(
        parity.check_parity,
        {
            "model": w.model,
            "program": w.program,
            "data": w.images,
            "lowered_from": None,
            "trials": 2,
            "attacks": [attacks.FGSM(0.1, draws=1)],
            "epsilons": [0.1],
            "seeds": (0,),
            "exact_images": 2,
            "attack_images": 2,
            "lava": False,
            "margins": parity.Margins(),
            "batch_size": 4,
            "device": "cpu",
        },
    ),
    "parity.combine_seeds": lambda w: Call(
        parity.combine_seeds, {"distributions": [w.report.distribution] * 2}
    ),
    "parity.compare_reports": lambda w: Call(parity.compare_reports, {"reports": {"a": w.report}}),
    "parity.load_reports": lambda w: Call(
        parity.load_reports, {"paths": [saved_report(w, "a.json"), saved_report(w, "b.json")]}
    ),
    "parity.draw_report": lambda w: Call(
        parity.draw_report, {"report": w.report, "path": w.folder / "report.png"}
    ),
    "parity.draw_robustness": lambda w: Call(
        parity.draw_robustness, {"report": w.report, "path": w.folder / "robustness.png"}
    ),
    "parity.report_schema": lambda w: Call(parity.report_schema, {}),
    "sim.InOrder": lambda w: Call(sim.InOrder, {"values": w.frames}),
    "sim.run": lambda w: Call(
        sim.run,
        {
            "program": w.program,
            "inputs": w.images.inputs,
            "backend": "engine",
            "seed": 0,
            "trial": 0,
            "probes": ("spikes",),
            "first_sample": 0,
            "device": "cpu",
            "progress": None,
            "probe_folder": w.folder / "probes",
        },
    ),
    "sim.to_nir_data": lambda w: Call(sim.to_nir_data, {"record": w.record, "program": w.program}),
    "sim.write_nir_data": lambda w: Call(
        sim.write_nir_data,
        {"record": w.record, "program": w.program, "path": w.folder / "data.nir"},
    ),
    "statistics.estimate_accuracy": lambda w: Call(
        statistics.estimate_accuracy, {"correct": torch.tensor([[True, False, True]])}
    ),
    "statistics.estimate_difference": lambda w: Call(
        statistics.estimate_difference,
        {"first": torch.tensor([[1.0, 0.0]]), "second": torch.tensor([[0.0, 0.0]])},
    ),
    "statistics.estimate_mean": lambda w: Call(
        statistics.estimate_mean, {"values": torch.rand(8), "trials": 2}
    ),
    "statistics.estimate_over_trainings": lambda w: Call(
        statistics.estimate_over_trainings, {"values": torch.rand(3)}
    ),
    "statistics.two_one_sided_tests": lambda w: Call(
        statistics.two_one_sided_tests,
        {"values": np.linspace(-0.1, 0.1, 9), "margin": 0.5, "shares": False},
    ),
    "study.AttackPlan": lambda w: Call(
        study.AttackPlan,
        {
            "name": "greedy-spikes",
            "changes": (3,),
            "delays": (),
            "samples": 2,
            "iterations": None,
            "draws": 1,
            "surrogates": "own",
            "everywhere": True,
            "crosses": False,
        },
    ),
    "study.AutoAttackPlan": lambda w: Call(study.AutoAttackPlan, {"images": 2, "iterations": 2}),
    "study.CurvePlan": lambda w: Call(
        study.CurvePlan,
        {
            "images": 2,
            "epsilons": (0.1,),
            "iterations": (2,),
            "draws": (1,),
            "sigmas": (0.5,),
            "defences": ("none",),
        },
    ),
    "study.EnsemblePlan": lambda w: Call(
        study.EnsemblePlan, {"images": 2, "iterations": 2, "draws": 1, "epsilons": ()}
    ),
    "study.EventStudyPlan": lambda w: Call(
        study.EventStudyPlan,
        {
            "data": "saccades",
            "samples": 2,
            "trials": 2,
            "calibration_samples": 2,
            "training": study.EventTraining(),
            "attacks": (),
            "patterns": study.PatternPlan(),
            "device": "cpu",
        },
    ),
    "study.EventTraining": lambda w: Call(
        study.EventTraining, {"samples": 20, "epochs": 1, "seeds": 1, "network": "mlp"}
    ),
    "study.PGDPlan": lambda w: Call(study.PGDPlan, {"epsilon": 0.1, "iterations": 2, "draws": 2}),
    "study.PatternPlan": lambda w: Call(
        study.PatternPlan,
        {
            "samples": 20,
            "changes": (3,),
            "sides": (2,),
            "iterations": 2,
            "draws": 1,
            "noises": 2,
            "asked": 2,
        },
    ),
    "study.SimilarityPlan": lambda w: Call(study.SimilarityPlan, {"images": 2, "draws": 2}),
    "study.SquarePlan": lambda w: Call(study.SquarePlan, {"images": 2, "iterations": 2}),
    "study.StudyPlan": lambda w: Call(
        study.StudyPlan,
        {
            "data": "digits",
            "images": 2,
            "trials": 2,
            "calibration_images": 2,
            "defences": ("none",),
            "baselines": (),
            "training": study.TrainingPlan(),
            "pgd": study.PGDPlan(),
            "square": study.SquarePlan(),
            "auto_attack": study.AutoAttackPlan(),
            "ensemble": study.EnsemblePlan(),
            "curves": study.CurvePlan(defences=("none",)),
            "similarity": study.SimilarityPlan(),
            "places": ("float", "decay"),
            "batch_size": 2,
            "depth": None,
            "device": "cpu",
        },
    ),
    "study.TrainingPlan": lambda w: Call(
        study.TrainingPlan,
        {
            **{"images": 20, "epochs": 1, "seeds": 1, "time_steps": 2, "epsilon": 0.1},
            **{"network": "vgg9", "width": 2, "optimizer": "sgd", "draws": 1},
        },
    ),
    "study.DepthPlan": lambda w: Call(
        study.DepthPlan,
        {
            "compared": ("fgsm",),
            "layers": (1, 2),
            "sigmas": (2.0,),
            "time_steps": (1,),
            "widths": (2,),
            "attacked_layers": (1,),
            "draws": (1, 2),
            "images": 2,
        },
    ),
    "study.depth_plan": lambda w: Call(study.depth_plan, {"data": "cifar10", "quick": True}),
    "study.conduct": lambda w: Call(
        study.conduct,
        {"plan": NoPlan(), "folder": w.folder / "study", "data_dir": None, "processes": 1},
    ),
    "study.conduct_events": lambda w: Call(
        study.conduct_events,
        {"plan": NoPlan(), "folder": w.folder / "study", "data_dir": None, "processes": 1},
    ),
    "study.event_plan_for": lambda w: Call(
        study.event_plan_for, {"data": "saccades", "quick": True}
    ),
    "study.plan_for": lambda w: Call(study.plan_for, {"data": "digits", "quick": True}),
    "train.FilteredModel": lambda w: Call(
        train.FilteredModel,
        {"*": (w.event_model, data.BackgroundFilter()), "surrogate": None, "leak": 1.0},
    ),
    "train.FineTuningConfig": lambda w: Call(
        train.FineTuningConfig,
        {
            "seed": 0,
            "epochs": 1,
            "batch_size": 3,
            "learning_rate": 1e-3,
            "teacher_draws": 1,
            "rate_weight": 1.0,
            "epsilon": 0.1,
            "perturbed_share": 0.5,
        },
    ),
    "train.FreshDraws": lambda w: Call(train.FreshDraws, {"model": w.model, "seed": 1}),
    "train.NetworkConfig": lambda w: Call(
        train.NetworkConfig,
        {
            "input_shape": (1, 8, 8),
            "classes": 3,
            "time_steps": 2,
            "channels": (2, 2),
            "sigma": 1.0,
            "sampling": "step",
            "input_gain": "coupled",
            "bits": 4,
            "batch_norm": True,
            "kind": "conv",
            "neuron": "random",
            "hidden": (4, 4),
            "noise_std": 0.2,
            "open_share": 0.9,
        },
    ),
    "train.GatedLeaky": lambda w: Call(
        train.GatedLeaky,
        {
            "beta": 0.5,
            "open_share": 0.9,
            "learn_gates": False,
            "generator": None,
            "threshold": 0.5,
            "spike_grad": None,
            "init_hidden": True,
            "output": False,
            "reset_mechanism": "zero",
            "reset_delay": False,
            "learn_beta": False,
            "learn_threshold": False,
        },
    ),
    "train.NoisyLeaky": lambda w: Call(
        train.NoisyLeaky,
        {
            "beta": 0.5,
            "noise_std": 0.2,
            "distribution": "normal",
            "generator": None,
            "threshold": 0.5,
            "spike_grad": None,
            "init_hidden": True,
            "output": False,
            "reset_mechanism": "zero",
            "reset_delay": False,
            "learn_beta": False,
            "learn_threshold": False,
        },
    ),
    "train.RandomTauLeaky": lambda w: Call(
        train.RandomTauLeaky,
        {
            "sigma": 1.0,
            "threshold": 0.5,
            "sampling": "step",
            "input_gain": "coupled",
            "bits": 4,
            "distribution": None,
            "generator": None,
            "learn_distribution": False,
            "spike_grad": None,
            "init_hidden": True,
            "output": False,
            "reset_mechanism": "zero",
            "learn_threshold": False,
        },
    ),
    "train.RepeatSteps": lambda w: Call(
        train.RepeatSteps, {"network": nn.Linear(2, 2), "time_steps": 2, "events": False}
    ),
    "train.TrainingConfig": lambda w: Call(
        train.TrainingConfig,
        {
            "seed": 0,
            "epochs": 1,
            "batch_size": 3,
            "learning_rate": 1e-3,
            "patience": 1,
            "validation_share": 2,
            "shift": 0,
            "optimizer": "sgd",
            "momentum": 0.5,
            "weight_decay": 1e-4,
            "micro_batch": 2,
        },
    ),
    "train.UnfinishedTraining": lambda w: Call(
        train.UnfinishedTraining,
        {
            "path": w.folder / "m.unfinished",
            "about": {"network": "mine"},
            "seconds": 60.0,
            "way_out": "remove it",
            "report": print,
        },
    ),
    "train.fine_tune": lambda w: Call(
        train.fine_tune,
        {
            "model": w.model,
            "program": w.program,
            "samples": w.images,
            "config": train.FineTuningConfig(epochs=1, teacher_draws=1),
            "device": "cpu",
        },
    ),
    "train.join_processes": lambda w: Call(train.join_processes, {"device": "cpu"}),
    "train.load_checkpoint": lambda w: Call(train.load_checkpoint, {"path": w.file("network.pt")}),
    "train.make_defence": lambda w: Call(train.make_defence, {"name": "fgsm", "epsilon": 0.1}),
    "train.make_twin": lambda w: Call(
        train.make_twin,
        {
            "model": w.model,
            "sample": w.images.inputs,
            "chip": "loihi2",
            "noise": "decay",
            "fitted": None,
            "events": False,
            "dt": 1e-3,
            "bits": 4,
            "random_source": "philox",
        },
    ),
    "train.randomize": lambda w: Call(
        train.randomize, {"model": w.model, "kind": "input-noise", "strength": 0.1}
    ),
    "train.save_checkpoint": lambda w: Call(
        train.save_checkpoint,
        {
            "path": w.folder / "saved.pt",
            "model": train.NetworkConfig(channels=(2, 2)).build(),
            "network": train.NetworkConfig(channels=(2, 2)),
            "training": {},
        },
    ),
    "train.set_draws": lambda w: Call(
        train.set_draws, {"model": export.from_nir(w.graph), "seed": 0, "trial": 0}
    ),
    "train.train_classifier": lambda w: Call(
        train.train_classifier,
        {
            "build": lambda: dense_net(2),
            "samples": w.images,
            "config": train.TrainingConfig(epochs=1, validation_share=2),
            "defence": None,
            "device": "cpu",
            "progress": None,
            "keep": train.UnfinishedTraining(w.folder / "kept"),
            "processes": None,
        },
    ),
    "train.twin_of": lambda w: Call(
        train.twin_of, {"program": w.program, "model": w.model, "sample": w.images.inputs}
    ),
}

METHODS: dict[str, Callable[[World], Call]] = {
    "attacks.Attack.run": lambda w: Call(
        attacks.FGSM(0.1, draws=1).run,
        {"model": w.model, "inputs": w.images.inputs, "labels": w.images.labels, "budget": 0.1},
    ),
    "attacks.Attack.run, events": lambda w: Call(
        attacks.GreedySpikes(3, draws=1).run,
        {"model": w.event_model, "inputs": w.frames, "labels": w.streams.labels, "budget": 2},
    ),
    "attacks.EventPattern.apply": lambda w: Call(w.pattern.apply, {"frames": w.frames}),
    "data.Images.batches": lambda w: Call(w.images.batches, {"count": 2}),
    "data.Images.select": lambda w: Call(w.images.select, {"rows": torch.arange(2)}),
    "data.EventSet.select": lambda w: Call(w.events.select, {"rows": torch.arange(2)}),
    "data.EventSet.load": lambda w: Call(w.events.load, {}),
    "deploy.Program.save": lambda w: Call(w.program.save, {"path": w.folder / "saved.npz"}),
    "deploy.Program.load": lambda w: Call(deploy.Program.load, {"path": w.file("program.npz")}),
    "parity.ParityReport.save": lambda w: Call(w.report.save, {"path": w.folder / "r.json"}),
    "parity.ParityReport.to_html": lambda w: Call(w.report.to_html, {"path": w.folder / "r.html"}),
    "parity.ParityReport.load": lambda w: Call(
        parity.ParityReport.load, {"path": saved_report(w, "c.json")}
    ),
    "parity.ParityReport.dated": lambda w: Call(
        w.report.dated,
        {"date": datetime(2026, 1, 2, tzinfo=timezone.utc), "command": ["stochi"], "data": "mine"},
    ),
    "sim.Record.save": lambda w: Call(w.record.save, {"path": w.folder / "r.npz"}),
}


class NoPlan:
    """Something that is not a plan, so that nothing is trained."""


class Tonic:
    """A data set of tonic's kind."""

    sensor_size = (4, 4, 2)

    def __len__(self) -> int:
        return 2

    def __getitem__(self, number: int) -> tuple[np.ndarray, int]:
        kind = np.dtype([("x", int), ("y", int), ("t", int), ("p", int)])
        events = [(t % 4, number, 1000 * t, t % 2) for t in range(8)]
        return np.array(events, kind), number
