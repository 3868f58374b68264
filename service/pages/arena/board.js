/** The board below, as votes come in. */

import { element } from "../common/elements.js";
import { say, spoken } from "../common/language.js";

const SVG = "http://www.w3.org/2000/svg";
const NONE = "–";

/** A line of the board's text, and its table. */
export function boardOf(board) {
  const { votes, voters, prompts, level, connected } = board;
  if (votes === 0) return { about: say("board_none"), table: tableOf(board) };
  const about = say("board_about", votes, voters, prompts, 100 * level);
  return { about: connected ? about : `${about} ${say("board_apart")}`, table: tableOf(board) };
}

function tableOf({ models }) {
  const ends = models.flatMap((one) => one.interval ?? []);
  const scale = { low: Math.min(0, ...ends), high: Math.max(0, ...ends) };
  const heads = ["rank", "model", "strength", "win_rate", "votes"].map((name) =>
    element("th", { scope: "col", textContent: say(name) }),
  );
  const rows = models.map((one) => rowOf(one, scale));
  return element("table", {}, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows));
}

function rowOf(one, scale) {
  const name = element("th", { scope: "row", textContent: one.model, dir: "auto" });
  const strength = cell(number(one.strength, 2), range(one.interval, 2));
  if (one.interval) strength.append(plot(one.strength, one.interval, scale));
  const wins = cell(percent(one.win_rate), range(one.win_rate_interval?.map((end) => 100 * end), 0));
  const [best, worst] = one.rank_interval ?? [];
  const rank = cell(one.rank ?? NONE, best === worst ? "" : range([best, worst], 0));
  return element("tr", {}, rank, name, strength, wins, cell(one.votes));
}

function cell(text, beside = "") {
  const small = beside ? [" ", element("small", { textContent: beside })] : [];
  return element("td", {}, `${text}`, ...small);
}

const number = (value, digits) =>
  value == null
    ? NONE
    : value
        .toLocaleString(spoken(), { minimumFractionDigits: digits, maximumFractionDigits: digits })
        .replace("-", "−");

const percent = (share) => (share == null ? NONE : `${number(100 * share, 0)}%`);

const range = (ends, digits) => (ends ? `(${ends.map((end) => number(end, digits)).join(" … ")})` : "");

/** The interval as a line, the value as a mark on it, zero as a line across all rows. */
function plot(value, [low, high], scale) {
  const width = scale.high - scale.low || 1;
  const place = (at) => 2 + (96 * (at - scale.low)) / width;
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("viewBox", "0 0 100 10");
  drawing.setAttribute("preserveAspectRatio", "none");
  drawing.setAttribute("aria-hidden", "true");
  drawing.append(
    line("zero", place(0), 0, place(0), 10),
    line("range", place(low), 5, place(high), 5),
    line("value", place(value), 1, place(value), 9),
  );
  return drawing;
}

function line(name, x1, y1, x2, y2) {
  const made = document.createElementNS(SVG, "line");
  for (const [key, value] of Object.entries({ class: name, x1, y1, x2, y2 })) {
    made.setAttribute(key, value);
  }
  return made;
}
