"""A victim's network: built, trained with its defence, and kept."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from stochi.data.images import Images
from stochi.study.defences import choose_defence
from stochi.study.keeping import load_or_fit
from stochi.study.keys import weights_key
from stochi.study.options import given
from stochi.study.plan import StudyPlan, TrainingPlan
from stochi.study.store import Store
from stochi.study.variants import OWN, Variant
from stochi.study.victims import BASELINES, NEURONS, UNTRAINED, Victim
from stochi.train.deep_networks.catalogue import DEEP_NETWORKS
from stochi.train.networks import small_conv_net, two_layer_net
from stochi.train.neurons.choice import NeuronChoice
from stochi.train.randomization import randomize
from stochi.train.training import train_classifier
from stochi.train.training_config import SGD_AS_PUBLISHED, TrainingConfig
from stochi.train.unfinished import UnfinishedTraining
from stochi.turns import generators_kept, seeded

SMALL_IMAGE = 64
"""Largest number of values of an image for which a network has linear layers only."""
SETTLED, BATCH = 1024, 64
"""Images, and of them at a time, that give an untrained network's batch norms their statistics."""


def load_or_train(victim: Victim, plan: StudyPlan, images: Images, store: Store) -> nn.Module:
    """Return a victim's network on the plan's device, with stored weights if there are any.

    Args:
        images: the training images.
        store: holds the weights; new ones are put there.
    """

    def build() -> nn.Module:
        return build_network(victim, plan, images)

    def fit(unfinished: UnfinishedTraining) -> nn.Module:
        if victim.defence == UNTRAINED:
            return settle(build, images, victim.seed)
        model, _ = train_classifier(
            build,
            images,
            training_config(victim, plan.training),
            defence=choose_defence(victim, plan),
            device=plan.training_device,
            keep=unfinished,
        )
        return model

    return load_or_fit(store, weights_key(victim, plan), build, fit).to(plan.device)


def training_config(victim: Victim, training: TrainingPlan) -> TrainingConfig:
    """Return how a victim is trained."""
    config = TrainingConfig(seed=victim.seed, epochs=training.epochs)
    if training.optimizer == "adam":
        return config
    return replace(config, optimizer="sgd", batch_size=32, **SGD_AS_PUBLISHED)


def make_variant(
    victim: Victim, plan: StudyPlan, images: Images, own: nn.Module, variant: Variant
) -> nn.Module:
    """Return a variant of a victim's network on the plan's device.

    It has the victim's weights, unless it has another width: then it is as untrained as the victim.

    Args:
        images: the training images.
        own: the victim's own network.
    """

    def build() -> nn.Module:
        return build_network(victim, plan, images, variant)

    if variant.width is not None:
        return settle(build, images, victim.seed).to(plan.device)
    with generators_kept():
        model = build().to(plan.device)
    model.load_state_dict(own.state_dict())
    return model.eval()


def settle(build: Callable[[], nn.Module], images: Images, seed: int) -> nn.Module:
    """Return an untrained network whose batch norms have the statistics of some images."""
    with seeded(seed):
        model = build().train()
        norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.momentum = None  # the mean over all batches
        with torch.no_grad():
            for batch in images.up_to(SETTLED).batches(BATCH):
                model(batch.inputs)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
    return model.eval()


def build_network(
    victim: Victim, plan: StudyPlan, images: Images, variant: Variant = OWN
) -> nn.Module:
    """Build a victim's untrained network, with weights from torch's global generator.

    Unless the plan names a deep network, it has two linear layers for images as small as the
    digits, otherwise two convolutions.
    """
    shape = images.inputs.shape[1:]
    classes = int(images.labels.max()) + 1
    time_steps, sampling = plan.training.time_steps, NEURONS[victim.neuron]
    if plan.training.network:
        return DEEP_NETWORKS[plan.training.network].build(
            tuple(shape),
            classes,
            time_steps=given(variant.time_steps, time_steps),
            width=given(variant.width, plan.training.width),
            neuron=NeuronChoice(sigma=given(variant.sigma, victim.sigma), sampling=sampling),
            random_layers=variant.random_layers,
        )
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
