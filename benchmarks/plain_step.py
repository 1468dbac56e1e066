"""The step of CDD+RGGR as one would first write it: float32, block by block, nothing fused."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cdd.compactor.insert import compactors, insert_compactors
from cdd.contract import Labels, RetrievalOutput
from cdd.gradients import FeatureQueue, unimportant_channels
from cdd.methods.capacity_dynamic import CapacityDynamic, RetrievalGuided
from cdd.models.network import RetrievalNetwork
from cdd.training.trainer import Trainer


class PlainStep:
    """Learns what a training learns at its peak rate, from copies of its networks and galleries."""

    def __init__(self, training: Trainer):
        recipe, teacher = training.recipe, training.teacher
        method = recipe.method
        if teacher is None or not isinstance(method, CapacityDynamic):
            raise ValueError("the plain step is that of CDD: give a training of CDD with its teacher")
        if not isinstance(method.resetting, RetrievalGuided):
            raise ValueError("the plain step is that of CDD with retrieval-guided resetting")
        self.recipe, self.method, self.guided = recipe, method, method.resetting
        identities, device = training.examples.identities, training.batch_stream.device
        self.student = RetrievalNetwork(recipe.student, identities)
        insert_compactors(self.student)
        self.teacher = RetrievalNetwork(recipe.student, identities)
        self.student.load_state_dict(training.student.state_dict())
        self.teacher.load_state_dict(teacher.state_dict())
        self.student.to(device).train()
        self.teacher.to(device).train()
        self.weights = [compactor.weight for compactor in compactors(self.student)]
        self.masks = [torch.ones(len(weight), dtype=torch.bool, device=device) for weight in self.weights]
        galleries = [part for part in training.distiller.modules() if isinstance(part, FeatureQueue)]
        self.galleries = [gallery.contents().clone() for gallery in galleries]
        rate, factor = recipe.schedule.peak_learning_rate, recipe.fidelity.neck_learning_rate_factor
        head = [*self.student.neck.parameters(), *self.student.classifier.parameters()]
        groups: list[dict[str, Any]] = [{"params": self.student.backbone.parameters()}, {"params": head}]
        groups[1]["lr"] = factor * rate
        self.optimiser = torch.optim.SGD(
            groups,
            lr=rate,
            momentum=recipe.optimiser.momentum,
            weight_decay=recipe.optimiser.weight_decay,
            foreach=False,
        )

    def step(self, images: Tensor, labels: Labels) -> float:
        """Learns from one batch; its loss without the lasso."""
        with torch.no_grad():
            teacher = self.teacher(images, tapped=True)
        student = self.student(images, tapped=True)
        self._mask(student, teacher)
        loss = self._loss(student, teacher, labels)
        self.optimiser.zero_grad()
        loss.backward()
        for weight, mask in zip(self.weights, self.masks, strict=True):
            if weight.grad is not None:
                weight.grad *= mask[:, None, None, None]
        lasso = sum(weight.flatten(1).norm(dim=1).sum() for weight in self.weights)
        (self.method.sparsity * lasso).backward()
        self.optimiser.step()
        return loss.item()

    def _mask(self, student: RetrievalOutput, teacher: RetrievalOutput) -> None:
        taps = zip(student.after_compactor, teacher.before_compactor, strict=True)
        for number, (own, wanted) in enumerate(taps):
            gallery = torch.cat([self.galleries[number], wanted])[-self.guided.queue :]
            self.galleries[number] = gallery
            options = {"neighbours": self.guided.neighbours, "ratio": self.guided.ratio}
            self.masks[number] &= ~unimportant_channels(own, wanted, gallery, **options)  # type: ignore[arg-type]

    def _loss(self, student: RetrievalOutput, teacher: RetrievalOutput, labels: Labels) -> Tensor:
        objective = self.recipe.objective
        identity = F.cross_entropy(student.logits, labels, label_smoothing=objective.label_smoothing)
        distance = torch.cdist(student.pooled, student.pooled)
        same = labels[:, None] == labels[None]
        farthest = distance.masked_fill(~same, 0).amax(dim=1)
        nearest = distance.masked_fill(same, torch.inf).amin(dim=1)
        triplet = F.relu(objective.triplet_margin + farthest - nearest).mean()
        logits = (output.logits / objective.temperature for output in (student, teacher))
        own, wanted = (F.log_softmax(values, dim=1) for values in logits)
        divergence = F.kl_div(own, wanted, log_target=True, reduction="batchmean") * objective.temperature**2
        taps = zip(student.before_compactor, teacher.before_compactor, strict=True)
        tap = torch.stack([(own - wanted).norm(dim=1).mean() for own, wanted in taps]).sum()
        weighted = objective.triplet_weight * triplet + objective.logit_weight * divergence
        return identity + weighted + self.method.tap_weight * tap
