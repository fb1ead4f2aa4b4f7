"""The way to the model: a `dspy.LM` over LiteLLM and one or several vLLM replicas; every attempt is recorded."""

from __future__ import annotations

from pdr_dspy.endpoint.allowance import Allowance, FileAllowance, Hold
from pdr_dspy.endpoint.endpoint import Endpoint, connect, endpoint_of
from pdr_dspy.endpoint.engine import EndpointLM
from pdr_dspy.endpoint.environment import connected, settings_from_environment, shared_endpoint
from pdr_dspy.endpoint.file_store import FileStore, StoreReport
from pdr_dspy.endpoint.preflight import Identity
from pdr_dspy.endpoint.recommended import Recommended
from pdr_dspy.endpoint.settings import EndpointSettings
from pdr_dspy.endpoint.stats import EndpointStats
from pdr_dspy.endpoint.store import MemoryStore, Store, StoredCompletion
from pdr_dspy.secrets.secret import Secret

__all__ = [
    "Allowance",
    "Endpoint",
    "EndpointLM",
    "EndpointSettings",
    "EndpointStats",
    "FileAllowance",
    "FileStore",
    "Hold",
    "Identity",
    "MemoryStore",
    "Recommended",
    "Secret",
    "Store",
    "StoreReport",
    "StoredCompletion",
    "connect",
    "connected",
    "endpoint_of",
    "settings_from_environment",
    "shared_endpoint",
]
