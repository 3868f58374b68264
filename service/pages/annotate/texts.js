/** What is judged, and by what. */

import { element, pane } from "../common/elements.js";
import { say } from "../common/language.js";

/** What is judged: the prompt, the outputs side by side, and by what. */
export function texts(item) {
  const prompt = item.prompt ? [pane(say("prompt"), item.prompt)] : [];
  const criteria = item.form === "likert" ? [] : item.criteria.map(guidance); // asked one by one
  const outputs = item.form === "edit" ? [] : [sideBySide(item)]; // the output is in the editor
  return [...prompt, ...outputs, ...criteria];
}

function sideBySide(item) {
  const outputs = item.outputs ?? [item.a, item.b, item.output].filter((text) => text != null);
  const panes = outputs.map((text, place) =>
    pane(outputs.length > 1 ? letter(place).toUpperCase() : say("text"), text),
  );
  return element("div", { className: "outputs" }, ...panes);
}

/** A criterion that is not rated by itself. */
function guidance(criterion) {
  const name = element("b", { textContent: criterion.name, dir: "auto" });
  return element("div", { className: "criterion" }, name, ...explained(criterion));
}

/** What a criterion means, and what its ratings mean. */
export function explained({ description, anchors }) {
  const made = [];
  if (description) made.push(element("p", { textContent: description, dir: "auto" }));
  const meanings = Object.entries(anchors ?? {}).map(([value, meaning]) =>
    element("li", { dir: "auto" }, element("b", { textContent: value }), ` ${meaning}`),
  );
  if (meanings.length > 0) made.push(element("ul", { className: "anchors" }, ...meanings));
  return made;
}

/** What the output at a place is called: a, b, … */
export const letter = (place) => String.fromCharCode(97 + place);
