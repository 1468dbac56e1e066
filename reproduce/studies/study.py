"""Optuna studies: settings of a row tuned on validation identities, trial by trial, resumable.

A trial is the row's own run with other settings: it is planned, trained, tracked and reused as any run,
and goes on from its checkpoints where it was interrupted. No trial sees the test identities.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import optuna
from optuna import Study
from optuna.pruners import HyperbandPruner, NopPruner
from optuna.trial import FrozenTrial, Trial, TrialState

from cdd.recipe import Recipe
from experiments import registry
from experiments.schema.table import Table
from reproduce.errors import UsageError
from reproduce.execution.executor import PRUNED, ExecutionContext, Train, execute
from reproduce.execution.invocation import Invocation
from reproduce.execution.listener import Listener
from reproduce.execution.outcome import Outcome, RunCounter
from reproduce.planning.overrides import parse
from reproduce.planning.plan import make_plan
from reproduce.planning.preflight import require_ready, require_trainable, usable_device, with_dependencies
from reproduce.planning.requested_run import RequestedRun
from reproduce.storage.provenance import code_version
from reproduce.storage.results_folder import ResultsFolder
from reproduce.studies.pruning import PRUNED_AFTER, PruningListener, pruned_after
from reproduce.studies.report import StudyText, left_out, report
from reproduce.studies.sampler import Proposals
from reproduce.studies.search_space import SPACES
from reproduce.studies.storage import check_url, open_storage, storage_errors, storage_open_errors
from reproduce.studies.study_lock import StudyLock, StudyLocks
from reproduce.studies.target import COST, StudyRequest, find_row, objective_of
from reproduce.studies.trial_run import COMPLETE, FAIL, INTERRUPTED, open_trial
from reproduce.studies.trials import (
    FAILURE,
    FOREIGN,
    RUN,
    SETTINGS,
    alone,
    check_trials,
    foreign,
    is_own,
    progress,
)
from reproduce.tables.rendered_table import RenderedTable
from reproduce.tables.text import markdown
from reproduce.tracking.store import SCALE, Store, open_store
from reproduce.tracking.training_run import Placement

POLL_SECONDS = 2.0
DIRECTIONS: tuple[Literal["maximize", "minimize"], ...] = ("maximize", "minimize")


@dataclass(frozen=True)
class StudyResult:
    """A study after a command: what was tried, the best as `--set` texts, the files."""

    sheet: RenderedTable
    best: tuple[str, ...]
    files: list[Path]


class RowStudy:
    """Tunes settings of one row's method on validation identities."""

    def __init__(self, request: StudyRequest, listener: Listener):
        self.request, self.listener = request, listener
        table = registry.find(request.artifact)
        if not isinstance(table, Table):
            raise UsageError(f"{request.artifact} is a figure; a study tunes a row of a table")
        self.label, self.group, self.recipe = find_row(table, request)
        self.method = type(self.recipe.method).__name__
        self.space = SPACES[request.space](self.recipe.method)
        parts = [request.space, self.label, request.artifact, request.scale, f"seed{request.seed}"]
        parts += [parse(request.changes).digest] if request.changes else []
        self.name = re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower())
        self._tags = {"cdd.study": self.name, SCALE: request.scale}
        self.workspace = ResultsFolder(request.results.resolve())
        self.published = self.workspace.scale_folder(request.scale) / "studies"
        self.judgement = objective_of(self.recipe, self.group)
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

    def run(self, train: Train) -> StudyResult:
        """Tries until the study has its trials; an interrupted one is taken up again first.

        The same command in another process joins the study.

        Raises:
            UsageError: for a storage that cannot be used, or that has this study with other settings.
            StoreError: if the tracking store cannot be reached, or the storage no longer.
        """
        self._require_runnable()
        self.workspace.check_writable()
        url = self.request.storage or f"sqlite:///{self.workspace.results / 'studies.db'}"
        check_url(url)
        store = open_store(self.workspace, code_version())
        self._turns = StudyLocks(url, self.name)
        study = self._study(url)
        with storage_errors(url):
            self._name_foreign(study)
            with Invocation(store, self.listener, f"study-{self.name}", self.name) as own:
                while begun := self._next(study):
                    trial, turn = begun
                    try:
                        self._try(trial, self._job(store, own, train, trial))
                    finally:
                        turn.release()
                tuned = self._tuned(study)
                own.end(complete=True, files=tuned.files, description=markdown(tuned.sheet))
            return tuned

    def _name_foreign(self, study: Study) -> None:
        check_trials(study, self.space.knobs, DIRECTIONS[: len(self.metrics)])
        numbers = foreign(study, self.space.knobs)
        if numbers:
            self.listener.warned(left_out(numbers))

    def _require_runnable(self) -> None:
        """Finds, before anything is written, what no trial could be trained with."""
        usable_device(self.request.machine.device)
        recipes = with_dependencies(self.trial_recipe(self.space.defaults))
        require_trainable(recipes, self.request.changes)
        require_ready(recipes, self.request.machine)
        if self.request.storage is not None:
            check_url(self.request.storage)

    def _next(self, study: Study) -> tuple[Trial, StudyLock] | None:
        """A trial for this process, alone on it; waits while others work on the last ones.

        The turn to start stays with it until the trial is known to run, so that two processes do not both
        start the last one.
        """
        told = False
        while True:
            self._turns.start.acquire(self._waits)
            try:
                own = [trial for trial in study.get_trials(deepcopy=False) if self._is_own(trial)]
                over, run = progress(own)
                begun = self._dead(study, own)
                if begun is None and over + run < self.request.trials:
                    begun = self._new(study)
            finally:
                self._turns.start.release()
            if begun or over >= self.request.trials:
                return begun
            if not told:
                self.listener.warned(f"The last trials of {self.name} are another process's: waiting for it.")
            told = True
            time.sleep(POLL_SECONDS)

    def _waits(self) -> None:
        self.listener.warned(
            f"Another process is starting a trial of {self.name}: waiting for it (its lock is in "
            f"{self._turns.place})."
        )

    def _is_own(self, trial: FrozenTrial) -> bool:
        return is_own(trial, self.space.knobs)

    def _dead(self, study: Study, own: list[FrozenTrial]) -> tuple[Trial, StudyLock] | None:
        """A trial that was interrupted, to go on with; its number, settings and epochs stay its own."""
        for trial in own:
            if trial.state == TrialState.RUNNING:
                turn = self._turns.trial(trial.number)
                if turn.taken():
                    if study.get_trials(deepcopy=False)[trial.number].state == TrialState.RUNNING:
                        return Trial(study, trial._trial_id), turn
                    turn.release()  # It has ended a moment ago.
        return None

    def _new(self, study: Study) -> tuple[Trial, StudyLock]:
        """One that waits or is new; what somebody has added for something else is set aside."""
        while True:
            trial = study.ask()
            if self._is_own(study.get_trials(deepcopy=False)[trial.number]):
                turn = self._turns.trial(trial.number)
                turn.acquire()
                return trial, turn
            trial.set_user_attr(FOREIGN, True)
            study.tell(trial, state=TrialState.FAIL)

    def _job(self, store: Store, own: Invocation, train: Train, trial: Trial) -> ExecutionContext:
        return ExecutionContext(
            store=store,
            workspace=self.workspace,
            published=self.published / self.name,
            experiment=own.experiment,
            parent=own.parent or own.begin(f"{self.name}, {self.request.trials} trials", self._tags),
            train=train,
            machine=self.request.machine,
            listener=self._listener(trial),
            tags=self._tags,
        )

    def _listener(self, trial: Trial) -> Listener:
        prunes = self.request.prunes and not self.space.with_cost
        return PruningListener(self.listener, trial, self.metrics[0]) if prunes else self.listener

    def _study(self, url: str) -> Study:
        """The study in this storage; one process makes it and asks for the defaults as its first trial."""
        with storage_open_errors(url):
            self._turns.start.acquire(self._waits)
            try:
                return self._made(url)
            finally:
                self._turns.start.release()

    def _made(self, url: str) -> Study:

        optuna.logging.set_verbosity(optuna.logging.ERROR)
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
        if not any(map(self._is_own, study.get_trials(deepcopy=False))):
            study.enqueue_trial(dict(self.space.defaults))
        study.sampler = Proposals(study, self.space.knobs, self.request.seed)
        return study

    def _try(self, trial: Trial, job: ExecutionContext) -> None:
        """Trains and tells; a trial that is interrupted stays a running one, which nobody holds."""
        values = {knob.path: knob.suggested(trial) for knob in self.space.knobs}
        trial.set_user_attr(SETTINGS, values)
        recipe = self.trial_recipe(values)
        trial.set_user_attr(RUN, recipe.run_id)
        label = f"trial {trial.number + 1} of {self.name}"
        place = Placement(job.experiment, job.parent, label)
        tracked = open_trial(job.store, place, trial, self._tags, values)
        state, found = INTERRUPTED, dict[str, float]()
        try:
            outcome = self._outcome(label, recipe, replace(job, parent=tracked.mlflow_id), trial)
            found = {name: outcome.metrics[name] for name in self.metrics if name in outcome.metrics}
            complete = COMPLETE if len(found) == len(self.metrics) else FAIL
            state = outcome.state if outcome.state == PRUNED else complete
        finally:
            tracked.close(state, recipe.run_id, found, self.listener)
        if state == FAIL:
            trial.set_user_attr(FAILURE, outcome.message)
        ended = {COMPLETE: TrialState.COMPLETE, PRUNED: TrialState.PRUNED, FAIL: TrialState.FAIL}[state]
        trial.study.tell(trial, list(found.values()) if state == COMPLETE else None, ended)

    def _outcome(self, label: str, recipe: Recipe, job: ExecutionContext, trial: Trial) -> Outcome:
        if PRUNED_AFTER in trial.user_attrs:  # It was interrupted just then.
            return Outcome(state=PRUNED, message=pruned_after(trial.user_attrs[PRUNED_AFTER]))
        requested = RequestedRun(self.name, label, self.group.title, recipe)
        device = usable_device(self.request.machine.device)
        plan = make_plan([requested], job.store, self.workspace, device)
        return execute(plan, replace(job, counter=RunCounter(len(plan.work))))[recipe.run_id]

    def _tuned(self, study: Study) -> StudyResult:
        words = StudyText(
            title=f"Study {self.request.space} of {self.label}: {self.request.artifact}, "
            f"{self.request.scale} scale",
            command=f"python -m reproduce {self.request.artifact}",
            accuracy=self.judgement.accuracy,
            seen=self.judgement.seen,
            seed=self.request.seed,
            changes=tuple(self.request.changes),
            foreign=tuple(foreign(study, self.space.knobs)),
            defaults=self.texts(self.space.defaults),
        )
        found = report(
            self.name, alone(study, self.space.knobs), list(self.space.defaults), self.texts, words
        )
        return StudyResult(found.sheet, found.best, found.write(self.published))
