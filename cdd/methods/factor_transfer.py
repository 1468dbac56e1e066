"""Factor transfer (FT): the student learns the factors of the teacher's last map.

Source: Kim et al., "Paraphrasing Complex Network: Network Compression via Factor Transfer",
NeurIPS 2018, Section 3.
"""

from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor, nn

from cdd.contract import Distiller, Fidelity, Labels, LossTerms, Method, RetrievalOutput, TeacherOutputs
from cdd.losses.numerics import at_least_single
from cdd.methods.attention_transfer import attention
from cdd.methods.common.stage_channels import at_smaller_size, draw_weights, stage_channels, stage_maps
from cdd.values import Momentum, NonNegative, Positive, PositiveFraction, Seed, Whole


class FT(Method):
    """FT on the map of the last stage. `weight` multiplies the loss.

    The paraphraser's schedule is the one of the authors' code: SGD with momentum on the L1 distance.
    """

    key = "cdd.methods.factor_transfer:FT"
    reads_maps: ClassVar[bool] = True

    weight: NonNegative = 200.0
    rate: PositiveFraction = 0.5
    """Channels of the factors per channel of the teacher's map, k in Section 3.1."""
    factor: Literal["flattened", "attention"] = "flattened"
    """`flattened`: all channels and positions (Section 3.2); `attention`: the mean square over channels."""
    paraphraser_epochs: Whole = 6
    paraphraser_learning_rate: Positive = 0.1
    paraphraser_momentum: Momentum = 0.9
    paraphraser_weight_decay: NonNegative = 5e-4
    seed: Seed = 0
    """Seed of the initial weights of paraphraser and translator."""

    def build(self, student: nn.Module, teacher: nn.Module | None, fidelity: Fidelity) -> Distiller:
        """A distiller whose paraphraser is trained by `prepare`."""
        return FactorDistiller(self, stage_channels(student)[-1], stage_channels(teacher)[-1])


class FactorDistiller(Distiller):
    """A paraphraser, trained once on the teacher, and a translator, trained with the student.

    Only the encoder of the paraphraser is kept: the decoder is needed for its training alone.
    """

    def __init__(self, method: FT, student_channels: int, teacher_channels: int):
        super().__init__()
        self.method = method
        factors = max(1, round(method.rate * teacher_channels))
        self.paraphraser = encoder(teacher_channels, factors)
        self.translator = encoder(student_channels, factors)
        draw_weights(self, Generator().manual_seed(method.seed))
        self.paraphraser.requires_grad_(False).eval()

    def prepare(self, teacher_outputs: TeacherOutputs) -> None:
        """Trains the paraphraser on the teacher's last maps, then freezes it.

        Differs: images come in the order of the data set and without augmentation.
        """
        reversal = decoder(self.paraphraser)
        draw_weights(reversal, Generator().manual_seed(self.method.seed + 1))
        reversal.to(next(self.paraphraser.parameters()).device)
        both = nn.Sequential(self.paraphraser, reversal).requires_grad_(True).train()
        optimiser = torch.optim.SGD(
            both.parameters(),
            lr=self.method.paraphraser_learning_rate,
            momentum=self.method.paraphraser_momentum,
            weight_decay=self.method.paraphraser_weight_decay,
        )
        for _ in range(self.method.paraphraser_epochs):
            for output in teacher_outputs():
                teacher_map = at_least_single(output.stages[-1].detach())
                optimiser.zero_grad(set_to_none=True)
                F.l1_loss(both(teacher_map), teacher_map).backward()
                optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        self.paraphraser.requires_grad_(False).eval()

    def terms(self, student: RetrievalOutput, teacher: RetrievalOutput | None, labels: Labels) -> LossTerms:
        """The weighted distance of the factors."""
        student_map, teacher_map = stage_maps(student, teacher)[-1]
        with torch.autocast(student_map.device.type, enabled=False):
            factors = self.translator(student_map), self.paraphraser(teacher_map)
            distance = flattened_distance if self.method.factor == "flattened" else attention_factor_distance
            return {"ft": self.method.weight * distance(*factors)}


def encoder(inputs: int, factors: int) -> nn.Sequential:
    """Three 3x3 convolutions, each with a leaky ReLU: paraphraser's first half, or translator."""
    return _layers(nn.Conv2d, [(inputs, inputs), (inputs, factors), (factors, factors)])


def decoder(paraphraser: nn.Sequential) -> nn.Sequential:
    """The transposed layers in reverse order: from factors back to the map."""
    layers = [layer for layer in paraphraser if isinstance(layer, nn.Conv2d)]
    widths = [(layer.out_channels, layer.in_channels) for layer in reversed(layers)]
    return _layers(nn.ConvTranspose2d, widths)


def _layers(kind: type[nn.Conv2d] | type[nn.ConvTranspose2d], widths: list[tuple[int, int]]) -> nn.Sequential:
    layers = ((kind(inputs, outputs, 3, padding=1), nn.LeakyReLU(0.1)) for inputs, outputs in widths)
    return nn.Sequential(*(module for layer in layers for module in layer))


def flattened_distance(
    student: Float[Tensor, "batch factors student_height student_width"],
    teacher: Float[Tensor, "batch factors teacher_height teacher_width"],
) -> Float[Tensor, ""]:
    """Mean absolute difference of the factors, each image's scaled to unit length (Section 3.2, p = 1).

    No unit; independent of the scale of either factor.
    """
    student_factors, teacher_factors = (
        F.normalize(at_least_single(factor).flatten(1), dim=1) for factor in at_smaller_size(student, teacher)
    )
    return (student_factors - teacher_factors).abs().mean()


def attention_factor_distance(
    student: Float[Tensor, "batch student_factors student_height student_width"],
    teacher: Float[Tensor, "batch teacher_factors teacher_height teacher_width"],
) -> Float[Tensor, ""]:
    """Mean absolute difference of the factors' attention maps.

    Source: the form of the RepDistiller benchmark (Tian et al., "Contrastive Representation
    Distillation", ICLR 2020), with its exponents 2 and 1.
    """
    student_factors, teacher_factors = at_smaller_size(student, teacher)
    return (attention(student_factors) - attention(teacher_factors)).abs().mean()
