"""OpenAI-compatible chat endpoints: a thin client that keeps to their limits and survives their faults."""

from simsa.endpoints.abilities import Abilities
from simsa.endpoints.chat import ChatFailure, ChatReply, ChatRequest, ModelInfo
from simsa.endpoints.client import ChatEndpoint
from simsa.endpoints.flow import FlowStats
from simsa.endpoints.prices import Price, cost, price
from simsa.endpoints.retirement import Retirement, retirement

__all__ = [
    "Abilities",
    "ChatEndpoint",
    "ChatFailure",
    "ChatReply",
    "ChatRequest",
    "FlowStats",
    "ModelInfo",
    "Price",
    "Retirement",
    "cost",
    "price",
    "retirement",
]
