"""Made-up snapshots that several tests read, made once; nobody writes into them."""

import pytest
import torch

from tests.rewardmodel.synthetic import write_synthetic_snapshot


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    return tmp_path_factory.mktemp("rewardmodel")


@pytest.fixture(scope="session")
def cache(folders):
    return folders / "cache"


@pytest.fixture(scope="session")
def higher_is_better(folders):
    """Votes favour the reply with the higher voice."""
    return write_synthetic_snapshot(folders / "higher", n_scenarios=40)


@pytest.fixture(scope="session")
def trained(folders, cache, higher_is_better):
    """A reward model trained on it."""
    from rewardmodel.learning.training import TrainingConfig, train

    train(higher_is_better, folders / "trained", TrainingConfig(epochs=20, batch=32), cache=cache)
    return folders / "trained"
