"""CDD and RGGR inside a training step."""

import pytest
import torch
from torch import Tensor, nn

from cdd.compactor.insert import insert_compactors
from cdd.contract import CODE, PAPER, Fidelity, RetrievalOutput
from cdd.gradients import RetrievalGuidedResetting
from cdd.methods.capacity_dynamic import (
    CapacityDynamic,
    CapacityDynamicDistiller,
    RetrievalGuided,
    WeightGuided,
)
from cdd.models.network import RetrievalNetwork
from tests.small import BACKBONE

IDENTITIES = 5
LABELS = torch.arange(8) // 2
GUIDED = RetrievalGuided(queue=16, after_epoch=1, ratio=0.75)


def network(*, compactors: bool) -> RetrievalNetwork:
    made = RetrievalNetwork(BACKBONE, IDENTITIES)
    if compactors:
        insert_compactors(made)
    return made


def built(
    method: CapacityDynamic, student: RetrievalNetwork, fidelity: Fidelity = CODE
) -> CapacityDynamicDistiller:
    distiller = method.build(student, None, fidelity)
    assert isinstance(distiller, CapacityDynamicDistiller)
    return distiller


def outputs(student: RetrievalNetwork) -> tuple[RetrievalOutput, RetrievalOutput]:
    images = torch.randn(8, 3, 16, 16)
    return student(images, tapped=True), network(compactors=False)(images, tapped=True)


def stepped(distiller: CapacityDynamicDistiller, student: RetrievalNetwork, epoch: int) -> None:
    distiller.start_epoch(epoch)
    found, wanted = outputs(student)
    terms = distiller.terms(found, wanted, LABELS)
    (sum(terms.values(), torch.zeros(())) + found.embedding.square().sum()).backward()


def test_the_distance_of_a_block_gives_no_gradient_to_its_own_compactor() -> None:
    student = network(compactors=True)
    found, wanted = outputs(student)
    distiller = built(CapacityDynamic(), student)
    distiller.terms(found, wanted, LABELS)["tap"].backward()
    *_, last = (block.compactor for block in student.bottlenecks)
    assert isinstance(last, nn.Conv2d)
    assert last.weight.grad is None
    first = student.bottlenecks[0].compactor
    assert isinstance(first, nn.Conv2d)
    assert first.weight.grad is not None


@pytest.mark.parametrize(("fidelity", "factor"), [(CODE, 4.0), (PAPER, 1.0)])
def test_the_release_sums_blocks_and_the_paper_averages_them(fidelity: Fidelity, factor: float) -> None:
    student = network(compactors=True)
    found, wanted = outputs(student)
    distances = [
        torch.linalg.vector_norm(s - t, dim=1).mean()
        for s, t in zip(found.before_compactor, wanted.before_compactor, strict=True)
    ]
    tap = built(CapacityDynamic(), student, fidelity).terms(found, wanted, LABELS)["tap"]
    torch.testing.assert_close(tap, factor * 0.5 * torch.stack(distances).mean())


def gradient_after(
    distiller: CapacityDynamicDistiller, student: RetrievalNetwork
) -> list[tuple[Tensor, Tensor]]:
    before = [weight.grad.clone() for weight in distiller.weights if weight.grad is not None]
    distiller.edit_gradients()
    after = [weight.grad for weight in distiller.weights if weight.grad is not None]
    return list(zip(before, after, strict=True))


def test_without_resetting_the_lasso_gradient_is_added_to_all_of_it() -> None:
    student = network(compactors=True)
    distiller = built(CapacityDynamic(sparsity=0.25), student)
    stepped(distiller, student, epoch=1)
    for before, after in gradient_after(distiller, student):
        # An identity compactor's rows are unit vectors, so the lasso's gradient is the identity.
        identity = torch.eye(len(before))[:, :, None, None]
        torch.testing.assert_close(after, before + 0.25 * identity)


def test_a_masked_row_keeps_the_lasso_gradient_alone() -> None:
    student = network(compactors=True)
    distiller = built(CapacityDynamic(sparsity=0.25, resetting=GUIDED), student)
    stepped(distiller, student, epoch=2)
    assert distiller.resetting is not None
    masks = distiller.resetting.kept()
    masks[0][1] = False
    (before, after), *_ = gradient_after(distiller, student)
    torch.testing.assert_close(after[1].flatten(), 0.25 * torch.eye(4)[1])
    assert not torch.allclose(before[1], torch.zeros(()))


def test_resetting_sleeps_until_its_epoch() -> None:
    student = network(compactors=True)
    distiller = built(CapacityDynamic(resetting=GUIDED), student)
    assert distiller.resetting is not None
    stepped(distiller, student, epoch=1)
    assert sum(distiller.resetting.masked_share()) == 0
    stepped(distiller, student, epoch=2)
    assert distiller.report(0.1)["masked/share"] > 0


