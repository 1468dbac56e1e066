"""Plain distillation is what every run with a teacher does."""

import torch

from cdd.contract import CODE, RetrievalOutput
from cdd.methods.knowledge_distillation import KD
from cdd.recipe import Objective


def answers() -> RetrievalOutput:
    return RetrievalOutput(torch.randn(4, 6), torch.randn(4, 3), torch.randn(4, 5))


def test_it_needs_a_teacher_and_adds_no_term():
    distiller = KD().build(torch.nn.Identity(), torch.nn.Identity(), CODE)
    assert KD().needs_teacher
    assert dict(distiller.terms(answers(), answers(), torch.tensor([0, 0, 1, 1]))) == {}
    assert list(distiller.parameters()) == []


def test_the_logit_loss_of_every_run_has_the_settings_of_the_comparison():
    assert (Objective().temperature, Objective().logit_weight) == (2.0, 1.0)
