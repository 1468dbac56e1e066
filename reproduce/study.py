"""Optuna studies: settings of a row tuned on validation identities, trial by trial, resumable.

A trial is the row's own run with other settings: it is planned, trained, tracked and reused as any run,
and goes on from its checkpoints where it was interrupted. No trial sees the test identities.
"""

import re
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from filelock import Timeout

from cdd.recipe import Recipe
from reproduce import catalog
from reproduce.artifact import Table
from reproduce.errors import UsageError
from reproduce.execute import PRUNED, Job, Outcome, Train, execute
from reproduce.listener import Listener
from reproduce.overrides import parse
from reproduce.plan import Wish, make_plan
from reproduce.preflight import require_ready, require_trainable, usable_device, with_dependencies
from reproduce.source import source
from reproduce.study_report import Words, progress, report
from reproduce.study_row import COST, StudyRequest, find_row, judgement_of
from reproduce.study_space import SPACES
from reproduce.study_storage import answering, check_own, open_storage, usable
from reproduce.study_turn import turn
from reproduce.study_watcher import Watcher
from reproduce.table import Sheet
from reproduce.tracked_run import Placement
from reproduce.tracked_trial import COMPLETE, FAIL, INTERRUPTED, open_trial
from reproduce.tracking import FAILED, FINISHED, KILLED, Store, open_store
from reproduce.workspace import Workspace

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.samplers import BaseSampler

POLL_SECONDS = 2.0
DIRECTIONS: tuple[Literal["maximize", "minimize"], ...] = ("maximize", "minimize")


@dataclass(frozen=True)
class Tuned:
    """A study after a command: what was tried, the best as `--set` texts, the files."""

    sheet: Sheet
    best: tuple[str, ...]
    files: list[Path]


class TrialError(Exception):
    """A trial whose run failed; the study goes on with the next one."""


