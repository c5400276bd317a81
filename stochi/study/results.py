"""What a study found, with intervals over the test images."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch

from stochi.attacks.masking import find_helpful_budgets, find_masking
from stochi.sim.statistics import Estimate, estimate_accuracy, estimate_difference
from stochi.study.examine import about, about_similarity
from stochi.study.plan import FLOAT, Question, StudyPlan, Victim
from stochi.study.store import Store

Cell = dict[str, Any]


class Results:
    """The answers of a finished study, averaged over its training seeds.

    Intervals are over images: they say what other images would change about these networks, not
    what training again would.
    """

    def __init__(self, plan: StudyPlan, store: Store) -> None:
        self.plan, self.store = plan, store

    def victims(self) -> list[Victim]:
        """Each kind of victim once, of seed 0."""
        return [victim for victim in self.plan.victims() if victim.seed == 0]

    def shares(self, victim: Victim, question: Question) -> torch.Tensor:
        """(1, images) how often each is right."""
        found = []
        for seed in range(self.plan.seeds):
            answer = self.store.get(about(replace(victim, seed=seed), self.plan, question))
            assert answer is not None, "the study is not finished"
            found.append(torch.tensor(answer["right"]) / answer["trials"])
        return torch.stack(found).double().mean(0)[None]

    def accuracy(self, victim: Victim, question: Question) -> Estimate:
        """With Wilson's interval."""
        return estimate_accuracy(self.shares(victim, question))

    def questions(self, victim: Victim, place: str) -> dict[str, Question]:
        """What the table has on a victim in a place, by column."""
        plan = self.plan
        asked = set(plan.questions(victim))
        columns = {
            "clean": plan.clean(place),
            "noise": plan.noise(place),
            "FGSM": plan.fgsm(place),
            "PGD": plan.pgd(place),
            "PGD, transferred": plan.pgd(place, "float"),
            "AutoAttack rand": plan.auto(place),
            "Square": plan.square(place),
        }
        return {name: question for name, question in columns.items() if question in asked}

    def table(self) -> list[Cell]:
        """One entry for every victim, place and column."""
        return [
            {
                "defence": victim.defence,
                "network": victim.title,
                "place": place,
                "column": column,
                **self.accuracy(victim, question).as_dict(),
            }
            for victim in self.victims()
            for place in victim.places
            for column, question in self.questions(victim, place).items()
        ]

    def against_lif(self) -> list[Cell]:
        """By how much each network beats the plain LIF with the same defence, on the same images,
        each under attacks on itself; both in floats."""
        found = []
        for victim in self.victims():
            plain = Victim(defence=victim.defence)
            if victim == plain:
                continue
            for column, question in self.questions(victim, FLOAT).items():
                if question in self.plan.questions(plain):
                    ours, theirs = self.shares(victim, question), self.shares(plain, question)
                    found.append(self._difference(victim, FLOAT, column, theirs, ours))
        return found

    def against_float(self) -> list[Cell]:
        """By how much the chip differs from the float model, on the same images; under attacks made
        on the chip's own model, or on the float model for both."""
        found = []
        for victim in self.victims():
            for place in victim.places[1:]:
                for column, question in self.questions(victim, place).items():
                    beside = replace(question, place=FLOAT)
                    if question.made_on == FLOAT:
                        beside = replace(beside, made_on="own")
                    if beside in self.plan.questions(victim):
                        ours, theirs = self.shares(victim, question), self.shares(victim, beside)
                        found.append(self._difference(victim, place, column, theirs, ours))
        return found

    def masking(self) -> list[Cell]:
        """Signs of masked gradients, in floats and on the chip."""
        plan, found = self.plan, []
        for victim in self.victims():
            for place in victim.places:
                questions = self.questions(victim, place)
                if "FGSM" not in questions:
                    continue
                white = self.shares(victim, plan.pgd(place))
                if "AutoAttack rand" in questions:
                    auto = self.shares(victim, plan.auto(place))
                    few = auto.shape[1]
                    white = torch.cat([torch.minimum(white[:, :few], auto), white[:, few:]], 1)
                given = {"single_step": plan.fgsm(place), "noise": plan.noise(place)}
                if "PGD, transferred" in questions:
                    given["transferred"] = plan.pgd(place, "float")
                shown = {name: self.shares(victim, q) for name, q in given.items()}
                findings = find_masking(white, **shown)
                for name, question in (
                    ("unbounded", plan.on_curve(place, "epsilon", 1.0)),
                    ("black_box", plan.square(place)),
                ):
                    if question in plan.questions(victim):
                        found_right = self.shares(victim, question)
                        beside = white[:, : question.images]
                        findings += find_masking(beside, **{name: found_right})
                if plan.has_curves(victim):
                    for axis, right in self._by_budget(victim, place).items():
                        findings += find_helpful_budgets(axis, right)
                for finding in findings:
                    where = {"defence": victim.defence, "network": victim.title, "place": place}
                    found.append({**where, **finding.as_dict()})
        return found

    def curves(self) -> list[Cell]:
        """PGD's accuracy against ε, steps, draws and σ."""
        found = [
            _point(victim, place, axis, value, shares)
            for victim in self.victims()
            if self.plan.has_curves(victim)
            for place in victim.places
            for axis, right in self._by_budget(victim, place).items()
            for value, shares in right.items()
        ]
        return found + list(self._sigmas())

    def similarities(self) -> list[Cell]:
        """Cosines between draws, (images,) of all seeds one after another."""
        found = []
        for victim in self.victims():
            if not self.plan.has_curves(victim):
                continue
            kept: dict[str, list[float]] = {"gradient": [], "perturbation": []}
            for seed in range(self.plan.seeds):
                answer = self.store.get(about_similarity(replace(victim, seed=seed), self.plan))
                assert answer is not None, "the study is not finished"
                for name, values in kept.items():
                    values += answer[name]
            found.append({"defence": victim.defence, "network": victim.title, **kept})
        return found

    def as_dict(self) -> dict[str, Any]:
        """All of it, for a file."""
        return {
            "table": self.table(),
            "against_lif": self.against_lif(),
            "against_float": self.against_float(),
            "masking": self.masking(),
            "curves": self.curves(),
            "similarities": self.similarities(),
        }

    def _by_budget(self, victim: Victim, place: str) -> dict[str, dict[float, torch.Tensor]]:
        """What is varied of PGD → its values → (1, images) how often each is right."""
        plan = self.plan
        found: dict[str, dict[float, torch.Tensor]] = {}
        for axis, values in plan.curves().items():
            standard = getattr(plan, axis)
            for value in sorted({*values, standard}):
                question = plan.on_curve(place, axis, value)
                shown = plan.pgd(place) if value == standard else question
                shares = self.shares(victim, shown)[:, : question.images]
                found.setdefault(axis, {})[value] = shares
        return found

    def _sigmas(self) -> Iterator[Cell]:
        for victim in self.victims():
            if victim.neuron == "RandHet-SNN" and victim.defence in self.plan.curve_defences:
                for place in victim.places:
                    question = self.plan.pgd(place)
                    plain = replace(victim, sigma=1.0)
                    shares = self.shares(victim, question)
                    yield _point(plain, place, "sigma", victim.sigma, shares)

    def _difference(
        self, victim: Victim, place: str, column: str, reference: torch.Tensor, ours: torch.Tensor
    ) -> Cell:
        where = {"defence": victim.defence, "network": victim.title, "place": place}
        return {**where, "column": column, **estimate_difference(reference, ours).as_dict()}


def _point(victim: Victim, place: str, axis: str, value: float, shares: torch.Tensor) -> Cell:
    return {
        "defence": victim.defence,
        "network": victim.title,
        "place": place,
        "axis": axis,
        "at": value,
        **estimate_accuracy(shares).as_dict(),
    }
