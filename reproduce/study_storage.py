"""Where Optuna keeps a study, with heartbeats by which a dead trial is found and tried again."""

import warnings
from typing import TYPE_CHECKING

from reproduce.errors import UsageError

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

HEARTBEAT_SECONDS, GRACE_SECONDS = 10, 40
"""How often a trial says that it is alive, and how long it may be silent."""


def open_storage(url: str) -> "RDBStorage":
    """The database of this URL, made where it does not exist.

    Raises:
        UsageError: for one that cannot be opened.
    """
    import optuna
    from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return RDBStorage(
                url,
                heartbeat_interval=HEARTBEAT_SECONDS,
                grace_period=GRACE_SECONDS,
                heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(),
            )
    except Exception as error:  # SQLAlchemy's and the driver's own, of any kind
        raise UsageError(
            f"--storage {url}: {error}. Give a URL such as sqlite:///studies.db or "
            "postgresql://user@host/base, and install the database's driver."
        ) from error
