"""OpenAI-compatible chat endpoints: a thin client that keeps to their limits and survives their faults."""

from simsa.endpoints.abilities import Abilities
from simsa.endpoints.chat import ChatFailure, ChatReply, ChatRequest, ModelInfo
from simsa.endpoints.client import ChatEndpoint
from simsa.endpoints.finding import find_out
from simsa.endpoints.flow import FlowStats
from simsa.endpoints.lessons import Lessons
from simsa.endpoints.prices import Price, cost, price
from simsa.endpoints.remembered import Known, remembered
from simsa.endpoints.retirement import Retirement, retirement

__all__ = [
    "Abilities",
    "ChatEndpoint",
    "ChatFailure",
    "ChatReply",
    "ChatRequest",
    "FlowStats",
    "Known",
    "Lessons",
    "ModelInfo",
    "Price",
    "Retirement",
    "cost",
    "find_out",
    "price",
    "remembered",
    "retirement",
]
