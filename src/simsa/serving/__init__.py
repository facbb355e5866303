"""vLLM for people who fine-tune: what to tell it about a PEFT folder, ready, dead, effect.

for plan in plan_servers(config):
    async with VllmServer(plan, logs, say) as server:
        findings = await prove_adapters(server, prompts)
        …  # server.base_url, server.key, plan.variants[variant]
"""

from simsa.serving.adapters import Adapter, read_adapter
from simsa.serving.plan import ServerPlan, plan_judge, plan_servers
from simsa.serving.proof import check_adapters, load_adapter, prove_adapters
from simsa.serving.server import VllmServer
from simsa.serving.templates import TemplateFinding

__all__ = [
    "Adapter",
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
