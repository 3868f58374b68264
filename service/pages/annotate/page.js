/** The page on which people annotate: one item after the other, nothing lost on the way. */

import { element, keyHint, prose } from "../common/elements.js";
import { refusal, say, speak, spoken } from "../common/language.js";
import { Refused, Unreachable } from "../common/requests.js";
import "./words.js";
import { Sheet, draftOf } from "./questions.js";
import { texts } from "./texts.js";
import { Leases, Stopwatch } from "./timing.js";
import { ask, credential, device, drafts, mine, outbox } from "./wire.js";

const FIRST_PAUSE = 2000; // ms until the next try; doubled up to the last
const LAST_PAUSE = 60_000;
const SKIPS = ["unclear", "unable", "broken", "offensive"]; // why, as the service is told
const PAIR_KEYS = { ArrowLeft: "1", ArrowRight: "2", ArrowDown: "0" };

const $ = (id) => document.getElementById(id);

const watch = new Stopwatch();
const leases = new Leases(moveOn);
const sheet = new Sheet($("questions"), keepDraft);

let task = mine.get("task"); // what is asked of this person
let isRead = false; // `task` is of now, not of another day
let progress = { done: 0, remaining: 0 };
let item = null; // what is judged now
let draw = () => {}; // what is shown, in the language that is spoken
let busy = false; // with a request that no other may pass
let pause = FIRST_PAUSE;
let retry = 0;

// What is shown

function tell(text) {
  $("status").textContent = text;
}

function showTask() {
  $("name").textContent = document.title = task.name;
  $("instructions").hidden = false;
  $("instructions").querySelector(".prose").replaceChildren(...prose(task.instructions));
}

function showProgress() {
  const { done, remaining } = progress;
  const whole = done + remaining;
  $("progress").hidden = whole === 0;
  $("bar").max = whole;
  $("bar").value = done;
  $("count").textContent = say("count", done, whole);
}

function show(next) {
  progress = next;
  showProgress();
  const back = next.done > 0;
  if (next.item) showItem(next.item, next.previous);
  else if (next.completion_code) showNotice("end", { code: next.completion_code, back });
  else showNotice("wait", { again: true, back });
}

function showItem(next, previous) {
  item = next;
  const draft = drafts.of(item.id) ?? draftOf(previous ?? {});
  $("comment").value = draft.comment;
  sheet.answers = draft.answers;
  draw = () => {
    $("texts").replaceChildren(...texts(item));
    sheet.show(item, sheet.answers);
    $("hint").textContent = say(`keys_${item.form}`) ?? say("keys");
  };
  draw();
  watch.start(draft.seconds);
  leases.watch(item);
  $("notice").hidden = true;
  $("item").hidden = $("item").inert = false;
  $("item").className = item.form;
  window.scrollTo(0, 0);
  $("texts").focus({ preventScroll: true });
}

/** What there is to say in place of an item: a title and a text of `kind`. */
function showNotice(kind, { code = null, again = false, back = false, more = () => "" } = {}) {
  item = null;
  leases.watch(null);
  draw = () => {
    $("notice-title").textContent = say(`${kind}_title`);
    $("notice-text").textContent = `${say(kind)} ${more()}`;
  };
  draw();
  tell("");
  $("code").textContent = code;
  $("completion").hidden = code === null;
  $("again").hidden = !again;
  $("back").hidden = !back;
  $("item").hidden = true;
  $("notice").hidden = false;
  $("notice").focus();
}

function showLocked() {
  const unsent = outbox.all().length;
  showNotice("locked", { more: () => (unsent ? say("unsent", unsent) : "") });
}

// Answers

function keepDraft() {
  const comment = $("comment").value;
  if (!item || (!comment && Object.keys(sheet.answers).length === 0)) return;
  drafts.keep({ item: item.id, answers: sheet.answers, comment, seconds: watch.seconds() });
}

function vote() {
  if (busy || !item) return;
  const missing = sheet.missing();
  if (missing) {
    tell(say("unanswered", missing.title));
    sheet.focus(missing);
    return;
  }
  const comment = $("comment").value.trim() || null;
  leave("votes", { item: item.id, ...sheet.vote(), comment, seconds: watch.seconds() });
  $("instructions").open = false;
  mine.set("begun", true);
}

/** Be done with the item: keep what is to be sent, and go on. */
function leave(path, body) {
  if (busy || !item) return;
  keepDraft();
  outbox.add({ path, body });
  advance();
}

// Requests, one at a time

async function attempt(work) {
  if (busy) return;
  busy = true;
  clearTimeout(retry);
  $("reasons").close(); // of the item that was there
  $("item").inert = true;
  tell(item ? "" : "…");
  try {
    await work();
    pause = FIRST_PAUSE;
  } catch (error) {
    fail(error);
  } finally {
    busy = false;
    $("item").inert = false;
  }
}

