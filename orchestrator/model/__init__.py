"""Models: who serves them, which one serves here, and calls that survive a provider's bad day."""

from orchestrator.model.base import (
    Account,
    BoundModel,
    Delta,
    DeltaWatcher,
    Meter,
    Model,
    ModelFound,
    ModelSpec,
    PlannedCall,
    Reply,
    ToolSchema,
    Usage,
)
from orchestrator.model.catalog import ModelRow, ModelTest, list_models, test_model
from orchestrator.model.chain import BoundChain, ModelChain, open_model
from orchestrator.model.failures import ProviderFault
from orchestrator.model.find import LOOPBACK, find_model
from orchestrator.model.patience import Patience
from orchestrator.model.prices import Price, price_of, window_of
from orchestrator.model.providers import PROVIDERS, Builder, Opening, Provider

__all__ = [
    "LOOPBACK",
    "PROVIDERS",
    "Account",
    "BoundChain",
    "BoundModel",
    "Builder",
    "Delta",
    "DeltaWatcher",
    "Meter",
    "Model",
    "ModelChain",
    "ModelFound",
    "ModelRow",
    "ModelSpec",
    "ModelTest",
    "Opening",
    "Patience",
    "PlannedCall",
    "Price",
    "Provider",
    "ProviderFault",
    "Reply",
    "ToolSchema",
    "Usage",
    "find_model",
    "list_models",
    "open_model",
    "price_of",
    "test_model",
    "window_of",
]
