"""The defence of a victim's training."""

from dataclasses import fields

from stochi.attacks.auto_attack import SHARP
from stochi.study.plan import StudyPlan
from stochi.study.victims import UNTRAINED, Victim
from stochi.train.defences.catalogue import DEFENCES, make_defence
from stochi.train.defences.defence import Defence


def choose_defence(victim: Victim, plan: StudyPlan) -> Defence | None:
    """Return the defence of a victim's training, at the plan's ε if it has one."""
    if victim.defence in ("none", UNTRAINED):
        return None
    name, _, sharp = victim.defence.partition("-")
    options: dict[str, float | str] = {"surrogate": SHARP} if sharp else {}
    known = [field.name for field in fields(DEFENCES[name])]
    if "epsilon" in known:
        options["epsilon"] = plan.training.epsilon
    if "draws" in known and plan.training.draws is not None:
        options["draws"] = plan.training.draws
    return make_defence(name, **options)
