"""Top-1 accuracy of a classifier."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn


def correct_images(
    embeddings: Float[Tensor, "images embedding"],
    classifier: nn.Linear,
    labels: Int64[Tensor, " images"],
) -> Bool[Tensor, " images"]:
    """True for each image whose class of largest logit is its label; of equal logits the first counts.

    Args:
        embeddings: inputs of the classifier.
        classifier: on any device.
        labels: class indices of the classifier.
    """
    with torch.inference_mode():
        device = classifier.weight.device
        logits = classifier(embeddings.to(device, classifier.weight.dtype))
        correct: Tensor = logits.argmax(dim=1) == labels.to(device)
    return correct.cpu()


def classification_metrics(correct: Bool[Tensor, " images"]) -> dict[str, float]:
    """Accuracy and error as fractions: `top1`, `top1_error`."""
    accuracy = float(correct.double().mean())
    return {"top1": accuracy, "top1_error": 1 - accuracy}
