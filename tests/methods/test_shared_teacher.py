"""Several students may share a teacher and what it says, because no method changes either."""

from copy import deepcopy
from dataclasses import fields

import pytest
import torch

from tests.methods.test_contract import LABELS, Setting, every_method


def tensors(value):
    return () if value is None else value if isinstance(value, tuple) else (value,)


@every_method
def test_what_the_teacher_says_and_is_stays_as_it_was(method):
    setting = Setting(method)
    if setting.teacher is None:
        pytest.skip("no teacher")
    setting.teacher.requires_grad_(False)
    before = deepcopy(setting.teacher.state_dict())
    setting.prepared()
    student, teacher = setting.outputs()
    said = deepcopy(teacher)
    terms = setting.distiller.terms(student, teacher, LABELS)
    torch.stack([student.logits.square().sum(), *terms.values()]).sum().backward()
    setting.distiller.edit_gradients()
    for field in fields(said):
        kept, found = (tensors(getattr(output, field.name)) for output in (said, teacher))
        assert all(torch.equal(*pair) for pair in zip(kept, found, strict=True)), field.name
    now = setting.teacher.state_dict()
    # Batch norms count their batches, and read the count nowhere.
    assert all(torch.equal(value, now[name]) for name, value in before.items() if "tracked" not in name)
