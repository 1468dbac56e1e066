"""How often the most likely class is the right one."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn


def correct_images(
    embeddings: Float[Tensor, "images embedding"],
    classifier: nn.Linear,
    labels: Int64[Tensor, " images"],
) -> Bool[Tensor, " images"]:
    """Whether an image's class of largest logit is its label; of equal logits the first one counts.

    Args:
        embeddings: what the classifier reads.
        classifier: on any device.
        labels: counted as the classifier counts.
    """
    with torch.inference_mode():
        device = classifier.weight.device
        logits = classifier(embeddings.to(device, classifier.weight.dtype))
        correct: Tensor = logits.argmax(dim=1) == labels.to(device)
    return correct.cpu()


def classification_metrics(correct: Bool[Tensor, " images"]) -> dict[str, float]:
    """Accuracy and error as fractions: `top1`, `top1_error`."""
    share = float(correct.double().mean())
    return {"top1": share, "top1_error": 1 - share}
