"""SFT with LoRA as one writes it with TRL alone: a side of `benchmarks.training`.

`python -m benchmarks.sft_with_trl SETTINGS.json`; knows nothing of ours. What it prints last is one
line of JSON, from `Marks`.
"""

import json
import sys
from pathlib import Path

import transformers
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

from benchmarks.marks import Marks

transformers.utils.logging.disable_progress_bar()
given = json.loads(Path(sys.argv[1]).read_text())
rows = [
    {
        "prompt": [{"role": "user", "content": row["prompt"]}],
        "completion": [{"role": "assistant", "content": row["completion"]}],
    }
    for row in map(json.loads, Path(given["rows"]).read_text().splitlines())
]
marks = Marks()
trainer = SFTTrainer(
    callbacks=[marks],
    model=AutoModelForCausalLM.from_pretrained(given["model"], dtype="float32"),
    processing_class=AutoTokenizer.from_pretrained(given["model"]),
    train_dataset=Dataset.from_list(rows),
    peft_config=LoraConfig(
        r=given["r"], lora_alpha=given["alpha"], target_modules="all-linear", task_type="CAUSAL_LM"
    ),
    args=SFTConfig(
        output_dir=given["output"],
        max_steps=given["max_steps"],
        save_steps=given["save_steps"],
        per_device_train_batch_size=given["batch_size"],
        learning_rate=given["learning_rate"],
        max_length=given["max_length"],
        seed=given["seed"],
        data_seed=given["seed"],
        logging_steps=1,
        gradient_checkpointing=False,
        bf16=False,
        use_cpu=True,
        dataloader_pin_memory=False,
        disable_tqdm=True,
        report_to="none",
    ),
)
trainer.train()
marks.tell(trainer.state)
