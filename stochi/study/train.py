"""A victim's network: built, trained with its defence, and kept."""

from dataclasses import fields
from typing import Any

import torch
from torch import nn

from stochi.data.images import Images
from stochi.study.plan import BASELINES, NEURONS, StudyPlan, Victim
from stochi.study.store import Store
from stochi.train.defence import Defence
from stochi.train.defences import DEFENCES, make_defence
from stochi.train.networks import small_conv_net, two_layer_net
from stochi.train.randomization import randomize
from stochi.train.training import TrainingConfig, train_classifier


def build(victim: Victim, plan: StudyPlan, images: Images) -> nn.Module:
    """The untrained network, weights from torch's global generator: two linear layers for images
    as small as the digits, else two convolutions."""
    shape = images.inputs.shape[1:]
    classes = int(images.labels.max()) + 1
    options: dict[str, Any] = {
        "classes": classes,
        "steps": plan.time_steps,
        "sigma": victim.sigma,
        "sampling": NEURONS[victim.neuron],
    }
    if shape.numel() <= 64:
        net: nn.Module = two_layer_net(shape.numel(), **options)
    else:
        net = small_conv_net((shape[0], shape[1], shape[2]), **options)
    kind = victim.randomization
    return randomize(net, kind, BASELINES[kind]) if kind else net


def defence_of(victim: Victim, plan: StudyPlan) -> Defence | None:
    """What it is trained with, at the plan's ε where that matters."""
    if victim.defence == "none":
        return None
    has_epsilon = any(field.name == "epsilon" for field in fields(DEFENCES[victim.defence]))
    return make_defence(
        victim.defence, **({"epsilon": plan.training_epsilon} if has_epsilon else {})
    )


def trained(victim: Victim, plan: StudyPlan, images: Images, store: Store) -> nn.Module:
    """The victim in eval mode; trained, or read where that was done before."""
    about = {"weights": plan.training(victim)}
    weights = store.get_weights(about)
    with torch.random.fork_rng(devices=[]):
        model = build(victim, plan, images)
    if weights is None:
        model, _ = train_classifier(
            lambda: build(victim, plan, images),
            images,
            TrainingConfig(seed=victim.seed, epochs=plan.epochs),
            defence=defence_of(victim, plan),
        )
        store.put_weights(about, model.state_dict())
    else:
        model.load_state_dict(weights)
    return model.eval()
