"""What every method owes the training loop; a new file in cdd/methods is found by itself."""

import inspect
import io
import json
import pkgutil
from copy import deepcopy
from dataclasses import fields
from importlib import import_module

import pytest
import torch

import cdd.methods
from cdd.architecture import Backbone
from cdd.compactor.insert import insert_compactors
from cdd.contract import CODE, Method, RetrievalOutput
from cdd.models.network import RetrievalNetwork
from cdd.recipe import Recipe
from cdd.training.networks import set_teacher_mode
from tests.small import BACKBONE, teacher_recipe

IDENTITIES = 5
LABELS = torch.tensor([0, 0, 3, 3])
BASIC = Backbone(block="basic", blocks=(1, 1, 1, 1), planes=(4, 4, 8, 8), stem="small", embedding=8)

COMPACTED = {"CapacityDynamic", "ResRep"}
"""Methods whose student has compactors."""
WITHOUT_TERMS = {"KD", "ResRep", "Supervised"}
VARIANTS: dict[str, tuple[dict[str, object], ...]] = {
    "QuEST": ({"words": 8}, {"words": 5, "temperature": 0.2}),
    "CapacityDynamic": (
        {},
        {"resetting": {"queue": 16, "after_epoch": 0, "ratio": 0.75}},
        {"resetting": {"target": 0.5}},
    ),
}
"""By class, settings to try where the defaults alone do not suit tiny networks or leave a branch out."""
ORDER_MATTERS = {"CCKD"}
"""Methods that compare each image with the next one of the batch."""
ELSEWHERE_LEAST = {"CSKD", "FT", "FitNet", "KDPE", "QuEST", "VID"}
"""Methods whose terms are not least where the student answers as the teacher: one of the two answers passes
through a learnt or fixed map, or is softened in another way."""
TAKEN = {"identity", "triplet", "logit", "total"}
"""Names of the loop's own losses, which a term of the same name would replace."""


def kinds() -> list[type[Method]]:
    modules = [
        import_module(found.name) for found in pkgutil.walk_packages(cdd.methods.__path__, "cdd.methods.")
    ]
    return [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Method)
        and value.__module__ == module.__name__
        and not inspect.isabstract(value)
    ]


def settings() -> list[Method]:
    return [kind.model_validate(each) for kind in kinds() for each in VARIANTS.get(kind.__name__, ({},))]


every_method = pytest.mark.parametrize("method", settings(), ids=lambda method: type(method).__name__)


class Setting:
    """A method between a tiny student and a tiny teacher, as the training loop puts it there."""

    def __init__(self, method, *, size=(4, 3, 32, 16)):
        torch.manual_seed(1)
        self.method = method
        self.teacher = RetrievalNetwork(BACKBONE, IDENTITIES) if method.needs_teacher else None
        compacted = type(method).__name__ in COMPACTED
        self.student = RetrievalNetwork(BACKBONE if compacted else BASIC, IDENTITIES)
        if compacted:
            insert_compactors(self.student)
        if self.teacher is not None:
            set_teacher_mode(self.teacher, batch_statistics=True)
        self.distiller = self.built()
        self.images = torch.randn(size)

    def built(self):
        distiller = self.method.build(self.student, self.teacher, CODE)
        distiller.start_epoch(1)
        return distiller

    def passed(self, network, images):
        return network(images, tapped=self.teacher is not None, mapped=self.method.reads_maps)

    def teacher_outputs(self):
        if self.teacher is None:
            return
        generator = torch.Generator().manual_seed(2)
        for size in (16, 16, 5):
            images = torch.randn(size, 3, 32, 16, generator=generator)
            self.teacher.eval()
            with torch.no_grad():
                output = self.passed(self.teacher, images)
            self.teacher.train()
            yield output

    def prepared(self):
        self.distiller.prepare(self.teacher_outputs)
        return self

    def outputs(self):
        teacher = None if self.teacher is None else self.passed(self.teacher, self.images)
        return self.passed(self.student, self.images), teacher

    def terms(self):
        return self.distiller.terms(*self.outputs(), LABELS)


def total(terms):
    return torch.stack([*terms.values()]).sum()


def shuffled(output, order):
    """The same output with the images of the batch in another order."""

    def moved(value):
        if isinstance(value, tuple):
            return tuple(each[order] for each in value)
        return None if value is None else value[order]

    return RetrievalOutput(**{field.name: moved(getattr(output, field.name)) for field in fields(output)})


def has_terms(method):
    return type(method).__name__ not in WITHOUT_TERMS


def test_the_scan_finds_the_methods_that_are_known():
    assert {"CapacityDynamic", "KD", "DKD", "Supervised"} <= {kind.__name__ for kind in kinds()}


def test_the_exceptions_name_methods_that_exist():
    assert COMPACTED | WITHOUT_TERMS | VARIANTS.keys() | ORDER_MATTERS | ELSEWHERE_LEAST <= {
        kind.__name__ for kind in kinds()
    }


