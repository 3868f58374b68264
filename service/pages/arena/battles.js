/** A battle as it is seen: what was asked, and two answers side by side. */

import { element, pane } from "../common/elements.js";
import { say } from "../common/language.js";

const SIDES = ["a", "b"];

/** The turns of `battle`, and the one that is waited for: `asked` has its prompt. */
export function turns(battle, asked) {
  const all = [...(battle?.earlier ?? []), ...(battle ? [battle] : []), ...(asked ? [asked] : [])];
  return all.map((turn, place) => {
    const titled = (name) => (all.length > 1 ? `${name} (${place + 1})` : name);
    const answers = SIDES.map((side) => answer(titled(titleOf(side, battle)), turn[side], side, battle));
    const prompt = pane(titled(say("prompt")), turn.prompt);
    return element("div", { className: "turn" }, prompt, element("div", { className: "outputs" }, ...answers));
  });
}

/** "A", and after the vote whose it is. */
function titleOf(side, battle) {
  const letter = side.toUpperCase();
  return battle?.models ? `${letter}: ${battle.models[side]}` : letter;
}

function answer(title, text, side, battle) {
  const made = pane(title, text == null ? "…" : text || say("nothing"));
  made.classList.toggle("chosen", battle?.choice === side);
  made.ariaBusy = text == null;
  return made;
}

/** Whose the answers were, in a sentence. */
export const told = ({ choice, models }) => say(`told_${choice}`, models.a, models.b);
