"""Think, act, observe: what the model is told, and what of its text is which."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from inference.protocols.answers import without_thoughts
from inference.protocols.calculator import Unreadable, calculated

OBSERVATION = "\nObservation:"  # where the model has to stop
LONGEST_OBSERVED = 4000  # characters
ABOUT = {
    "calculator": "calculator[expression]: the value of an arithmetic expression, as (3 + 4) * 2",
    "search": "search[words]: texts in which these words occur",
}
FINAL = re.compile(r"final answer\s*:\s*(.*)", re.IGNORECASE | re.DOTALL)
ACTION = re.compile(
    r"^[ \t*]*action\s*:[ \t*]*([a-z_]+)\s*(?:\[(.*)\]|\((.*)\))", re.IGNORECASE | re.MULTILINE
)
FORM = "write one line `Action: tool[input]`, or `Final Answer: …`"


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of the model: an action, a final answer, or neither."""

    text: str
    thought: str
    action: str | None = None
    input: str = ""
    final: str | None = None


def instructions(tools: Sequence[str]) -> str:
    """What the model is told before the question."""
    listed = "\n".join(ABOUT[name] for name in tools)
    return (
        "Answer the question step by step. In each step write\n\n"
        "Thought: what you know and what is missing\n"
        "Action: tool[input]\n\n"
        "and wait: what the tool finds comes as the next message. The tools are\n\n"
        f"{listed}\n\n"
        "When you know the answer, write\n\n"
        "Final Answer: the answer alone"
    )


def parsed(text: str) -> Step:
    """What the model wrote, up to an observation of its own invention; of an action and a final
    answer, the first."""
    text = (without_thoughts(text) or "").partition(OBSERVATION)[0]
    action, final = ACTION.search(text), FINAL.search(text)
    if action is not None and (final is None or action.start() < final.start()):
        thought, said = _thought(text[: action.start()]), text[: action.end()]
        given = action[2] if action[2] is not None else action[3]
        return Step(said, thought, action[1].casefold(), given.strip())
    if final is not None:
        return Step(text, _thought(text[: final.start()]), final=final[1].strip(" *\n"))
    return Step(text, _thought(text))


def observed(step: Step, tools: Mapping[str, Callable[[str], str]]) -> str:
    """The message that follows a step."""
    if step.action is None:
        said = f"no action was found: {FORM}"
    elif step.action not in tools:
        said = f"there is no tool {step.action[:50]!r}: there are {', '.join(tools)}"
    else:
        said = tools[step.action](step.input)
    return f"Observation: {said[:LONGEST_OBSERVED]}"


def told(step: Step, observation: str) -> dict[str, str]:
    """The step as it is stored."""
    found = {"thought": step.thought}
    if step.action is not None:
        found |= {"action": step.action, "input": step.input}
    return found | {"observation": observation.removeprefix("Observation: ")}


def calculator(expression: str) -> str:
    """What the calculator observes."""
    try:
        return calculated(expression)
    except Unreadable as error:
        return f"cannot be calculated: {error}"


def _thought(text: str) -> str:
    return re.sub(r"^\s*thought\s*:\s*", "", text, flags=re.IGNORECASE).strip()
