/** Texts on the page. Those of models and of people are only ever set as text, never as HTML. */

import { say } from "./words.js";

/** An element with its properties and children. */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

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

/** The key that does the same; the line below the questions says it to those who do not see. */
export function keyHint(key) {
  const hint = element("kbd", { textContent: key });
  hint.setAttribute("aria-hidden", "true");
  return hint;
}

/** A text that scrolls where it is long; the keyboard reaches it. */
function pane(title, text) {
  const body = element("div", { className: "text", dir: "auto", tabIndex: 0, textContent: text });
  body.setAttribute("role", "region");
  body.setAttribute("aria-label", title);
  return element("section", { className: "pane" }, element("h2", { textContent: title }), body);
}

/** Paragraphs, headings, lists and bold words of Markdown as elements; all else as it is. */
export function prose(markdown) {
  const blocks = [];
  for (const line of markdown.split("\n")) {
    const [, indent, mark, text] = line.match(/^(\s*)(#+ |[-*] |\d+[.)] )?(.*)$/);
    const last = blocks.at(-1);
    if (!text) blocks.push(null);
    else if (mark?.startsWith("#")) blocks.push(element("h2", {}, ...bold(text)));
    else if (mark) {
      const list = /^[OU]L$/.test(last?.tagName) ? last : element(/\d/.test(mark) ? "ol" : "ul");
      list.append(element("li", { className: indent && "inner" }, ...bold(text)));
      if (list !== last) blocks.push(list);
    } else if (last && last.tagName !== "H2") (last.lastElementChild?.closest("li") ?? last).append(" ", ...bold(text));
    else blocks.push(element("p", {}, ...bold(text)));
  }
  const shown = blocks.filter(Boolean);
  for (const block of shown) block.dir = "auto";
  return shown;
}

const bold = (text) =>
  text
    .split(/\*\*(.+?)\*\*/)
    .map((part, place) => (place % 2 ? element("strong", { textContent: part }) : part));
