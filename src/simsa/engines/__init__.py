"""Inference engines: vLLM as a child process, and checks that adapters and chat templates take effect.

for plan in plan_servers(config):
    async with VllmServer(plan, logs, say) as server:
        findings = await prove_adapters(server, prompts)
        …  # server.base_url, server.key, plan.variants[variant]
"""

from simsa.engines.adapter_check import check_adapters, load_adapter, prove_adapters
from simsa.engines.adapters import Adapter, read_adapter
from simsa.engines.chat_template import TemplateFinding
from simsa.engines.deployment import ServerPlan, plan_judge, plan_servers
from simsa.engines.engine import InferenceEngine
from simsa.engines.vllm_server import VllmServer

__all__ = [
    "Adapter",
    "InferenceEngine",
    "ServerPlan",
    "TemplateFinding",
    "VllmServer",
    "check_adapters",
    "load_adapter",
    "plan_judge",
    "plan_servers",
    "prove_adapters",
    "read_adapter",
]
