"""Size of a data set, without reading its images."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cdd.data import household
from cdd.data.classification import SHARE
from cdd.data.dataset_facts import real_dataset
from cdd.data.image_list import VALIDATION_SHARE
from cdd.data.records import division
from cdd.recipe import Data
from cdd.values import Use


@dataclass(frozen=True)
class DatasetSize:
    """Training identities, training images and evaluated images of one use of a data set."""

    identities: int
    training_images: int
    evaluated_images: int


def dataset_size(data: Data) -> DatasetSize:
    """Counted for the embedded data set, published for the others.

    Raises:
        ValueError: for an unknown data set, or one that does not allow this use.
    """
    if data.name == "household":
        return _counted(data.use)
    spec = real_dataset(data.name)
    spec.require_use(data.use)
    splits = spec.splits
    training = splits["training"][spec.usual_training(data)]
    if spec.task == "classification":
        tuned = training.images // SHARE if data.use == "classification-tuning" else 0
        return DatasetSize(training.identities, training.images - tuned, tuned or splits["test"][0].images)
    if data.use == "standard":
        test = splits["query"][0].images + splits["gallery"][0].images
        return DatasetSize(training.identities, training.images, test)
    images, identities = training.images // VALIDATION_SHARE, training.identities // VALIDATION_SHARE
    return DatasetSize(training.identities - identities, training.images - images, images)


@lru_cache
def _counted(use: Use) -> DatasetSize:
    arrays, _ = household.stored("identity", "split")
    identity, split = arrays["identity"], np.array(household.SPLITS)[arrays["split"]]
    parts = division(identity.astype(np.int64), split, use)
    return DatasetSize(len(np.unique(identity[parts.training])), len(parts.training), len(parts.evaluated))