function fail(error) {
  if (error instanceof Unreachable) tryLater();
  else if (!(error instanceof Refused)) throw error;
  else if (error.locksOut) showLocked();
  else tell(refusal(error));
}

/** Send what is kept, then show what is to be judged now, and say why it is another. */
function advance(said = "") {
  return attempt(async () => {
    await outbox.send((error) => (said = refusal(error)));
    if (!isRead) await readTask();
    show(await ask("POST", "next"));
    tell(said);
  });
}

async function readTask() {
  mine.set("task", (task = await ask("GET", "project")));
  isRead = true;
  translate(device.get("language") ?? task.language);
  showTask();
}

function undo() {
  keepDraft();
  return attempt(async () => {
    let said = say("undone");
    await outbox.send((error) => (said = refusal(error)));
    show(await ask("POST", "undo"));
    tell(said);
  });
}

/** Nothing is asked again by itself while an item is there whose answer is not given. */
function tryLater() {
  const unsent = outbox.all().length > 0;
  if (item && !unsent) {
    tell(say("no_connection"));
    return;
  }
  showNotice("offline", { again: true, more: () => (unsent ? say("kept") : "") });
  retry = setTimeout(advance, pause);
  pause = Math.min(2 * pause, LAST_PAUSE);
}

/** The lease is gone: another may have the item. The answer so far stays as a draft. */
function moveOn(error) {
  keepDraft();
  return error.locksOut ? showLocked() : advance(refusal(error));
}

// Keys

const letterOf = ({ key, code }) =>
  /^[a-z]$/i.test(key) ? key.toLowerCase() : code.replace(/^Key/, "").toLowerCase(); // cyrillic

/** What a key does here, or nothing. */
function actionOf(event) {
  const { key, target } = event;
  const typing = target.matches("textarea, input:not([type=radio])");
  if (key === "Enter") {
    const own = target.matches("textarea, button, summary") && !(event.ctrlKey || event.metaKey);
    return own ? null : () => (item ? vote() : advance());
  }
  if (key === "Escape" && typing) return () => $("send").focus();
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return null;
  if (letterOf(event) === "u") return undo;
  if (!item) return null;
  if (letterOf(event) === "s") return () => $("reasons").showModal();
  const arrow = item.form === "pairwise" && !target.matches(".text") && PAIR_KEYS[key];
  const digit = arrow || key.match(/^\d$/)?.[0] || event.code.match(/^Digit(\d)$/)?.[1];
  return digit ? () => press(digit) : null;
}

function press(digit) {
  if (busy || !sheet.press(digit)) return;
  const missing = sheet.missing();
  if (missing) sheet.focus(missing);
  else $("send").focus({ preventScroll: true }); // it is in sight
}

document.addEventListener("keydown", (event) => {
  if (!credential || event.repeat) return;
  const action = actionOf(event);
  if (!action) return;
  event.preventDefault();
  action();
});

// Buttons

function translate(language) {
  speak(language);
  showProgress();
  draw();
}

$("language").onclick = () => {
  const language = spoken() === "en" ? "ru" : "en";
  device.set("language", language);
  translate(language);
};
$("item").onsubmit = (event) => {
  event.preventDefault();
  vote();
};
$("comment").oninput = keepDraft;
$("undo").onclick = $("back").onclick = undo;
$("again").onclick = () => advance();
$("copy").hidden = !navigator.clipboard; // there over HTTPS alone
$("copy").onclick = async () => {
  await navigator.clipboard.writeText($("code").textContent);
  tell(say("copied"));
};

$("skip").onclick = () => $("reasons").showModal();
for (const [place, reason] of SKIPS.entries()) {
  const text = element("span");
  text.dataset.word = `skip_${reason}`;
  const button = element("button", { type: "button" }, text, keyHint(`${place + 1}`));
  button.onclick = () => $("reasons").close(reason);
  $("reason-list").append(button);
}
$("reasons").onkeydown = (event) => {
  event.stopPropagation(); // a digit is a reason here, no answer
  if (event.target !== $("reason")) $("reason-list").children[event.key - 1]?.click();
};
$("cancel").onclick = () => $("reasons").close("");
$("reasons").onclose = () => {
  const { returnValue } = $("reasons");
  const reason = returnValue === "other" ? $("reason").value.trim() || "other" : returnValue;
  $("reasons").returnValue = $("reason").value = "";
  if (reason) leave("skip", { item: item.id, reason });
};

// The page itself

window.addEventListener("pagehide", keepDraft);
window.addEventListener("online", () => item || advance());
window.addEventListener("hashchange", () => location.reload()); // another link was opened here

speak(device.get("language") ?? task?.language ?? navigator.language.slice(0, 2));
$("instructions").open = !mine.get("begun");
if (task) showTask();
if (credential) advance();
else showNotice("no_token");
