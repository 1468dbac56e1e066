"""Optuna studies: settings of a row tuned on validation identities, trial by trial, resumable.

A trial is the row's own run with other settings: it is planned, trained, tracked and reused as any run,
and goes on from its checkpoints where it was interrupted. No trial sees the test identities.
"""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cdd.recipe import Recipe
from cdd.training.environment import Machine, select_device
from reproduce import catalog
from reproduce.artifact import Group, Scale, Table
from reproduce.errors import UsageError
from reproduce.execute import Job, Outcome, Train, execute
from reproduce.listener import Listener
from reproduce.overrides import parse
from reproduce.plan import Wish, make_plan
from reproduce.source import source
from reproduce.table import Block, Sheet, number_text
from reproduce.table_text import markdown
from reproduce.tracking import FAILED, FINISHED, KILLED, Store, open_store
from reproduce.workspace import Workspace

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

TUNING = "data.use=tuning"
"""Sets the validation identities aside from training and evaluates on them, for teachers as well."""
METRIC = "mAP"
SPREAD = 30.0
"""A weight is searched from its default divided by this to its default times this, in the logarithm."""
SIGNIFICANT_DIGITS = 3
HEARTBEAT_SECONDS, GRACE_SECONDS = 60, 300


@dataclass(frozen=True, kw_only=True)
class StudyRequest:
    """What the command line asked for.

    Attributes:
        artifact: table whose row is tuned.
        method: class of the row's method, in any case of letters.
        trials: finished trials that the study shall have.
        storage: Optuna's; None for a sqlite file in the results folder.
        seed: of the recipe, and of the sampler.
        changes: made to every run of the study, as by `--set`.
    """

    artifact: str
    method: str
    trials: int
    scale: Scale = "mini"
    seed: int = 0
    storage: str | None = None
    changes: list[str] = field(default_factory=list)
    results: Path = Path("results")
    machine: Machine = Machine()


@dataclass(frozen=True)
class Tuned:
    """A study after a command: what was tried, the best as `--set` texts, the files."""

    sheet: Sheet
    best: tuple[str, ...]
    files: list[Path]


class TrialError(Exception):
    """A trial whose run failed; the study goes on with the next one."""


