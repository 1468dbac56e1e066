"""QuEST: the vocabulary, the two assignments and their divergence."""

from functools import partial

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from cdd.contract import CODE, RetrievalOutput
from cdd.methods.quest import quest
from cdd.methods.quest.quest import QuEST, chunked_divergence, log_prediction, quantised_map
from cdd.methods.quest.vocabulary import (
    learn_vocabulary,
    log_assignment,
    positions,
    sample_positions,
    temperature_for,
)
from cdd.models.network import RetrievalNetwork
from tests.losses.test_losses_golden import METHODS, method_input
from tests.small import BACKBONE


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def output(values):
    nothing = torch.zeros(len(values), 2)
    return RetrievalOutput(pooled=nothing, embedding=nothing, logits=nothing, before_last_relu=values)


last_map = partial(quantised_map, 0)


def assignment_divergence(student, teacher, predictor, scale, vocabulary, temperature):
    predict = partial(log_prediction, predictor=predictor, scale=scale)
    assign = partial(log_assignment, vocabulary=vocabulary, temperature=temperature)
    return chunked_divergence(student, teacher, predict, assign, len(vocabulary))


def setting(seed=0):
    return {
        "student": random(12, 5, seed=seed),
        "teacher": random(12, 6, seed=seed + 1),
        "predictor": random(7, 5, seed=seed + 2),
        "scale": torch.tensor(3.0, dtype=torch.float64),
        "vocabulary": random(7, 6, seed=seed + 3),
        "temperature": 0.7,
    }


def test_positions_are_rows_image_by_image_and_place_by_place():
    features = random(2, 3, 4, 5)
    rows = positions(features)
    assert rows.shape == (40, 3)
    assert torch.equal(rows[20 + 2 * 5 + 1], features[1, :, 2, 1])


def test_an_assignment_falls_with_the_squared_distance():
    vectors, words = random(9, 4), random(6, 4, seed=1)
    squared = (vectors[:, None] - words[None]).square().sum(dim=2)
    expected = torch.softmax(-squared / 0.3, dim=1)
    torch.testing.assert_close(log_assignment(vectors, words, 0.3).exp(), expected)


def test_an_assignment_ignores_where_the_origin_lies():
    vectors, words, shift = random(9, 4), random(6, 4, seed=1), 50 * random(4, seed=2)
    moved = log_assignment(vectors + shift, words + shift, 0.3)
    torch.testing.assert_close(moved, log_assignment(vectors, words, 0.3))


def test_a_vector_on_a_word_is_that_word_at_low_temperature():
    words = random(6, 4)
    torch.testing.assert_close(
        log_assignment(words, words, 1e-3).exp(), torch.eye(6, dtype=torch.float64), atol=1e-9, rtol=0
    )


def test_the_divergence_is_zero_where_both_assign_alike_and_positive_elsewhere():
    given = setting()
    words = torch.nn.functional.normalize(random(7, 5), dim=1)
    student = torch.nn.functional.normalize(given["student"], dim=1)
    # For unit vectors -(squared distance) / t and the cosine times 2 / t differ by a constant.
    same = given | {"student": student, "teacher": student, "predictor": words, "vocabulary": words}
    alike = assignment_divergence(**same | {"temperature": 0.5, "scale": torch.tensor(4.0)})
    assert alike.item() == pytest.approx(0, abs=1e-12)
    assert assignment_divergence(**given).item() > 0.01


def test_the_divergence_ignores_the_scale_of_student_and_predictor():
    given = setting()
    scaled = given | {"student": 7 * given["student"], "predictor": 0.1 * given["predictor"]}
    torch.testing.assert_close(assignment_divergence(**scaled), assignment_divergence(**given))


def test_chunks_change_neither_the_value_nor_the_gradient(monkeypatch):
    def found():
        given = setting()
        for name in ("student", "predictor", "scale"):
            given[name].requires_grad_()
        value = assignment_divergence(**given)
        value.backward()
        return [value.detach(), *(given[name].grad for name in ("student", "predictor", "scale"))]

    whole = found()
    monkeypatch.setattr(quest, "CHUNK_ELEMENTS", 7 * 5)
    for part, wanted in zip(found(), whole, strict=True):
        torch.testing.assert_close(part, wanted)


def test_values_are_the_authors():
    case = METHODS["quest_T5_s3"]
    teacher, student, words, weight = (
        method_input(case, name) for name in ("f_t", "f_s", "centroids", "pred_weight")
    )
    tau = 1 / case["hyper"]["inv_temperature"]
    scale = torch.tensor(case["hyper"]["scale"], dtype=torch.float64)
    loss = assignment_divergence(positions(student), positions(teacher), weight.flatten(1), scale, words, tau)
    loss.backward()
    wanted = case["outputs"]
    assert loss.item() == pytest.approx(wanted["loss"], rel=1e-6)
    assert student.grad.norm().item() == pytest.approx(wanted["grad_norm_student"], rel=1e-6)
    assert weight.grad.norm().item() == pytest.approx(wanted["grad_norm_weight"], rel=1e-6)
    assignment = log_assignment(positions(teacher), words, tau).exp()
    assert assignment.amax(dim=1).mean().item() == pytest.approx(wanted["mean_max_assign"], rel=1e-6)
    assert assignment.argmax(dim=1).tolist() == wanted["hard_idx"]


