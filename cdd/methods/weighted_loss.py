"""The distiller of every method that only compares what student and teacher answer for one batch."""

from collections.abc import Callable

from torch import Tensor

from cdd.contract import Distiller, Labels, LossTerms, RetrievalOutput


class WeightedLoss(Distiller):
    """One weighted loss between the outputs of student and teacher; it learns and remembers nothing."""

    def __init__(self, name: str, weight: float, loss: Callable[[RetrievalOutput, RetrievalOutput], Tensor]):
        super().__init__()
        self.name, self.weight, self.loss = name, weight, loss

    def terms(self, student: RetrievalOutput, teacher: RetrievalOutput | None, labels: Labels) -> LossTerms:
        """The loss, by the method's name.

        Raises:
            ValueError: without a teacher.
        """
        if teacher is None:
            raise ValueError(f"{self.name} compares with a teacher in every step, but there is no teacher")
        return {self.name: self.weight * self.loss(student, teacher)}