class WeightStudy:
    """Tunes the weights of one method."""

    def __init__(self, request: StudyRequest, listener: Listener):
        self.request, self.listener = request, listener
        table = catalog.find(request.artifact)
        if not isinstance(table, Table):
            raise UsageError(f"{request.artifact} is a figure; a study tunes a row of a table")
        self.label, self.group, self.recipe = _row(table, request)
        self.method = type(self.recipe.method).__name__
        self.defaults = {name: getattr(self.recipe.method, name) for name in self.recipe.method.weights}
        if not self.defaults:
            raise UsageError(f"{self.method} has no weight that could be tuned")
        parts = ["weight", self.method.lower(), request.artifact, request.scale, f"seed{request.seed}"]
        self.name = "-".join([*parts, *([parse(request.changes).digest] if request.changes else [])])
        self.workspace = Workspace(request.results.resolve())
        self.published = self.workspace.published(request.scale) / "studies"
        self.metric = f"{self.group.protocol}/{METRIC}"

    def texts(self, values: Mapping[str, float]) -> tuple[str, ...]:
        """Weights as `--set` texts, for this method's rows alone."""
        return tuple(f"{self.method}.{name}={value:g}" for name, value in values.items())

    def trial_recipe(self, values: Mapping[str, float]) -> Recipe:
        """The row's run with these weights, trained and evaluated without test identities."""
        changes = [TUNING, *self.request.changes, *self.texts(values)]
        (changed,) = parse(changes).apply([self.recipe])
        return changed

    def run(self, train: Train) -> Tuned:
        """Tries until the study has its trials; an interrupted one is taken up again first.

        Raises:
            UsageError: for a storage that cannot be used, or weights that the method refuses.
            StoreError: if the tracking store cannot be reached.
        """
        self.workspace.check_writable()
        store = open_store(self.workspace, source())
        study = self._study()
        with self._parent(store) as (experiment, parent):
            job = Job(
                store=store,
                workspace=self.workspace,
                published=self.published / self.name,
                experiment=experiment,
                parent=parent,
                train=train,
                machine=self.request.machine,
                listener=self.listener,
            )
            left = self.request.trials - len(_complete(study))
            for _ in range(left):
                study.sampler = self._sampler(len(study.get_trials(deepcopy=False)))
                study.optimize(lambda trial: self._objective(trial, job), n_trials=1, catch=(TrialError,))
        return self._tuned(study)

    def _study(self) -> "Study":
        import optuna
        from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        url = self.request.storage or f"sqlite:///{self.workspace.results / 'studies.db'}"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                storage = RDBStorage(
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
        study = optuna.create_study(
            storage=storage, study_name=self.name, direction="maximize", load_if_exists=True
        )
        if not study.get_trials(deepcopy=False):
            study.enqueue_trial(self.defaults)
        return study

    def _sampler(self, trials: int) -> "BaseSampler":
        """Seeded by what has been tried, so that a study in two commands tries what one command tries."""
        from optuna.samplers import TPESampler

        (seed,) = np.random.SeedSequence([self.request.seed, trials]).generate_state(1)
        return TPESampler(seed=int(seed))

    @contextmanager
    def _parent(self, store: Store) -> Iterator[tuple[str, str]]:
        """The study's run in the store, closed as it ends."""
        experiment = store.experiment(f"study-{self.name}")
        tags = {"cdd.study": self.name, "cdd.scale": self.request.scale, "cdd.invocation": self.name}
        parent = store.start_invocation(experiment, f"{self.name}, {self.request.trials} trials", tags)
        status = FAILED
        try:
            yield experiment, parent
            status = FINISHED
        except KeyboardInterrupt:
            status = KILLED
            raise
        finally:
            store.finish(parent, status)

    def _objective(self, trial: "Trial", job: Job) -> float:
        values = {name: self._suggested(trial, name, default) for name, default in self.defaults.items()}
        recipe = self.trial_recipe(values)
        trial.set_user_attr("run_id", recipe.run_id)
        trial.set_user_attr("weights", values)
        try:
            outcome = self._outcome(trial, recipe, job)
        except KeyboardInterrupt:
            trial.study.enqueue_trial(trial.params)  # The next command goes on from its checkpoint.
            raise
        if self.metric not in outcome.metrics:
            raise TrialError(outcome.message)
        return outcome.metrics[self.metric]

    def _suggested(self, trial: "Trial", name: str, default: float) -> float:
        found = trial.suggest_float(name, default / SPREAD, default * SPREAD, log=True)
        return float(f"{found:.{SIGNIFICANT_DIGITS}g}")

    def _outcome(self, trial: "Trial", recipe: Recipe, job: Job) -> Outcome:
        label = f"trial {trial.number + 1} of {self.name}"
        wish = Wish(self.name, label, self.group.title, recipe)
        device = select_device(self.request.machine.device)
        plan = make_plan([wish], job.store, self.workspace, device)
        return execute(plan, job)[recipe.run_id]

    def _tuned(self, study: "Study") -> Tuned:
        numbers = pd.DataFrame([self._line(trial) for trial in study.get_trials(deepcopy=False)])
        done = sorted(_complete(study), key=lambda trial: -(trial.value or 0.0))
        best = self.texts(done[0].user_attrs["weights"]) if done else ()
        names = [*self.defaults, f"{METRIC} (%)"]
        rows = [
            [f"{w[n]:g}" for n in self.defaults] + [_percent(t)]
            for t in done
            if (w := t.user_attrs["weights"])
        ]
        index = pd.MultiIndex.from_tuples([(f"{trial.number + 1}",) for trial in done], names=["trial"])
        columns = pd.MultiIndex.from_tuples([("best first", name) for name in names])
        frame = pd.DataFrame(rows, index=index, columns=columns)
        sheet = Sheet(
            self.name,
            f"Weights of {self.label} ({self.request.artifact}, {self.request.scale} scale)",
            (Block("Tried", frame),),
            tuple(self._notes(best, len(numbers) - len(done))),
            numbers,
        )
        return Tuned(sheet, best, self._write(sheet))

    def _notes(self, best: tuple[str, ...], unfinished: int) -> list[str]:
        notes = [
            f"{METRIC} of the {self.group.protocol} protocol on validation identities, which were set aside "
            "from training, for the teacher as well; no test identity was used.",
            f"Seed {self.request.seed}. Defaults: {', '.join(self.texts(self.defaults))}.",
        ]
        if self.request.changes:
            notes.append(f"Every run of the study has {', '.join(self.request.changes)}.")
        if unfinished:
            notes.append(f"{unfinished} further trials failed or are not finished.")
        if not best:
            return notes
        line = " ".join(f"--set {text}" for text in (*self.request.changes, *best))
        return [*notes, f"Best: python -m reproduce {self.request.artifact} {line}"]

    def _line(self, trial: "FrozenTrial") -> dict[str, Any]:
        weights = trial.user_attrs.get("weights", {})
        values = {name: weights.get(name) for name in self.defaults}
        state = trial.state.name.lower()
        run_id = trial.user_attrs.get("run_id")
        return {"trial": trial.number + 1, **values, METRIC: trial.value, "state": state, "run_id": run_id}

    def _write(self, sheet: Sheet) -> list[Path]:
        self.published.mkdir(parents=True, exist_ok=True)
        paths = [self.published / f"{self.name}{suffix}" for suffix in (".md", ".csv")]
        paths[0].write_text(markdown(sheet))
        sheet.numbers.to_csv(paths[1], index=False, lineterminator="\n")
        return paths


def _row(table: Table, request: StudyRequest) -> tuple[str, Group, Recipe]:
    """Label, group and run of the first row with the method.

    Raises:
        UsageError: naming the methods that there are.
    """
    groups = {group.title: group for group in table.groups}
    rows = table.recipes(request.scale, request.seed)
    for label, title, recipe in rows:
        if type(recipe.method).__name__.lower() == request.method.lower():
            return label, groups[title], recipe
    known = dict.fromkeys(type(recipe.method).__name__.lower() for _, _, recipe in rows)
    raise UsageError(f"--method {request.method}: {table.name} has rows of {', '.join(known)}")


def _complete(study: "Study") -> list["FrozenTrial"]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _percent(trial: "FrozenTrial") -> str:
    return number_text(None if trial.value is None else 100 * trial.value, 2)
