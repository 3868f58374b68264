"""Registered models as answers."""

from __future__ import annotations

from service.models.registered import RegisteredRow
from service.models.schemas import (
    ModelLimitsOut,
    ModelOffersOut,
    ModelOut,
    ModelPriceOut,
    RegisteredModelOut,
)


def view(row: RegisteredRow) -> ModelOut:
    """All of it but the key."""
    environment = "environment" if row.key_env is not None else None
    return ModelOut(
        id=row.name,
        origin="registered",
        registered=RegisteredModelOut(
            url=row.url,
            model=row.model,
            key="stored" if row.key is not None else environment,
            api_key_env=row.key_env,
            limits=ModelLimitsOut(
                concurrency=row.concurrency,
                requests_per_minute=row.requests_per_minute,
                tokens_per_minute=row.tokens_per_minute,
            ),
            timeout_s=row.timeout_s,
            price=ModelPriceOut(input=row.input_price, output=row.output_price),
            extra_body=dict(row.extra_body),
            offers=ModelOffersOut.model_validate(row.offers) if row.offers else None,
            checked_at=row.checked_at,
            created_at=row.created_at,
        ),
    )
