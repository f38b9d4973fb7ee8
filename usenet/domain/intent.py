"""What every part of usenet.yaml has in common."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from usenet.domain.service import Model


class Intent(Model):
    """A mapping of usenet.yaml. A key without a value means its default."""

    @model_validator(mode="before")
    @classmethod
    def _empty_means_default(cls, value: Any) -> Any:
        return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value
