"""Ready-made plans."""

from dataclasses import replace

from stochi.arguments import check_arguments
from stochi.study.depth import DepthPlan
from stochi.study.plan import (
    AutoAttackPlan,
    CurvePlan,
    EnsemblePlan,
    PGDPlan,
    SimilarityPlan,
    SquarePlan,
    StudyPlan,
    TrainingPlan,
)
from stochi.study.victims import FLOAT

FULL = StudyPlan()
"""Every question, on all of the digits' test images."""
QUICK = StudyPlan(
    images=100,
    trials=5,
    calibration_images=64,
    defences=("none", "pgd"),
    baselines=("input-noise",),
    training=TrainingPlan(epochs=10, seeds=1),
    pgd=PGDPlan(iterations=10, draws=5),
    square=SquarePlan(images=32, iterations=50),
    auto_attack=AutoAttackPlan(iterations=5),
    ensemble=EnsemblePlan(iterations=25, draws=2),
    curves=CurvePlan(epsilons=(10 / 255, 1.0), iterations=(5, 100), draws=(1,), sigmas=(2.0,)),
    similarity=SimilarityPlan(images=16, draws=4),
)
"""A look at the digits in a few minutes."""
SMALL = StudyPlan(
    images=1000,
    trials=5,
    calibration_images=64,
    defences=("none", "fgsm"),
    baselines=("input-noise",),
    training=TrainingPlan(images=5000, epochs=8, seeds=1, time_steps=4),
    pgd=PGDPlan(iterations=10, draws=5),
    square=SquarePlan(images=50, iterations=100),
    auto_attack=AutoAttackPlan(images=100, iterations=10),
    ensemble=EnsemblePlan(images=100, iterations=50, draws=2, epsilons=(2 / 255, 4 / 255)),
    curves=CurvePlan(
        images=50,
        epsilons=(1.0,),
        iterations=(10, 250),
        draws=(1, 5),
        sigmas=(0.5, 2.0),
        defences=("fgsm",),
    ),
    similarity=SimilarityPlan(images=32),
)
"""What two cores can do with convolutional networks in a few hours."""


DEPTH = StudyPlan(
    data="cifar10",
    images=100,
    trials=5,
    calibration_images=8,
    defences=("fgsm",),
    baselines=(),
    training=TrainingPlan(
        images=8000,
        epochs=5,
        seeds=3,
        time_steps=4,
        epsilon=4 / 255,
        network="sew-resnet19",
        optimizer="sgd",
        draws=1,
    ),
    pgd=PGDPlan(epsilon=4 / 255, iterations=10, draws=5),
    square=SquarePlan(images=25, iterations=50),
    auto_attack=AutoAttackPlan(images=50, iterations=10),
    ensemble=EnsemblePlan(images=100, iterations=50, draws=2, epsilons=(8 / 255,)),
    curves=CurvePlan(images=50, epsilons=(), iterations=(), draws=(), sigmas=(), defences=()),
    similarity=SimilarityPlan(images=32, draws=4),
    places=(FLOAT, "decay", "membrane"),
    chip_images=20,
    batch_size=16,
    depth=DepthPlan(),
)
"""SEW-ResNet19, the RandHet paper's network, with 16 channels: a night on two cores."""


QUICK_DEPTH = replace(
    DEPTH,
    images=20,
    trials=2,
    training=replace(DEPTH.training, images=256, epochs=1, seeds=1, time_steps=2, width=4),
    pgd=PGDPlan(epsilon=4 / 255, iterations=2, draws=2),
    square=SquarePlan(images=10, iterations=5),
    auto_attack=AutoAttackPlan(images=10, iterations=2),
    ensemble=EnsemblePlan(images=10, iterations=4, draws=2, epsilons=(8 / 255,)),
    similarity=SimilarityPlan(images=8, draws=2),
    depth=DepthPlan(
        layers=(1, 9),
        sigmas=(4.0,),
        time_steps=(1,),
        widths=(8,),
        attacked_layers=(1,),
        draws=(1, 5),
        images=10,
    ),
)
"""A look at the study at depth in minutes, on networks that have hardly learned."""


def depth_plan(data: str = "cifar10", *, quick: bool = False) -> StudyPlan:
    """Return the plan of the study at depth.

    Args:
        data: name of a data set of images; the RandHet paper has "cifar10".
        quick: whether to ask only a small part, in minutes.
    """
    check_arguments(depth_plan, locals())
    return replace(QUICK_DEPTH if quick else DEPTH, data=data)


def plan_for(data: str, quick: bool) -> StudyPlan:
    """Return the plan for a data set.

    It is ``FULL`` for the digits, ``SMALL`` for other sets, whose networks are convolutional, and
    ``QUICK`` on request. For CIFAR, ε is that of the RandHet paper: 8/255, and 4/255 in training.

    Args:
        data: name of the data set.
        quick: whether to ask only a small part, in minutes.
    """
    check_arguments(plan_for, locals())
    plan = QUICK if quick else FULL if data == "digits" else SMALL
    plan = replace(plan, data=data)
    if data.startswith("cifar"):
        plan = plan.with_options(epsilon=8 / 255, training_epsilon=4 / 255)
    return plan
