/** The page of an arena: ask, read two answers, vote, see whose they were and what all votes say. */

import { element, keyHint, prose } from "../common/elements.js";
import { refusal, say, speak, spoken } from "../common/language.js";
import { Kept, Refused, Unreachable, send } from "../common/requests.js";
import { told, turns } from "./battles.js";
import { boardOf } from "./board.js";
import "./words.js";

const FIRST_PAUSE = 2000; // ms until the next try; doubled up to the last
const LAST_PAUSE = 60_000;
const BOARD_PAUSE = 5000; // ms between two looks at the board
const WAIT = { prefer: "wait=25" }; // s for which the service may hold an answer back
const KEYS = { 1: "a", 2: "b", 0: "tie", 9: "both_bad" };

const $ = (id) => document.getElementById(id);

const place = `arenas/${location.pathname.split("/").at(-1)}`;
const mine = new Kept(`assay.${place}`);
const device = new Kept("assay.annotate"); // one language on all pages

let arena = null;
let battle = null; // as the service has it
let outbox = mine.get("outbox"); // what is sent until it is answered: {path, key, body}
let busy = false;
let pause = FIRST_PAUSE;
let retry = 0;
let board = null;
let boardTimer = 0;
let said = ""; // what there is to say beside what the state says by itself
let drawn = ""; // which turns are shown: long texts that are read stay where they are

// What is shown

const isOpen = () => battle?.status === "open" && !outbox;
const isRunning = () => battle?.status === "running"; // another window asked
const isVote = () => outbox?.path.endsWith("/vote");

function show() {
  showTurns();
  $("status").textContent = said || stateInWords();
  $("votes").hidden = !isOpen();
  $("anew").hidden = !isOpen();
  $("again").hidden = busy || Boolean(arena && !outbox);
  $("send").disabled = $("send").hidden = Boolean(outbox) || isRunning();
  const step = isOpen() ? "on" : battle || outbox ? "next" : "first";
  $("asked").textContent = say(`ask_${step}`);
  $("send").textContent = say(step === "on" ? "send_on" : "send_first");
  $("hint").textContent = say(isOpen() ? "keys_open" : "keys");
}

function showTurns() {
  const asked = outbox && !isVote() ? outbox.body : null;
  const before = outbox?.path === "battles" ? null : battle;
  const now = JSON.stringify([before, asked, spoken()]);
  if (now === drawn) return;
  drawn = now;
  $("turns").replaceChildren(...turns(before, asked));
}

function stateInWords() {
  if ((outbox || !arena) && !busy) return say("waiting");
  if (outbox || isRunning()) return say(isVote() ? "voting" : "asking");
  if (battle?.status === "voted") return told(battle);
  return battle ? say("answered") : "";
}

function showBoard() {
  if (!board) return;
  const { about, table } = boardOf(board);
  $("board-about").textContent = about;
  $("board-rows").replaceChildren(table);
}

function showMissing() {
  clearTimeout(boardTimer);
  $("arena").hidden = true;
  $("notice").hidden = false;
  $("notice").focus();
}

function translate(language) {
  speak(language);
  $("instructions").querySelector(".prose").replaceChildren(...prose(say("how")));
  show();
  showBoard();
}

/** Where the keyboard goes on; on a phone its keyboard would hide what there is to read. */
function focusOn(id) {
  const typing = document.activeElement === $("prompt") && $("prompt").value;
  if (typing || (id === "prompt" && matchMedia("(pointer: coarse)").matches)) return;
  $(id).focus({ preventScroll: true });
}

// Requests

const random = () =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

function keep(entry) {
  outbox = entry;
  mine.set("outbox", entry);
}

/** Send `body` until it is answered: with the same key it is the same question, or vote. */
function post(path, body) {
  if (busy || outbox) return;
  said = "";
  keep({ path, body, key: random() });
  advance();
}

/** Send what is kept, or read what is not known yet. */
async function advance() {
  if (busy) return;
  busy = true;
  clearTimeout(retry);
  show();
  try {
    if (!arena) await begin();
    if (outbox) await deliver();
    else if (isRunning()) await read(battle.id);
    pause = FIRST_PAUSE;
  } catch (error) {
    await fail(error);
  } finally {
    busy = false;
    if (isRunning()) tryLater();
    show();
  }
}

async function begin() {
  arena = await send("GET", place);
  $("name").textContent = document.title = arena.name;
  translate(device.get("language") ?? arena.language);
  const kept = mine.get("battle");
  if (kept) await read(kept);
  if (!battle && !outbox) focusOn("prompt");
  lookAtBoard();
}