@every_method
def test_terms_are_finite_differentiable_scalars_of_their_own_name(method):
    terms = Setting(method).prepared().terms()
    assert bool(terms) == has_terms(method)
    assert not TAKEN & set(terms)
    for name, term in terms.items():
        assert term.shape == (), name
        assert term.isfinite(), name
        assert term.dtype == torch.float32, name
        assert term.requires_grad, name


@every_method
def test_gradients_reach_the_student_and_never_the_teacher(method):
    setting = Setting(method).prepared()
    if not has_terms(method):
        return
    total(setting.terms()).backward()
    own = [*setting.student.parameters(), *setting.distiller.parameters()]
    gradients = [parameter.grad for parameter in own if parameter.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert any(p.grad is not None and p.grad.any() for p in setting.student.parameters())
    assert setting.teacher is not None
    assert all(parameter.grad is None for parameter in setting.teacher.parameters())


@every_method
def test_a_pair_of_large_images_of_2_to_1_is_enough(method):
    setting = Setting(method, size=(2, 3, 320, 160)).prepared()
    terms = setting.distiller.terms(*setting.outputs(), torch.tensor([0, 1]))
    assert all(term.isfinite() for term in terms.values())
    if terms:
        total(terms).backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in setting.student.parameters())


@every_method
def test_the_order_of_the_batch_does_not_matter(method):
    name = type(method).__name__
    if not has_terms(method):
        pytest.skip("no terms")
    setting = Setting(method).prepared()
    student, teacher = setting.outputs()
    order = torch.tensor([2, 0, 3, 1])
    found = setting.distiller.terms(shuffled(student, order), shuffled(teacher, order), LABELS[order])
    wanted = setting.distiller.terms(student, teacher, LABELS)
    alike = [torch.isclose(found[term], wanted[term], rtol=1e-4) for term in wanted]
    assert all(alike) == (name not in ORDER_MATTERS)


@every_method
def test_terms_are_zero_where_the_student_answers_as_the_teacher(method):
    if not has_terms(method):
        pytest.skip("no terms")
    setting = Setting(method)
    setting.student = deepcopy(setting.teacher)
    if type(method).__name__ in COMPACTED:
        insert_compactors(setting.student)
    setting.distiller = setting.built()
    terms = setting.prepared().distiller.terms(*setting.outputs(), LABELS)
    is_zero = abs(total(terms).item()) < 1e-4
    assert is_zero == (type(method).__name__ not in ELSEWHERE_LEAST)


@every_method
def test_what_a_distiller_owns_is_neither_the_student_nor_the_teacher(method):
    setting = Setting(method).prepared()
    networks = [network for network in (setting.student, setting.teacher) if network is not None]
    others = {id(tensor) for network in networks for tensor in network.state_dict(keep_vars=True).values()}
    assert not others & {id(tensor) for tensor in setting.distiller.state_dict(keep_vars=True).values()}


@every_method
@pytest.mark.parametrize("inside", [False, True], ids=["after_autocast", "inside_autocast"])
def test_half_precision_outputs_give_terms_in_single(method, inside):
    setting = Setting(method).prepared()
    with torch.autocast("cpu", torch.bfloat16):
        outputs = setting.outputs()
    with torch.autocast("cpu", torch.bfloat16, enabled=inside):
        terms = setting.distiller.terms(*outputs, LABELS)
    for name, term in terms.items():
        assert term.dtype == torch.float32, name
        assert term.isfinite(), name
    if terms:
        total(terms).backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in setting.student.parameters())


@every_method
def test_a_stored_state_goes_on_with_the_same_terms(method):
    setting = Setting(method).prepared()
    setting.terms()
    buffer = io.BytesIO()
    torch.save(setting.distiller.state_dict(), buffer)
    buffer.seek(0)
    # As after a restart: built anew and not prepared.
    restored = setting.built()
    restored.load_state_dict(torch.load(buffer, weights_only=True))
    outputs = setting.outputs()
    expected = setting.distiller.terms(*outputs, LABELS)
    torch.testing.assert_close(dict(restored.terms(*outputs, LABELS)), dict(expected), rtol=0, atol=0)


@every_method
def test_settings_survive_a_stored_recipe(method):
    compacted = type(method).__name__ in COMPACTED
    student = BACKBONE if compacted else BASIC
    recipe = teacher_recipe(teacher=teacher_recipe(), student=student, compactors=compacted, method=method)
    read = Recipe.from_json(json.loads(json.dumps(recipe.to_json())))
    assert read == recipe
    assert type(read.method) is type(method)
    assert read.run_id == recipe.run_id


@every_method
def test_thirty_steps_on_one_batch_lower_the_terms(method):
    if not has_terms(method):
        return
    setting = Setting(method).prepared()
    learning = [*setting.student.parameters(), *setting.distiller.parameters()]
    optimiser = torch.optim.SGD(learning, lr=0.02)
    found = []
    for _ in range(31):
        loss = total(setting.terms())
        optimiser.zero_grad()
        loss.backward()
        # Weights of 1 and of 30,000 take steps of one length.
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimiser.step()
        found.append(loss.item())
    assert found[-1] < found[0]
