"""A victim's network: built, trained with its defence, and kept."""

from torch import nn

from stochi.data.images import Images
from stochi.study.defences import choose_defence
from stochi.study.keeping import load_or_fit
from stochi.study.keys import weights_key
from stochi.study.plan import StudyPlan
from stochi.study.store import Store
from stochi.study.victims import BASELINES, NEURONS, Victim
from stochi.train.networks import small_conv_net, two_layer_net
from stochi.train.randomization import randomize
from stochi.train.training import train_classifier
from stochi.train.training_config import TrainingConfig
from stochi.train.unfinished import UnfinishedTraining

SMALL_IMAGE = 64
"""Largest number of values of an image for which a network has linear layers only."""


def load_or_train(victim: Victim, plan: StudyPlan, images: Images, store: Store) -> nn.Module:
    """Return a victim's network on the plan's device, with stored weights if there are any.

    Args:
        images: the training images.
        store: holds the weights; new ones are put there.
    """

    def build() -> nn.Module:
        return build_network(victim, plan, images)

    def fit(unfinished: UnfinishedTraining) -> nn.Module:
        model, _ = train_classifier(
            build,
            images,
            TrainingConfig(seed=victim.seed, epochs=plan.training.epochs),
            defence=choose_defence(victim, plan),
            device=plan.device,
            keep=unfinished,
        )
        return model

    return load_or_fit(store, weights_key(victim, plan), build, fit).to(plan.device)


def build_network(victim: Victim, plan: StudyPlan, images: Images) -> nn.Module:
    """Build a victim's untrained network, with weights from torch's global generator.

    It has two linear layers for images as small as the digits, otherwise two convolutions.
    """
    shape = images.inputs.shape[1:]
    classes = int(images.labels.max()) + 1
    time_steps, sampling = plan.training.time_steps, NEURONS[victim.neuron]
    if shape.numel() <= SMALL_IMAGE:
        net = two_layer_net(
            shape.numel(),
            classes=classes,
            time_steps=time_steps,
            sigma=victim.sigma,
            sampling=sampling,
        )
    else:
        net = small_conv_net(
            (shape[0], shape[1], shape[2]),
            classes,
            time_steps=time_steps,
            sigma=victim.sigma,
            sampling=sampling,
        )
    kind = victim.randomization
    return randomize(net, kind, BASELINES[kind]) if kind else net
