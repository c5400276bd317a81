"""A victim's network for events: built, trained, and kept."""

from torch import nn

from stochi.data.catalogue import find_data_set
from stochi.data.streams import Streams
from stochi.study.events.keys import weights_key
from stochi.study.events.plan import EventStudyPlan
from stochi.study.keeping import load_or_fit
from stochi.study.store import Store
from stochi.study.victims import NEURONS, Victim
from stochi.train import NetworkConfig
from stochi.train.training import train_classifier
from stochi.train.training_config import TrainingConfig
from stochi.train.unfinished import UnfinishedTraining


def load_or_train(
    victim: Victim, plan: EventStudyPlan, training: Streams, store: Store
) -> nn.Module:
    """Return a victim's network on the plan's device, with stored weights if there are any.

    Args:
        training: the training recordings.
        store: holds the weights; new ones are put there.
    """
    config = network_config(victim, plan)

    def fit(unfinished: UnfinishedTraining) -> nn.Module:
        options = TrainingConfig.for_events(victim.seed, plan.training.epochs)
        model, _ = train_classifier(
            config.build, training, options, device=plan.device, keep=unfinished
        )
        return model

    return load_or_fit(store, weights_key(victim, plan), config.build, fit).to(plan.device)


def network_config(victim: Victim, plan: EventStudyPlan) -> NetworkConfig:
    """Return a victim's untrained network; a plain LIF is one whose λ stays at its mean."""
    data = find_data_set(plan.data)
    return NetworkConfig(
        input_shape=data.shape,
        classes=data.classes,
        time_steps=data.time_steps or 1,
        sampling=NEURONS[victim.neuron],
        sigma=victim.sigma,
        kind=f"event-{plan.training.network}",
    )
