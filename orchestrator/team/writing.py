"""A member's model, asked to put what was learned into words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, cast

from orchestrator.errors import ToolRetry
from orchestrator.model.base import Account, Model, ModelSpec, Usage


class ModelWriter:
    """`skill.Writer` and `memory.Thinker` on a model; what a reply has cost is told to `paid`."""

    def __init__(
        self, model: Model, account: Account, paid: Callable[[Usage, Decimal | None], None]
    ) -> None:
        self.name = model.name
        """Of the model that answers: after a reply the one that gave it, maybe a fallback."""
        self.careful = _is_careful(self.name)
        self._model = model.bind([])
        self._account = account
        self._paid = paid

    async def write(self, prompt: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        from langchain_core.messages import HumanMessage

        asked = f"{prompt}\nAnswer with one JSON object of this schema: {json.dumps(schema)}"
        reply = await self._model.call([HumanMessage(asked)], output=schema, account=self._account)
        self._paid(reply.usage, reply.cost_usd)
        self.name, self.careful = reply.model, _is_careful(reply.model)
        text = reply.text.strip().removeprefix("```json").strip("`").strip()
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ToolRetry(f"the model wrote no JSON ({error})") from error
        if not isinstance(value, dict):
            raise ToolRetry("the model wrote no JSON object")
        return cast("dict[str, Any]", value)


def _is_careful(name: str) -> bool:
    """Not the small model in this process: it reads, but it does not reason."""
    return ModelSpec.parse(name).provider != "local"
