"""Errors whose message tells what happened, what is kept and what to do."""


class RunError(RuntimeError):
    """A run cannot go on; nothing that was finished is lost."""


class DivergenceError(RunError):
    """A loss became NaN or infinite, though the weights that the training began with were finite."""


class CheckpointError(RunError):
    """A checkpoint could not be written, or none can be read."""


class WriteError(RunError):
    """A file could not be written; what was there before is whole.

    Attributes:
        cause: in the system's words.
    """

    def __init__(self, text: str, cause: str = ""):
        super().__init__(text)
        self.cause = cause


class OtherProcessError(RunError):
    """Another process of the same training has failed; the message is its own."""


class DataError(RunError):
    """A data set, or a file of weights or numbers, is missing, incomplete or damaged."""


class DataMissingError(DataError):
    """A data set is not where it was looked for."""
