"""The size of a data set, counted or published, is that of the data set that is loaded."""

from typing import get_args

import numpy as np
import pytest

from cdd.data.dataset_size import dataset_size
from cdd.data.records import evaluated, training_set
from cdd.data.registry import load
from cdd.recipe import Data
from cdd.values import Use


@pytest.mark.parametrize("use", get_args(Use))
def test_the_embedded_data_sets_extent_is_counted(use):
    data = Data(name="household", height=8, width=8, use=use)
    dataset = load(data)
    examples = training_set(dataset, use)
    found = dataset_size(data)
    assert found.identities == examples.identities == len(np.unique(examples.labels))
    assert found.training_images == len(examples.indices)
    assert found.evaluated_images == len(evaluated(dataset, use))


def test_the_real_data_sets_extent_is_published():
    found = dataset_size(Data(name="msmt17"))
    assert (found.identities, found.training_images, found.evaluated_images) == (1041, 32_621, 93_820)
    assert dataset_size(Data(name="msmt17", msmt17_lists="train")).training_images == 30_248
    tuning = dataset_size(Data(name="veri776", use="tuning"))
    assert tuning.training_images + tuning.evaluated_images == 37_778


def test_an_unknown_data_set_names_the_known_ones():
    with pytest.raises(ValueError, match=r"household, which is embedded, or one of .*veri776"):
        dataset_size(Data(name="cub"))
