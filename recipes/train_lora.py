"""Fine-tunes a LoRA adapter for RAG on one machine; two CPU cores are enough for a small model.

    python recipes/train_lora.py --model MODEL_FOLDER --data train.jsonl --out adapters/

A row of the data is either a conversation (`messages`, of which the last is the answer) or
a question with passages (`question`, `search_result` or `contexts`, `answer` or
`reference`), which is then asked by `--prompt`. Evaluation must ask exactly as training
did: give `simsa run` the same prompt, and it compares the chat template that is saved
beside the adapter with the one that serves it.

Writes `OUT/early/` and `OUT/final/`, and a checkpoint from which the same command goes on
after an interruption. What is worth knowing about it:

- Only the answer is learnt: prompt tokens carry no loss.
- Logits are computed where the answer is and nowhere else. With a vocabulary of 262,144
  entries, all others would cost more than the rest of the model.
- On a CPU examples run one by one and their gradients add up to a batch: no padding is
  computed. A GPU wants many side by side: `--together 32`.
- The frozen weights and the activations are bfloat16, the adapter and its optimizer float32.
  A CPU without bfloat16 instructions (`avx512_bf16`, `amx_bf16` in lscpu) wants `--dtype float32`.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer

from simsa import prompts
from simsa.records import Passage, Question

CHECKPOINT = "checkpoint"


@dataclass(frozen=True, slots=True)
class Recipe:
    """The numbers that decide the result. The defaults are those of simsa's own demo adapters."""

    epochs: float = 1.0
    batch: int = 4
    lr: float = 2e-3
    warmup: float = 0.05
    """Share of the steps in which the learning rate rises; afterwards it falls to zero along a cosine."""
    rank: int = 8
    alpha: int = 16
    targets: tuple[str, ...] = ("q_proj", "v_proj")
    clip: float = 1.0
    seed: int = 0
    dtype: str = "bfloat16"
    together: int = 1
    """Examples that run side by side: 1 on a CPU, where padding costs more than it saves; 16 or more on a GPU."""
    early: float = 0.08
    """Share of the steps after which `early/` is saved."""


class Example(NamedTuple):
    """Tokens of a conversation; the answer begins at `start`."""

    ids: list[int]
    start: int


# Data


def conversation(row: dict[str, Any], prompt: prompts.Prompt) -> list[dict[str, str]]:
    """Chat messages that end with the answer to learn."""
    if "messages" in row:
        return list(row["messages"])
    passages = row["search_result"] if "search_result" in row else row["contexts"]
    answer = row["answer"] if "answer" in row else row["reference"]
    question = Question(
        id="",
        question=row["question"],
        contexts=tuple(
            Passage(p) if isinstance(p, str) else Passage(p["text"], title=p.get("title")) for p in passages
        ),
        type=row.get("type"),
    )
    asked = [message.to_json() for message in prompt.messages(question)]
    return [*asked, {"role": "assistant", "content": answer if isinstance(answer, str) else answer[0]}]


def encode(tokenizer: Any, messages: list[dict[str, str]]) -> Example:
    """Tokens as the chat template gives them, and where the answer begins."""
    asked = tokenizer.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template(messages, tokenize=False)
    if not whole.startswith(asked):
        raise SystemExit("the chat template renders a question differently once it is answered")
    # The template writes the special tokens itself; the tokenizer must not add them again.
    before = tokenizer(asked, add_special_tokens=False)["input_ids"]
    after = tokenizer(whole[len(asked) :], add_special_tokens=False)["input_ids"]
    return Example(before + after, len(before))


def read(path: Path, tokenizer: Any, prompt: prompts.Prompt) -> list[Example]:
    """All examples of a JSONL file."""
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    return [encode(tokenizer, conversation(row, prompt)) for row in rows]


# Training


