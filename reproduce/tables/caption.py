"""Caption of a table: scale, data, seeds, versions, device, code."""

from collections.abc import Iterable, Mapping, Sequence
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

from cdd.data.embedded import EMBEDDED
from experiments.schema.scale import Scale
from experiments.schema.table import BEYOND, Table
from reproduce.claims.thread_spread import thread_spread
from reproduce.statistics.claim_verdict import PUBLICATION_PARTS
from reproduce.tables.against_reference import note as compared_with_reference
from reproduce.tables.stand_ins import networks_note

if TYPE_CHECKING:
    from experiments.schema.figure import Artifact
    from reproduce.evidence.context import RenderContext
    from reproduce.execution.outcome import Outcome
    from reproduce.planning.requested_run import RequestedRun


SCALE_TEXTS = {
    "mini": "small networks on small embedded images, for two CPU cores: compare directions, not numbers",
    "bench": "the paper's networks on embedded data: compare directions, not numbers",
    "paper": "the paper's data, networks and schedule",
}
COUNTS = (
    "MP: parameters of the deployed network without the identity classifier. FLOPs: multiply-adds of one "
    "image as the paper counts them; true FLOPs are twice as many."
)
REFERENCE = "Reference: measured and committed by this project. "
MIXED_THREADS = (
    "Numbers of threads differ among these runs: they are rounded differently and go different ways, as two "
    "seeds do."
)
VERSIONS = ("python", "torch", "torchvision", "mlflow", "numpy")
DIGEST_LENGTH = 12
COMMIT_LENGTH = 10


def heading(artifact: "Artifact") -> str:
    """The paper's number and caption; the caption alone where the paper has no such artifact."""
    number = ", ".join(artifact.source.split(", ")[PUBLICATION_PARTS:])
    return artifact.title if artifact.source == BEYOND else f"{number}. {artifact.title}"


def title(artifact: "Artifact", scale: Scale, requested_runs: "list[RequestedRun]") -> str:
    """The paper's caption, and what ours is where it is not the paper's setting."""
    text = heading(artifact)
    if scale == "paper":
        return f"{text} (paper scale)"
    return (
        f"{text}: {scale} scale, on {_data_sets(requested.recipe.data.name for requested in requested_runs)}"
    )


def _data_sets(names: Iterable[str]) -> str:
    """The data sets, with what kind of data set they are."""
    found = sorted(set(names))
    real = [name for name in found if name not in EMBEDDED]
    plural = "the data sets" if len(real) > 1 else "the data set"
    kinds = {"the embedded data set": [name for name in found if name in EMBEDDED], plural: real}
    return " and ".join(f"{kind} {' and '.join(names)}" for kind, names in kinds.items() if names)


def scale_text(scale: Scale, names: Iterable[str]) -> str:
    """What the scale is, where these data sets are trained on."""
    text, found = SCALE_TEXTS[scale], set(names)
    if scale == "paper" or found <= EMBEDDED.keys():
        return text
    return text.replace("small embedded images", "small images").replace("embedded data", _data_sets(found))


def row_notes(
    table: Table, requested_runs: "list[RequestedRun]", overrides: tuple[str, ...]
) -> dict[str, list[str]]:
    """By label what is to be said of a row: its own note, and settings that this command gave its method."""
    notes = {row.label: [row.note] if row.note else [] for row in table.rows}
    for requested in requested_runs:
        own = [text for text in overrides if text.startswith(f"{type(requested.recipe.method).__name__}.")]
        text = f"Not the published setting: {', '.join(own)}."
        if own and text not in notes[requested.label]:
            notes[requested.label].append(text)
    return notes


def letters(notes: Mapping[str, list[str]]) -> dict[str, str]:
    """The letter of every note, in the order of the rows."""
    texts = dict.fromkeys(text for found in notes.values() for text in found)
    return {text: ascii_lowercase[place] for place, text in enumerate(texts)}


def caption(artifact: "Artifact", material: "RenderContext") -> list[str]:
    """The notes, one sentence group each."""
    scale, requested_runs, outcomes, overrides = (
        material.scale,
        material.requested_runs,
        material.outcomes,
        material.overrides,
    )
    shown = [requested for requested in requested_runs if requested.recipe.run_id in outcomes]
    made = _environments(requested_runs, outcomes)
    names = {requested.recipe.data.name for requested in requested_runs}
    notes = [
        f"{_origin(artifact)} Ours: scale {scale}, {scale_text(scale, names)}.",
        _protocols(artifact),
        *([COUNTS] if isinstance(artifact, Table) and _counts(artifact) else []),
        *artifact.notes,
        *_of_rows(artifact, requested_runs, overrides),
    ]
    if overrides:
        notes.append(f"Overridden, so not the paper's setting: {', '.join(overrides)}.")
    if scale != "paper":
        notes.append(_networks(artifact, scale, requested_runs))
    if not made:
        return [*notes, "None of these runs has finished.", *_reference(artifact, material)]
    seeds = sorted({requested.recipe.seed for requested in shown})
    spread = "; ± is the standard deviation over seeds" if len(seeds) > 1 else ""
    data = _listed(
        sorted({_data(requested, outcomes[requested.recipe.run_id].environment) for requested in shown})
    )
    return [
        *notes,
        f"Data: {data}. Seeds: {_listed(seeds)}{spread}.",
        f"{REFERENCE if material.origin == 'reference' else ''}{made_with(made)}",
        *_reference(artifact, material),
        *_threads(material),
    ]