def test_words_are_what_another_librarys_k_means_stays_at():
    vectors = random(400, 3).float()
    found = learn_vocabulary(vectors, 5, 200, seed=0)
    other = KMeans(5, init=found.numpy(), n_init=1).fit(vectors.numpy())
    np.testing.assert_allclose(other.cluster_centers_, found.numpy(), atol=1e-3)
    assert torch.equal(found, learn_vocabulary(vectors, 5, 200, seed=0))


def test_too_few_positions_make_no_vocabulary():
    with pytest.raises(ValueError, match="3 positions cannot make 8 words"):
        learn_vocabulary(torch.zeros(3, 4), 8, 5, seed=0)


def test_a_sample_is_drawn_evenly_from_all_batches():
    batches = [output(torch.full((10, 1, 2, 2), float(number))) for number in range(5)]
    sample = sample_positions(lambda: iter(batches), last_map, 100, seed=0)
    assert sample.shape == (100, 1)
    counts = (
        sample.flatten().bincount() if sample.dtype == torch.int64 else sample.flatten().long().bincount()
    )
    assert all(10 <= count <= 30 for count in counts.tolist())
    assert torch.equal(sample, sample_positions(lambda: iter(batches), last_map, 100, seed=0))


def test_a_small_teacher_is_sampled_whole():
    batches = [output(random(3, 2, 2, 1).float()), output(random(1, 2, 2, 1, seed=1).float())]
    sample = sample_positions(lambda: iter(batches), last_map, 1000, seed=0)
    everything = torch.cat([positions(batch.before_last_relu) for batch in batches])
    assert sorted(sample.tolist()) == sorted(everything.tolist())


@pytest.mark.parametrize("certainty", [0.5, 0.9, 0.996])
def test_the_temperature_makes_assignments_as_certain_as_asked(certainty):
    vectors, words = random(300, 4), random(10, 4, seed=1)
    tau = temperature_for(vectors, words, certainty)
    average = log_assignment(vectors, words, tau).amax(dim=1).exp().mean().item()
    assert average == pytest.approx(certainty, abs=1e-4)


def test_no_temperature_reaches_a_certainty_below_that_of_guessing():
    with pytest.raises(ValueError, match="no temperature makes"):
        temperature_for(random(30, 4), random(2, 4, seed=1), 0.3)


def test_prepare_learns_vocabulary_and_temperature_which_travel_with_the_state():
    networks = [RetrievalNetwork(BACKBONE, 5) for _ in range(2)]
    distiller = QuEST(words=6, certainty=0.9).build(*networks, CODE)
    with torch.no_grad():
        teacher = networks[1](torch.randn(8, 3, 32, 32), mapped=True)
    distiller.prepare(lambda: iter([teacher]))
    (words,) = distiller.words
    assert words.temperature > 0
    assert words.vocabulary.norm(dim=1).min() > 0
    assert {"words.0.vocabulary", "words.0.temperature", "words.0.predictor"} <= set(distiller.state_dict())


def test_the_last_two_maps_have_words_of_their_own_and_add_up():
    networks = [RetrievalNetwork(BACKBONE, 5) for _ in range(2)]
    both = QuEST(words=6, certainty=0.9, maps="last two").build(*networks, CODE)
    with torch.no_grad():
        student, teacher = (network(torch.randn(8, 3, 32, 32), mapped=True) for network in networks)
    both.prepare(lambda: iter([teacher]))
    maps = [(student.before_last_relu, teacher.before_last_relu), (student.stages[-2], teacher.stages[-2])]
    alone = [words.divergence(*pair).item() for words, pair in zip(both.words, maps, strict=True)]
    assert len(alone) == 2
    assert both.words[0].temperature != both.words[1].temperature
    assert both.terms(student, teacher, torch.zeros(8, dtype=torch.long))["quest"].item() == pytest.approx(
        sum(alone)
    )


def test_a_fixed_scale_and_a_bias_are_trained_as_transfer_learning_trains_them():
    networks = [RetrievalNetwork(BACKBONE, 5) for _ in range(2)]
    plain = QuEST(words=6).build(*networks, CODE).words[0]
    transfer = QuEST(words=6, scale=10.0, learns_scale=False, bias=True).build(*networks, CODE).words[0]
    assert (plain.scale.requires_grad, plain.bias.requires_grad) == (True, False)
    assert (transfer.scale.requires_grad, transfer.bias.requires_grad) == (False, True)
    vectors, (low, high) = random(4, len(transfer.predictor[0])).float(), (0.0, 3.0)
    shares = []
    for bias in (low, high):
        with torch.no_grad():
            transfer.bias[2] = bias
        shares.append(transfer.predicted(vectors)[:, 2])
    assert bool((shares[1] > shares[0]).all())
