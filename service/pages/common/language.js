/** The language that a page speaks. */

let words = { en: {} };
let language = "en";

/** What the page says, by language. `{0}`, `{1}` stand for values. */
export const learn = (given) => (words = given);

/** The language that is spoken. */
export const spoken = () => language;

/** Speak `code` from now on; what is not known is English. */
export function speak(code) {
  language = code in words ? code : "en";
  document.documentElement.lang = language;
  for (const marked of document.querySelectorAll("[data-word]")) {
    marked.textContent = say(marked.dataset.word);
  }
}

/** The text of `key` with its values; null where there is none. */
export function say(key, ...values) {
  return words[language][key]?.replace(/\{(\d)\}/g, (_, place) => values[place]) ?? null;
}

/** Why the service refused. */
export function refusal({ code, message }) {
  const kind = code.startsWith("voted_") ? "voted" : code; // otherwise, or already
  return say(`refused_${kind}`) ?? say("refused", message);
}
