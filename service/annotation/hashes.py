"""What annotators are called where their names are nobody's business."""

from __future__ import annotations

import hashlib

from service.annotation.store import Project

OF_MODEL = "model:"


def hashed(project: Project, annotator: str) -> str:
    """The same in a project, and another in every other."""
    return hashlib.sha256(project.salt + annotator.encode()).hexdigest()[:16]


def marked(project: Project, annotator: str, of_model: bool) -> str:
    """The same, which tells a model from people: in datasets of votes."""
    return (OF_MODEL if of_model else "") + hashed(project, annotator)