def _environments(
    requested_runs: "Iterable[RequestedRun]", outcomes: "Mapping[str, Outcome]"
) -> list[Mapping[str, Any]]:
    found = (
        outcomes[requested.recipe.run_id].environment
        for requested in requested_runs
        if requested.recipe.run_id in outcomes
    )
    return [environment for environment in found if environment]


def _reference(artifact: "Artifact", material: "RenderContext") -> list[str]:
    """What the reference beside the user's numbers is, and whether those lie within its spread."""
    if material.reference is None:
        return []
    found = material.reference
    seeds = sorted(
        {
            requested.recipe.seed
            for requested in found.requested_runs
            if requested.recipe.run_id in found.outcomes
        }
    )
    made = made_with(_environments(found.requested_runs, found.outcomes))
    return [*compared_with_reference(artifact, material), f"{REFERENCE}Seeds: {_listed(seeds)}. {made}"]


def _threads(material: "RenderContext") -> list[str]:
    """What another number of threads may have done to the runs that are compared; none where all have one."""
    made = _environments(material.requested_runs, material.outcomes)
    folder = material.records_folder
    if found := material.reference:
        made, folder = made + _environments(found.requested_runs, found.outcomes), found.folder
    counts = {environment.get("threads") for environment in made if environment.get("device") == "cpu"}
    if len(counts) < 2:
        return []
    known = thread_spread(folder)
    if known is None:
        return [MIXED_THREADS]
    spread, runs = known
    return [
        f"{MIXED_THREADS} Measured on {runs} run{'s' if runs > 1 else ''}: a standard deviation of "
        f"{spread.deviation:.2f} points of mAP."
    ]


def _origin(artifact: "Artifact") -> str:
    if artifact.source == BEYOND:
        return "The paper has no such figure."
    return f"Paper: {artifact.source}."


def _of_rows(
    artifact: "Artifact", requested_runs: "list[RequestedRun]", overrides: tuple[str, ...]
) -> list[str]:
    if not isinstance(artifact, Table):
        return []
    reported = "Reported: copied by the paper from a publication, never trained here, in no comparison."
    found = letters(row_notes(artifact, requested_runs, overrides))
    notes = [f"[{letter}] {text}" for text, letter in found.items()]
    return [*([reported] if any(row.reported for row in artifact.rows) else []), *notes]


def _counts(table: Table) -> bool:
    return any(column.metric == "multiply_adds" for group in table.groups for column in group.columns)


def _protocols(artifact: "Artifact") -> str:
    titles: dict[str, list[str]] = {}
    for group in artifact.groups:
        titles.setdefault(group.protocol_text, []).append(group.title)
    return "Protocols: " + "; ".join(f"{' and '.join(found)}, {text}" for text, found in titles.items()) + "."


def _networks(artifact: "Artifact", scale: "Scale", requested_runs: "list[RequestedRun]") -> str:
    """The networks of these runs, which are not all the paper's."""
    named = networks_note(artifact, scale) if isinstance(artifact, Table) else None
    students = sorted({requested.recipe.student.description for requested in requested_runs})
    return named or f"Networks at this scale, in place of the paper's: {'; '.join(students)}."


def _data(requested: "RequestedRun", environment: Mapping[str, Any]) -> str:
    data = requested.recipe.data
    digest = str(environment.get("data_digest", "unknown"))[:DIGEST_LENGTH]
    return f"{data.name} at {data.height}x{data.width} (digest {digest})"


def made_with(made: Sequence[Mapping[str, Any]]) -> str:
    """Devices, versions and code behind these environments."""
    devices = _listed(sorted({_device(environment) for environment in made}))
    versions = [
        f"{name} {_listed(sorted({str(environment[name]) for environment in made if name in environment}))}"
        for name in VERSIONS
        if any(name in environment for environment in made)
    ]
    commits = _listed(sorted({_commit(environment) for environment in made}))
    return f"Made on {devices} with {', '.join(versions)}; git commit {commits}."


def _device(environment: Mapping[str, Any]) -> str:
    name, precision = environment.get("device_name"), environment.get("autocast")
    threads = environment.get("threads") if environment.get("device") == "cpu" else None
    counted = f"{threads} thread{'' if threads == 1 else 's'}" if threads else None
    details = ", ".join(str(detail) for detail in (name, precision, counted) if detail)
    return f"{environment.get('device', 'unknown device')}{f' ({details})' if details else ''}"


def _commit(environment: Mapping[str, Any]) -> str:
    commit = str(environment.get("git_commit", "unknown"))[:COMMIT_LENGTH]
    return f"{commit} with uncommitted changes" if environment.get("git_dirty") else commit


def _listed(values: Iterable[object]) -> str:
    return ", ".join(str(value) for value in values)