async function read(id) {
  try {
    battle = await send("GET", `${place}/battles/${id}`);
    if (battle.status === "failed") remember(null);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    remember(null);
  }
}

function remember(next) {
  battle = next;
  mine.set("battle", next?.id ?? null);
}

async function deliver() {
  const { path, body, key } = outbox;
  const answered = await send("POST", `${place}/${path}`, body, { ...WAIT, "idempotency-key": key });
  const voted = isVote();
  keep(null);
  remember(answered);
  show();
  if (voted) lookAtBoard();
  focusOn(voted ? "prompt" : "turns");
  if (!voted) $("turns").lastElementChild.scrollIntoView({ block: "nearest" });
}

/** What is refused is over; what is not answered is sent again. */
async function fail(error) {
  if (error instanceof Unreachable) return tryLater();
  if (!(error instanceof Refused)) throw error;
  if (error.code === "arena_not_found") return showMissing();
  said = refusal(error);
  const prompt = outbox?.body.prompt;
  keep(null);
  if (prompt && !$("prompt").value) write(prompt);
  if (battle) await read(battle.id).catch(() => {});
}

function tryLater() {
  clearTimeout(retry);
  retry = setTimeout(advance, pause);
  pause = Math.min(2 * pause, LAST_PAUSE);
}

async function lookAtBoard() {
  clearTimeout(boardTimer);
  try {
    const now = document.hidden ? board : await send("GET", `${place}/board`);
    if (now?.votes !== board?.votes) {
      board = now;
      showBoard();
    }
  } catch (error) {
    if (error.code === "arena_not_found") return showMissing();
  }
  clearTimeout(boardTimer);
  boardTimer = setTimeout(lookAtBoard, BOARD_PAUSE);
}

// What people do

function write(text) {
  $("prompt").value = text;
  mine.set("draft", text);
}

function ask() {
  const prompt = $("prompt").value;
  if (!prompt.trim()) return $("prompt").focus();
  if (busy || outbox || isRunning()) return;
  write("");
  $("instructions").open = false;
  post(isOpen() ? `battles/${battle.id}/turns` : "battles", { prompt });
}

function vote(choice) {
  if (!isOpen()) return;
  let voter = mine.get("voter");
  if (!voter) mine.set("voter", (voter = random()));
  post(`battles/${battle.id}/vote`, { choice, voter });
}

function anew() {
  if (!isOpen()) return;
  said = "";
  remember(null);
  show();
  $("prompt").focus();
}

const letterOf = ({ key, code }) =>
  /^[a-z]$/i.test(key) ? key.toLowerCase() : code.replace(/^Key/, "").toLowerCase(); // cyrillic

/** What a key does here, or nothing. */
function actionOf(event) {
  const { key, target } = event;
  if (target === $("prompt")) {
    if (key === "Escape") return () => $("turns").focus();
    const sends = key === "Enter" && !event.shiftKey && !event.isComposing;
    return sends && !matchMedia("(pointer: coarse)").matches ? ask : null;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || !isOpen()) return null;
  if (letterOf(event) === "g") return () => $("prompt").focus();
  if (letterOf(event) === "n") return anew;
  const digit = key.match(/^\d$/)?.[0] ?? event.code.match(/^(?:Digit|Numpad)(\d)$/)?.[1];
  return digit in KEYS ? () => vote(KEYS[digit]) : null;
}

document.addEventListener("keydown", (event) => {
  const action = event.repeat ? null : actionOf(event);
  if (!action) return;
  event.preventDefault();
  action();
});

for (const [key, choice] of [["1", "a"], ["0", "tie"], ["9", "both_bad"], ["2", "b"]]) {
  const text = element("span");
  text.dataset.word = `vote_${choice}`;
  const button = element("button", { type: "button", onclick: () => vote(choice) }, text, keyHint(key));
  $("choices").append(button);
}
$("ask").onsubmit = (event) => {
  event.preventDefault();
  ask();
};
$("prompt").oninput = () => mine.set("draft", $("prompt").value);
$("anew").onclick = anew;
$("again").onclick = advance;
$("language").onclick = () => {
  const language = spoken() === "en" ? "ru" : "en";
  device.set("language", language);
  translate(language);
};
window.addEventListener("online", advance);
document.addEventListener("visibilitychange", () => arena && lookAtBoard());

translate(device.get("language") ?? navigator.language.slice(0, 2));
$("instructions").open = !mine.get("battle");
$("prompt").value = mine.get("draft", "");
advance();
