"""The losses of views knowledge distillation (VKD).

Only the losses, no settings of a run: the teacher of the method sees several views of an object and
outputs the mean over the views of an identity, the student sees fewer views. The student is the teacher
with its last stage initialised again, and the method's identity and triplet losses replace those of every
run. A method of this library reads the teacher's output for one image and adds to the common losses, so a
class here would be another method under the same name.

Source: Porrello et al., "Robust Re-Identification by Multiple Views Knowledge Distillation", ECCV 2020,
Section 3.2; the authors' release aimagelab/VKD for form and weights.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from cdd.losses.logits import logit_divergence
from cdd.losses.numerics import at_least_single

Features = Float[Tensor, "batch dim"]
Logits = Float[Tensor, "batch identities"]


def soft_margin_triplet(features: Features, labels: Int[Tensor, " batch"]) -> Float[Tensor, ""]:
    """Mean over anchors of log(1 + exp(hardest positive - hardest negative)), in feature units.

    Not the triplet loss with a margin that every run has. The hardest positive may be the anchor itself;
    an anchor without any negative has loss zero.

    Args:
        features: one row per image, of any scale.
        labels: the identity of each row.

    Raises:
        ValueError: when the two lengths differ.

    Source: Hermans et al., "In Defense of the Triplet Loss", 2017, Section 2, soft margin.
    """
    if labels.shape != features.shape[:1]:
        raise ValueError(
            f"{len(features)} features came with labels of shape {tuple(labels.shape)}: "
            "give one label per row of the features."
        )
    alike = labels[:, None] == labels[None, :]
    # The square root has no slope at zero; below the floor the gradient is zero.
    distances = squared_distances(features).clamp(min=1e-12).sqrt()
    positive = distances.masked_fill(~alike, 0.0).max(dim=1).values
    negative = distances.masked_fill(alike, torch.inf).min(dim=1).values
    return F.softplus(positive - negative).mean()


def squared_distances(features: Features) -> Float[Tensor, "batch batch"]:
    """Squared Euclidean distances between all pairs of rows; zero diagonal."""
    features = at_least_single(features)
    return (features[:, None] - features[None, :]).square().sum(dim=2)


def distance_matching(
    student: Float[Tensor, "batch student_dim"], teacher: Float[Tensor, "batch teacher_dim"]
) -> Float[Tensor, ""]:
    """Half the mean squared difference of the two matrices of squared distances.

    Mean over all pairs, the diagonal included. The two dimensions may differ. No gradient reaches the
    teacher.

    Args:
        student: embeddings of the student, of any scale.
        teacher: embeddings of the teacher for the same objects.

    Raises:
        ValueError: for different numbers of rows.

    Source: Porrello et al., ECCV 2020, Section 3.2; released weight 1e-4.
    """
    if len(student) != len(teacher):
        raise ValueError(
            f"the student has {len(student)} rows and the teacher {len(teacher)}: both must be of the same "
            "objects."
        )
    return 0.5 * F.mse_loss(squared_distances(student), squared_distances(teacher.detach()))


def view_logit_divergence(student: Logits, teacher: Logits) -> Float[Tensor, ""]:
    """KL divergence of logits softened with T = 10, times T squared, mean of the batch; released weight 0.1.

    Source: Porrello et al., ECCV 2020, Section 3.2.
    """
    return logit_divergence(student, teacher, temperature=10.0)