def adapted(model: Any, recipe: Recipe, base_name: str) -> PeftModel:
    """The model with a fresh adapter: B is zero, so it starts as the base model."""
    torch.manual_seed(recipe.seed)
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        target_modules=list(recipe.targets),
        task_type="CAUSAL_LM",
    )
    wrapped = get_peft_model(model, config)
    # A name and not this machine's folder: an adapter travels.
    wrapped.peft_config["default"].base_model_name_or_path = base_name
    return wrapped


def answer_loss(model: PeftModel, *examples: Example) -> torch.Tensor:
    """Summed cross-entropy of the answers' tokens, in nats.

    Several examples run side by side, filled up at the end: what stands behind an answer
    cannot change it in a causal model.
    """
    causal = model.get_base_model()
    longest = max(len(example.ids) for example in examples)
    rows = [example.ids + [0] * (longest - len(example.ids)) for example in examples]
    ids = torch.tensor(rows, device=causal.device)
    hidden = causal.get_decoder()(input_ids=ids).last_hidden_state
    before = torch.cat([hidden[n, e.start - 1 : len(e.ids) - 1] for n, e in enumerate(examples)])
    after = torch.cat([ids[n, e.start : len(e.ids)] for n, e in enumerate(examples)])
    logits = causal.get_output_embeddings()(before).float()
    return cross_entropy(logits, after, reduction="sum")


def batches(n: int, recipe: Recipe) -> list[list[int]]:
    """Which examples each step takes: a new order every epoch, the same for the same seed."""
    steps = math.ceil(n * recipe.epochs / recipe.batch)
    order: list[int] = []
    epoch = 0
    while len(order) < steps * recipe.batch:
        order += random.Random(f"{recipe.seed}/{epoch}").sample(range(n), n)
        epoch += 1
    return [order[step * recipe.batch : (step + 1) * recipe.batch] for step in range(steps)]


def learning_rate(step: int, steps: int, recipe: Recipe) -> float:
    """Linear warm-up, then half a cosine down to zero."""
    warm = max(1, round(steps * recipe.warmup))
    if step < warm:
        return recipe.lr * (step + 1) / warm
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def train(
    model: PeftModel, tokenizer: Any, examples: Sequence[Example], out: Path, recipe: Recipe,
    checkpoint_every: int = 25, stop_at: int | None = None,
) -> None:  # fmt: skip
    """Trains from the beginning or from the checkpoint in `out`; `stop_at` ends after that many steps."""
    plan = batches(len(examples), recipe)
    early = max(1, round(len(plan) * recipe.early))
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=recipe.lr, weight_decay=0.0)
    first = restore(out / CHECKPOINT, model, optimizer)
    model.train()
    began, seen = time.monotonic(), 0
    for step in range(first, len(plan)):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, len(plan), recipe)
        batch = [examples[i] for i in plan[step]]
        loss = take_step(model, batch, optimizer, weights, recipe.clip, recipe.together)
        done = step + 1
        seen += sum(len(example.ids) for example in batch)
        if done % 10 == 0 or done == len(plan):
            speed = seen / (time.monotonic() - began)
            say(f"step {done}/{len(plan)}  loss {loss:.4f}  {speed:.0f} tokens/s")
        if done == early:
            save(model, tokenizer, out / "early")
        if done % checkpoint_every == 0 or done == stop_at:
            keep(out / CHECKPOINT, model, optimizer, done)
        if done == stop_at:
            return
    save(model, tokenizer, out / "final")
    shutil.rmtree(out / CHECKPOINT, ignore_errors=True)


def take_step(
    model: PeftModel, batch: Sequence[Example], optimizer: torch.optim.Optimizer,
    weights: Iterable[torch.Tensor], clip: float, together: int = 1,
) -> float:  # fmt: skip
    """One update; returns the mean loss of an answer token before it."""
    tokens = sum(len(example.ids) - example.start for example in batch)
    total = 0.0
    optimizer.zero_grad(set_to_none=True)
    for first in range(0, len(batch), together):
        loss = answer_loss(model, *batch[first : first + together]) / tokens
        loss.backward()
        total += loss.item()
    torch.nn.utils.clip_grad_norm_(weights, clip)
    optimizer.step()
    return total