class RowStudy:
    """Tunes settings of one row's method on validation identities."""

    def __init__(self, request: StudyRequest, listener: Listener):
        self.request, self.listener = request, listener
        table = catalog.find(request.artifact)
        if not isinstance(table, Table):
            raise UsageError(f"{request.artifact} is a figure; a study tunes a row of a table")
        self.label, self.group, self.recipe = find_row(table, request)
        self.method = type(self.recipe.method).__name__
        self.space = SPACES[request.space](self.recipe.method)
        parts = [request.space, self.label, request.artifact, request.scale, f"seed{request.seed}"]
        parts += [parse(request.changes).digest] if request.changes else []
        self.name = re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower())
        self._tags = {"cdd.study": self.name, "cdd.scale": request.scale}
        self.workspace = Workspace(request.results.resolve())
        self.published = self.workspace.published(request.scale) / "studies"
        self.judgement = judgement_of(self.recipe, self.group)
        metric = self.judgement.metric
        self.metrics = (metric, COST) if self.space.with_cost else (metric,)

    def texts(self, values: Mapping[str, float]) -> tuple[str, ...]:
        """Settings as `--set` texts, for this method's rows alone."""
        return tuple(f"{self.method}.{path}={value:g}" for path, value in values.items())

    def trial_recipe(self, values: Mapping[str, float]) -> Recipe:
        """The row's run with these settings, trained and evaluated without test identities."""
        changes = [f"data.use={self.judgement.use}", *self.request.changes, *self.texts(values)]
        (changed,) = parse(changes).apply([self.recipe])
        return changed

    def run(self, train: Train) -> Tuned:
        """Tries until the study has its trials; an interrupted one is taken up again first.

        The same command in another process joins the study.

        Raises:
            UsageError: for a storage that cannot be used, or settings that the method refuses.
            StoreError: if the tracking store cannot be reached, or the storage no longer.
        """
        self._require_runnable()
        self.workspace.check_writable()
        store = open_store(self.workspace, source())
        url = self.request.storage or f"sqlite:///{self.workspace.results / 'studies.db'}"
        self._turn = turn(url, self.name, self.workspace)
        study = self._study(url)
        with answering(url):
            with self._parent(store) as (experiment, parent):
                while self._wants_another(study):
                    study.sampler = self._sampler(len(study.get_trials(deepcopy=False)))
                    study.optimize(
                        lambda t: self._objective(t, self._job(store, experiment, parent, train, t)),
                        n_trials=1,
                        catch=(TrialError,),
                    )
            return self._tuned(study)

    def _require_runnable(self) -> None:
        """Finds, before anything is written, what no trial could be trained with."""
        usable_device(self.request.machine.device)
        recipes = with_dependencies(self.trial_recipe(self.space.defaults))
        require_trainable(recipes, self.request.changes)
        require_ready(recipes, self.request.machine)
        if self.request.storage is not None:
            check_own(self.request.storage)

    def _wants_another(self, study: "Study") -> bool:
        """Whether this process shall start a trial; waits while others work on the last ones.

        Where it shall, the turn to start stays with it until the trial runs, so that two processes do not
        both start the last one.
        """
        import optuna

        while True:
            self._turn.acquire()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                optuna.storages.fail_stale_trials(study)
            over, run = progress(study)
            if over + run < self.request.trials:
                return True
            self._turn.release()
            if over >= self.request.trials:
                return False
            time.sleep(POLL_SECONDS)

    def _job(self, store: Store, experiment: str, parent: str, train: Train, trial: "Trial") -> Job:
        return Job(
            store=store,
            workspace=self.workspace,
            published=self.published / self.name,
            experiment=experiment,
            parent=parent,
            train=train,
            machine=self.request.machine,
            listener=self._listener(trial),
        )

    def _listener(self, trial: "Trial") -> Listener:
        prunes = self.request.prunes and not self.space.with_cost
        return Watcher(self.listener, trial, self.metrics[0]) if prunes else self.listener

    def _study(self, url: str) -> "Study":
        """The study in this storage; one process makes it and asks for the defaults as its first trial."""
        with usable(url):
            self._turn.acquire()
        try:
            return self._made(url)
        finally:
            self._turn.release()

    def _made(self, url: str) -> "Study":
        import optuna
        from optuna.pruners import HyperbandPruner, NopPruner

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        epochs = self.recipe.schedule.epochs
        study = optuna.create_study(
            storage=open_storage(url),
            study_name=self.name,
            directions=DIRECTIONS[: len(self.metrics)],
            pruner=HyperbandPruner(min_resource=max(1, epochs // 5), max_resource=epochs)
            if self.request.prunes
            else NopPruner(),
            load_if_exists=True,
        )
        if not study.get_trials(deepcopy=False):
            study.enqueue_trial(dict(self.space.defaults))
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
        tags = {**self._tags, "cdd.invocation": self.name}
        lock = self.workspace.lock(f"invocation-{self.name}")
        try:
            lock.acquire(timeout=0)
            store.close_dead_invocations(experiment, self.name)
        except Timeout:
            pass  # Another process works on this study; its parent run is alive.
        parent = store.start_invocation(experiment, f"{self.name}, {self.request.trials} trials", tags)
        status = FAILED
        try:
            yield experiment, parent
            status = FINISHED
        except KeyboardInterrupt:
            status = KILLED
            raise
        finally:
            lock.release()
            store.finish(parent, status)

    def _objective(self, trial: "Trial", job: Job) -> tuple[float, ...]:
        from optuna import TrialPruned

        self._turn.release()
        values = {knob.path: knob.suggested(trial) for knob in self.space.knobs}
        recipe = self.trial_recipe(values)
        trial.set_user_attr("run_id", recipe.run_id)
        trial.set_user_attr("settings", values)
        label = f"trial {trial.number + 1} of {self.name}"
        place = Placement(job.experiment, job.parent, label)
        tracked = open_trial(job.store, place, trial, self._tags, values)
        state, found = INTERRUPTED, dict[str, float]()
        try:
            outcome = self._outcome(label, recipe, replace(job, parent=tracked.mlflow_id))
            found = {name: outcome.metrics[name] for name in self.metrics if name in outcome.metrics}
            complete = COMPLETE if len(found) == len(self.metrics) else FAIL
            state = outcome.state if outcome.state == PRUNED else complete
        finally:
            tracked.close(state, recipe.run_id, found, self.listener)
            if state == INTERRUPTED:  # The next command goes on from its checkpoint.
                trial.study.enqueue_trial(trial.params, user_attrs=trial.user_attrs)
        if state == PRUNED:
            raise TrialPruned
        if state == FAIL:
            trial.set_user_attr("failure", outcome.message)
            raise TrialError(outcome.message)
        return tuple(found.values())

    def _outcome(self, label: str, recipe: Recipe, job: Job) -> Outcome:
        wish = Wish(self.name, label, self.group.title, recipe)
        device = usable_device(self.request.machine.device)
        plan = make_plan([wish], job.store, self.workspace, device)
        return execute(plan, job)[recipe.run_id]

    def _tuned(self, study: "Study") -> Tuned:
        words = Words(
            title=f"Study {self.request.space} of {self.label}: {self.request.artifact}, "
            f"{self.request.scale} scale",
            command=f"python -m reproduce {self.request.artifact}",
            accuracy=self.judgement.accuracy,
            seen=self.judgement.seen,
            seed=self.request.seed,
            changes=tuple(self.request.changes),
            defaults=self.texts(self.space.defaults),
        )
        found = report(self.name, study, list(self.space.defaults), self.texts, words)
        return Tuned(found.sheet, found.best, found.write(self.published))
