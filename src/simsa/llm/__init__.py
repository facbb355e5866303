"""OpenAI-compatible chat endpoints: a thin client that keeps to their limits and survives their faults."""

from simsa.llm.capabilities import Capabilities
from simsa.llm.capability_cache import CachedCapabilities, cached_capabilities
from simsa.llm.capability_learner import CapabilityLearner
from simsa.llm.capability_probe import probe_capabilities
from simsa.llm.chat import ChatFailure, ChatReply, ChatRequest, ModelInfo
from simsa.llm.client import ChatEndpoint
from simsa.llm.deprecation import Deprecation, deprecation
from simsa.llm.pricing import Price, cost, price
from simsa.llm.rate_limit import AdmissionStats

__all__ = [
    "AdmissionStats",
    "CachedCapabilities",
    "Capabilities",
    "CapabilityLearner",
    "ChatEndpoint",
    "ChatFailure",
    "ChatReply",
    "ChatRequest",
    "Deprecation",
    "ModelInfo",
    "Price",
    "cached_capabilities",
    "cost",
    "deprecation",
    "price",
    "probe_capabilities",
]