def test_the_settings_say_whether_a_query_may_find_itself() -> None:
    alone = GUIDED.model_copy(update={"neighbours": 1, "self_match": False})
    for settings in (GUIDED, alone):
        distiller = built(CapacityDynamic(resetting=settings), network(compactors=True))
        assert isinstance(distiller.resetting, RetrievalGuidedResetting)
        assert distiller.resetting.self_match is settings.self_match


def test_filters_take_the_lasso_where_there_is_no_compactor() -> None:
    student = network(compactors=False)
    distiller = built(CapacityDynamic(sparsity=0.1, target="filter"), student)
    assert distiller.weights[0] is student.bottlenecks[0].conv2.weight


def test_report_counts_what_would_be_pruned() -> None:
    student = network(compactors=True)
    distiller = built(CapacityDynamic(sparsity=0.5), student)
    with torch.no_grad():
        distiller.weights[0][:3] = 0
        distiller.weights[1][0] *= 1e-3
        distiller.weights[3][:] = 0
    report = distiller.report(learning_rate=0.01)
    assert report["channels/block_01"] == 1
    assert report["channels/block_04"] == 1
    assert report["channels/kept"] == 1 + 4 + 8 + 1
    assert report["channels/above_oscillation"] == 1 + 3 + 8 + 0
    assert report["lasso"] == pytest.approx(1 + 3 + 1e-3 + 8)
    # Of 24 norms 11 are 0, one is 0.001, and 12 are 1.
    assert report["row_norm/quantile_000"] == report["row_norm/quantile_025"] == 0
    assert 0 < report["row_norm/quantile_050"] < 1
    assert report["row_norm/quantile_075"] == report["row_norm/quantile_100"] == pytest.approx(1)


def test_a_distiller_adds_no_parameter_of_the_student_to_its_own() -> None:
    student = network(compactors=True)
    assert list(built(CapacityDynamic(resetting=GUIDED), student).parameters()) == []


def test_compactors_must_be_there() -> None:
    with pytest.raises(ValueError, match=r"compactors=true.*filter"):
        CapacityDynamic().build(network(compactors=False), None, CODE)


def test_a_teacher_must_be_there() -> None:
    student = network(compactors=True)
    found, _ = outputs(student)
    with pytest.raises(ValueError, match="teacher"):
        built(CapacityDynamic(), student).terms(found, None, LABELS)


SLIMMING = CapacityDynamic(sparsity=0.5, resetting=GUIDED, slim_every=2)


def test_masked_rows_within_their_swing_are_dead() -> None:
    student = network(compactors=True)
    distiller = built(SLIMMING, student)
    assert distiller.resetting is not None
    with torch.no_grad():
        for weight in distiller.weights:
            weight[:2] *= 0.0101
            weight[2] *= 0.0099
        distiller.weights[3][:] *= 1e-3
        distiller.weights[3][5] *= 2
    for mask in distiller.resetting.kept():
        mask[1:4] = False
    distiller.resetting.kept()[3][:] = False
    dead = distiller.dead_channels(epoch=3, learning_rate=0.01)
    assert dead is not None
    # The swing is 0.01 and the pruning threshold of 1e-5; rows 0, 1 and 3 are longer, row 0 is needed too.
    assert [mask.nonzero().flatten().tolist() for mask in dead[:3]] == [[2], [2], [2]]
    assert (~dead[3]).nonzero().flatten().tolist() == [5]


def test_small_rows_that_are_not_masked_are_not_dead() -> None:
    distiller = built(SLIMMING, network(compactors=True))
    with torch.no_grad():
        for weight in distiller.weights:
            weight[0] = 0
    dead = distiller.dead_channels(epoch=3, learning_rate=0.01)
    assert dead is not None
    assert not any(bool(mask.any()) for mask in dead)


def test_rows_are_dead_only_after_so_many_epochs() -> None:
    distiller = built(SLIMMING, network(compactors=True))
    asked = [distiller.dead_channels(epoch, 0.01) is not None for epoch in range(2, 8)]
    assert asked == [False, True, False, True, False, True]
    never = built(CapacityDynamic(resetting=GUIDED), network(compactors=True))
    assert never.dead_channels(2, 0.01) is None


@pytest.mark.parametrize(
    "settings", [{}, {"resetting": WeightGuided()}, {"resetting": GUIDED, "target": "filter"}]
)
def test_slimming_needs_rows_that_stay_masked(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"slim_every is 2, but only rows of compactors"):
        CapacityDynamic.model_validate({"slim_every": 2, **settings})


def test_slimming_needs_sticky_masks() -> None:
    with pytest.raises(ValueError, match=r"slim_every is 2, but masks that are made anew.*sticky_masks=true"):
        built(SLIMMING, network(compactors=True), PAPER)