# Files


def save(model: PeftModel, tokenizer: Any, folder: Path) -> None:
    """A PEFT folder: weights as bfloat16 safetensors, config, and the chat template of the training."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {k: v.to(torch.bfloat16) for k, v in weights_of(model).items()}
    save_file(state, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config = model.peft_config["default"]
    config.inference_mode = True
    config.save_pretrained(folder)
    config.inference_mode = False
    (folder / "chat_template.jinja").write_text(tokenizer.chat_template, encoding="utf-8")
    say(f"saved {folder}")


def keep(folder: Path, model: PeftModel, optimizer: torch.optim.Optimizer, step: int) -> None:
    """Everything needed to go on after `step`; an older checkpoint is replaced only by a whole one."""
    fresh = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    save_file(weights_of(model), fresh / "adapter.safetensors")
    torch.save({"optimizer": optimizer.state_dict(), "step": step}, fresh / "optimizer.pt")
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def weights_of(model: PeftModel) -> dict[str, torch.Tensor]:
    """The adapter's own matrices. Left to itself, PEFT asks the hub whether the vocabulary grew."""
    return {
        k: v.contiguous() for k, v in get_peft_model_state_dict(model, save_embedding_layers=False).items()
    }


def restore(folder: Path, model: PeftModel, optimizer: torch.optim.Optimizer) -> int:
    """Loads a checkpoint where there is one; returns the number of steps already done."""
    if not folder.is_dir():
        return 0
    set_peft_model_state_dict(model, load_file(folder / "adapter.safetensors"))
    state = torch.load(folder / "optimizer.pt", weights_only=True)
    optimizer.load_state_dict(state["optimizer"])
    say(f"going on after step {state['step']}")
    return int(state["step"])


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    usual = Recipe()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model", type=Path, required=True, help="a Hugging Face folder with a chat template"
    )
    parser.add_argument("--data", type=Path, required=True, help="JSONL of conversations or RAG rows")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--prompt", default="rag-ko", help="asks RAG rows: built in, or a Jinja file")
    parser.add_argument(
        "--base-name", help="what adapter_config.json calls the base model; default: MODEL's name"
    )
    parser.add_argument("--epochs", type=float, default=usual.epochs)
    parser.add_argument("--batch", type=int, default=usual.batch)
    parser.add_argument(
        "--together", type=int, default=usual.together, help="examples side by side; for GPUs"
    )
    parser.add_argument("--lr", type=float, default=usual.lr)
    parser.add_argument("--rank", type=int, default=usual.rank)
    parser.add_argument("--alpha", type=int, default=usual.alpha)
    parser.add_argument("--targets", nargs="+", default=list(usual.targets))
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), default=usual.dtype)
    parser.add_argument("--early", type=float, default=usual.early, help="share of the steps for early/")
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--checkpoint-every", type=int, default=25, metavar="STEPS")
    args = parser.parse_args()
    recipe = Recipe(
        epochs=args.epochs, batch=args.batch, together=args.together, lr=args.lr, rank=args.rank, alpha=args.alpha,
        targets=tuple(args.targets), dtype=args.dtype, early=args.early, seed=args.seed,
    )  # fmt: skip
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    examples = read(args.data, tokenizer, prompts.load(args.prompt))
    say(f"{len(examples)} examples, {sum(len(e.ids) for e in examples):,} tokens")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    base = AutoModelForCausalLM.from_pretrained(args.model, dtype=recipe.dtype).to(device)
    model = adapted(base, recipe, args.base_name or args.model.resolve().name)
    train(model, tokenizer, examples, args.out, recipe, args.checkpoint_every)


if __name__ == "__main__":
    main()
