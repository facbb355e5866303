"""The demo model's GGUF file as a Hugging Face folder: `python -m simsa.demo.gguf_conversion GGUF OUT`.

A process of its own, because torch and transformers then leave nothing behind in the
process that asked: no memory, no threads, no log handlers.
"""

from __future__ import annotations

import sys
from pathlib import Path

CHAT_TEMPLATE = Path(__file__).with_name("chat_template.jinja")
END_OF_TURN = "<end_of_turn>"


def convert(gguf: Path, out: Path) -> None:
    """Writes weights (bfloat16 safetensors), tokenizer, chat template and generation settings to `out`."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    where = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    model = AutoModelForCausalLM.from_pretrained(
        **where, dtype="bfloat16", quantization_config=GgufConfig(dequantize=True)
    )
    tokenizer = AutoTokenizer.from_pretrained(**where)
    # The tokenizer that comes out of the file does not add <bos>, whatever its settings
    # say, and without it this model babbles: the template puts it there.
    tokenizer.chat_template = CHAT_TEMPLATE.read_text(encoding="utf-8")
    # A base model knows only <eos>; chat turns end with another token.
    model.generation_config.eos_token_id = [
        tokenizer.eos_token_id,
        tokenizer.convert_tokens_to_ids(END_OF_TURN),
    ]
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
