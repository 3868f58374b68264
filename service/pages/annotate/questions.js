/** What is asked about an item: each form is a few questions, each with one answer. */

import { element, keyHint } from "../common/elements.js";
import { say } from "../common/language.js";
import { explained, letter } from "./texts.js";

const MOST_BUTTONS = 11; // a longer scale is a number to type

/** A question: its `name` and `title`, and `options` ({value, text, key}), a `range` to type a
 *  number of, or a `text` to edit. */
const FORMS = {
  pairwise: (item) => [{ name: "choice", title: say("choice"), options: sides(item) }],
  likert: (item) => item.criteria.map(rating),
  best_worst: (item) =>
    ["best", "worst"].map((name) => ({
      name,
      title: say(name),
      options: item.outputs.map((_, place) => ({
        value: letter(place),
        text: letter(place).toUpperCase(),
        key: `${place + 1}`,
      })),
    })),
  label: (item) => [
    {
      name: "label",
      title: say("label"),
      options: item.labels.map((label, place) => ({ value: label, text: label, key: `${place + 1}` })),
    },
  ],
  edit: (item) => [{ name: "text", title: say("edit"), text: item.output }],
};

function sides(item) {
  const tie = { value: "tie", text: say("tie"), key: "0" };
  const [a, b] = ["a", "b"].map((value, place) => ({
    value,
    text: say(`better_${value}`),
    key: `${place + 1}`,
  }));
  return item.ties ? [a, tie, b] : [a, b];
}

function rating(criterion) {
  const { name, description, anchors } = criterion;
  const [low, high] = criterion.scale;
  const question = { name, title: name, description, anchors };
  if (high - low >= MOST_BUTTONS) return { ...question, range: [low, high] };
  const values = Array.from({ length: high - low + 1 }, (_, place) => low + place);
  const digits = low >= 0 && high <= 10; // a value is its own key, except for 10
  const options = values.map((value, place) => ({
    value,
    text: `${value}`,
    key: `${digits ? value : place + 1}`,
  }));
  return { ...question, options };
}

/** A vote that was taken back, as a draft. */
export function draftOf({ comment, seconds, ratings, choice, best, worst, label, text }) {
  const given = Object.entries(ratings ?? { choice, best, worst, label, text });
  const answers = Object.fromEntries(given.filter(([, value]) => value != null));
  return { answers, comment: comment ?? "", seconds: seconds ?? 0 };
}

/** The questions about one item on the page, and their answers so far. */
export class Sheet {
  #box;
  #changed;
  #item = null;
  #questions = [];
  answers = {};

  /** Questions are shown in `box`; `changed` is called after each answer. */
  constructor(box, changed) {
    this.#box = box;
    this.#changed = changed;
    box.addEventListener("focusin", () => this.#mark());
  }

  /** Ask about `item`, with what was answered before. */
  show(item, answers) {
    this.#item = item;
    this.answers = Object.assign(Object.create(null), answers); // names may be anything
    this.#questions = FORMS[item.form](item);
    this.#box.replaceChildren(...this.#questions.map((question) => this.#asked(question)));
    this.#mark();
  }

  /** The first question without an answer; a text may stay as it is, and may not be empty. */
  missing() {
    return this.#questions.find(({ name, text }) =>
      text === undefined ? !(name in this.answers) : !(this.answers[name] ?? text).trim(),
    );
  }

  /** The answers as the service wants them. */
  vote() {
    if (this.#item.form === "likert") return { ratings: this.answers };
    return this.#item.form === "edit" ? { text: this.#item.output, ...this.answers } : this.answers;
  }

  /** Answer the active question by its key; returns whether that was one. */
  press(key) {
    const question = this.#active();
    const place = question?.options?.findIndex((option) => option.key === key) ?? -1;
    if (place < 0) return false;
    this.#inputs(question)[place].checked = true;
    this.#answer(question, question.options[place].value);
    return true;
  }

  /** Put the focus on a question's answer, or the first of its buttons. */
  focus(question) {
    const inputs = [...this.#inputs(question)];
    (inputs.find((input) => input.checked) ?? inputs[0]).focus();
  }

  #answer(question, value) {
    if (value === null) delete this.answers[question.name];
    else this.answers[question.name] = value;
    if (this.#item.form === "best_worst") this.#keepApart(question.name);
    this.#mark();
    this.#changed();
  }

  /** No output is both the best and the worst. */
  #keepApart(name) {
    const other = name === "best" ? "worst" : "best";
    if (this.answers[other] !== this.answers[name]) return;
    delete this.answers[other];
    for (const input of this.#inputs({ name: other })) input.checked = false;
  }

  /** The question that keys answer: where the focus is, else the first without an answer. */
  #active() {
    const name = document.activeElement?.closest("fieldset")?.dataset.name;
    const focused = this.#questions.find((question) => question.name === name);
    return focused ?? this.missing() ?? this.#questions.at(-1);
  }

  #mark() {
    const active = this.#active();
    for (const box of this.#box.children) {
      box.classList.toggle("active", box.dataset.name === active?.name);
    }
  }

  #inputs({ name }) {
    const box = [...this.#box.children].find((child) => child.dataset.name === name);
    return box.querySelectorAll("input, textarea");
  }

  #asked(question) {
    const legend = element("legend", { textContent: question.title, dir: "auto" });
    const answer = question.options
      ? this.#buttons(question)
      : this.#field(question, question.range ? "input" : "textarea");
    const box = element("fieldset", {}, legend, ...explained(question), answer);
    box.dataset.name = question.name;
    return box;
  }

  #buttons(question) {
    const row = element("div", { className: "choices" });
    for (const { value, text, key } of question.options) {
      const radio = element("input", {
        type: "radio",
        name: question.name,
        checked: value === this.answers[question.name],
        onchange: () => this.#answer(question, value),
      });
      const label = element("label", {}, radio, element("span", { textContent: text, dir: "auto" }));
      if (key !== text && key.length === 1) label.append(keyHint(key));
      row.append(label);
    }
    return row;
  }

  /** A number to type, or a text to edit. */
  #field(question, tag) {
    const { name, title, range, text } = question;
    const field = element(tag, { name, dir: "auto", value: this.answers[name] ?? text ?? "" });
    field.setAttribute("aria-label", title);
    if (range) {
      const [min, max] = range;
      Object.assign(field, { type: "number", min, max, step: 1, placeholder: say("scale", ...range) });
    }
    const typed = () => (field.value !== "" && field.validity.valid ? field.valueAsNumber : null);
    field.oninput = () => this.#answer(question, range ? typed() : field.value);
    return field;
  }
}
