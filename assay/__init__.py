"""Assay's client: `Client`, or `AsyncClient` with the same methods.

>>> from assay import Client
>>> with Client("http://127.0.0.1:8000") as assay:  # doctest: +SKIP
...     queued = assay.evaluate(system="mine", dataset="news", samples=[...], metrics=["chrf"])
...     for score in assay.wait(queued.id).scores:
...         print(score.name, score.value, score.interval)
"""

from assay.archive_models import Audit, Audited, Mismatch
from assay.async_client import AsyncClient
from assay.board_models import (
    BoardDefinition,
    BoardEntry,
    BoardPart,
    BoardRow,
    Control,
    ControlRow,
    Controls,
    DefinedBoard,
    DefinedRow,
    DeletedBoard,
    Front,
    FrontRow,
    FrontScore,
    Leaderboard,
    LeftOut,
    PartValue,
    Protocol,
    SameOutputs,
    WithoutPart,
)
from assay.client import Client
from assay.comparison_models import ComparisonResult
from assay.errors import AssayError, ConnectionFailed, RequestTimedOut, WaitTimedOut
from assay.gate_models import Design, Draws, Gate, GateCheck, GateRule, Power
from assay.import_models import Import, ImportedEvaluation, ImportedScore
from assay.model_models import (
    DeletedModel,
    Model,
    ModelLimits,
    ModelOffers,
    ModelPrice,
    RegisteredModel,
)
from assay.models import (
    FINAL,
    Dataset,
    Evaluation,
    Event,
    Metric,
    MetricLike,
    Problem,
    Progress,
    Sample,
    Score,
    ScoreInfo,
    SetScore,
    Trainer,
    Variance,
)
from assay.training_models import (
    Checkpoint,
    CheckpointCard,
    CurvePoint,
    TrainingJob,
    TrainingLogs,
    TrainingMetrics,
    TrainingPreview,
)

__all__ = [
    "FINAL",
    "AssayError",
    "AsyncClient",
    "Audit",
    "Audited",
    "BoardDefinition",
    "BoardEntry",
    "BoardPart",
    "BoardRow",
    "Checkpoint",
    "CheckpointCard",
    "Client",
    "ComparisonResult",
    "ConnectionFailed",
    "Control",
    "ControlRow",
    "Controls",
    "CurvePoint",
    "Dataset",
    "DefinedBoard",
    "DefinedRow",
    "DeletedBoard",
    "DeletedModel",
    "Design",
    "Draws",
    "Evaluation",
    "Event",
    "Front",
    "FrontRow",
    "FrontScore",
    "Gate",
    "GateCheck",
    "GateRule",
    "Import",
    "ImportedEvaluation",
    "ImportedScore",
    "Leaderboard",
    "LeftOut",
    "Metric",
    "MetricLike",
    "Mismatch",
    "Model",
    "ModelLimits",
    "ModelOffers",
    "ModelPrice",
    "PartValue",
    "Power",
    "Problem",
    "Progress",
    "Protocol",
    "RegisteredModel",
    "RequestTimedOut",
    "SameOutputs",
    "Sample",
    "Score",
    "ScoreInfo",
    "SetScore",
    "Trainer",
    "TrainingJob",
    "TrainingLogs",
    "TrainingMetrics",
    "TrainingPreview",
    "Variance",
    "WaitTimedOut",
    "WithoutPart",
]
