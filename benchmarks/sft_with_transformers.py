"""SFT with LoRA as one writes it with transformers and peft alone: a side of `benchmarks.training`.

`python -m benchmarks.sft_with_transformers SETTINGS.json`; see `sft_with_trl.py`. This is what the
service's own SFT stands on, so that nothing but the wrapping is between them.
"""

import json
import sys
from pathlib import Path

import peft
import transformers

from benchmarks.marks import Marks

transformers.utils.logging.disable_progress_bar()
given = json.loads(Path(sys.argv[1]).read_text())
transformers.set_seed(given["seed"])
tokenizer = transformers.AutoTokenizer.from_pretrained(given["model"])


def encoded(row: dict[str, str]) -> dict[str, list[int]]:
    prompt = [{"role": "user", "content": row["prompt"]}]
    answer = [{"role": "assistant", "content": row["completion"]}]
    asked = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template(prompt + answer, tokenize=False)
    start = len(tokenizer(asked)["input_ids"])
    ids = tokenizer(whole)["input_ids"][: given["max_length"]]
    return {"input_ids": ids, "labels": [-100] * start + ids[start:]}


rows = map(json.loads, Path(given["rows"]).read_text().splitlines())
model = transformers.AutoModelForCausalLM.from_pretrained(given["model"], dtype="float32")
lora = peft.LoraConfig(
    r=given["r"], lora_alpha=given["alpha"], target_modules="all-linear", task_type="CAUSAL_LM"
)
marks = Marks()
trainer = transformers.Trainer(
    callbacks=[marks],
    model=peft.get_peft_model(model, lora),
    processing_class=tokenizer,
    data_collator=transformers.DataCollatorForSeq2Seq(tokenizer),
    train_dataset=[encoded(row) for row in rows],
    args=transformers.TrainingArguments(
        output_dir=given["output"],
        max_steps=given["max_steps"],
        save_steps=given["save_steps"],
        per_device_train_batch_size=given["batch_size"],
        learning_rate=given["learning_rate"],
        seed=given["seed"],
        data_seed=given["seed"],
        logging_steps=1,
        use_cpu=True,
        dataloader_pin_memory=False,
        disable_tqdm=True,
        report_to="none",
    ),
)
trainer.train()
marks.tell(trainer.state)
