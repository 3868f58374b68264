"""Makes the outputs that are shipped in `demo/data`; `editor.jsonl` alone was written by hand.

    python -m demo.outputs

smollm2-135m  greedy answers of builtin/smollm2-135m-instruct, through its chat template
lead-1        the first sentence of the text to be summarised
loop          its first four words, eight times over: what a model stuck in a loop writes
"""

from __future__ import annotations

from pathlib import Path

from demo.shipped import DATA, Record, read_records, write_outputs
from inference.pool import ModelPool
from inference.protocol import Generation

MODEL = "builtin/smollm2-135m-instruct"


def main() -> None:
    summaries, questions = read_records("summaries"), read_records("questions")
    write_outputs("lead-1", {"summaries": {one["id"]: lead(one) for one in summaries}})
    write_outputs("loop", {"summaries": {one["id"]: loop(one) for one in summaries}})
    model = ModelPool([], Path(".assay") / "models").language(MODEL)
    answered = {}
    for name, records, most in (("summaries", summaries, 64), ("questions", questions, 24)):
        texts = model.generate([one["prompt"] for one in records], Generation(most))
        outputs = (text.strip() for (text,) in texts)
        answered[name] = dict(zip((one["id"] for one in records), outputs, strict=True))
    write_outputs("smollm2-135m", answered)
    print(f"written to {DATA}")  # noqa: T201


def lead(record: Record) -> str:
    """The first sentence of the text below the instruction."""
    text: str = record["prompt"].partition("\n\n")[2]
    return text.partition(". ")[0].removesuffix(".") + "."


def loop(record: Record) -> str:
    return " ".join(8 * lead(record).split()[:4])


if __name__ == "__main__":
    main()
