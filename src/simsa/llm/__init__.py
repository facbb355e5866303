"""Client for OpenAI-compatible chat endpoints that keeps to rate limits and handles faults."""

from simsa.llm.capabilities import Capabilities, CapabilityLearner, CapabilityReport
from simsa.llm.chat import ChatFailure, ChatReply, ChatRequest, ModelInfo
from simsa.llm.client import ChatEndpoint
from simsa.llm.deprecation import Deprecation, deprecation
from simsa.llm.pricing import Price, cost, price
from simsa.llm.rate_limit import AdmissionStats

__all__ = [
    "AdmissionStats",
    "Capabilities",
    "CapabilityLearner",
    "CapabilityReport",
    "ChatEndpoint",
    "ChatFailure",
    "ChatReply",
    "ChatRequest",
    "Deprecation",
    "ModelInfo",
    "Price",
    "cost",
    "deprecation",
    "price",
]
