/** Requests, and what this device keeps until the service has it. */

const PATIENCE = 30_000; // ms until a request counts as lost
const DRAFTS = 20; // unfinished answers that are kept

/** The service cannot be reached, or asks to be asked again later. */
export class Unreachable extends Error {}

/** The service has answered that it will not: `status`, `code` and `message` say why. */
export class Refused extends Error {
  constructor(status, error) {
    super(error.message);
    this.status = status;
    this.code = error.code;
  }

  /** Whether nothing goes on with this token. */
  get locksOut() {
    return this.status === 401;
  }
}

/** Values by name in this browser; in memory alone where the browser keeps nothing. */
class Kept {
  #memory = new Map();

  constructor(storage, prefix = "assay.annotate") {
    this.storage = storage;
    this.prefix = prefix;
  }

  get(name, otherwise = null) {
    const key = `${this.prefix}.${name}`;
    try {
      return JSON.parse(this.#memory.get(key) ?? this.storage().getItem(key)) ?? otherwise;
    } catch {
      return otherwise;
    }
  }

  set(name, value) {
    const key = `${this.prefix}.${name}`;
    const text = JSON.stringify(value);
    try {
      this.storage().setItem(key, text);
      this.#memory.delete(key);
    } catch {
      this.#memory.set(key, text); // a full disk or a private window
    }
  }
}

const tab = new Kept(() => sessionStorage);
export const device = new Kept(() => localStorage);

/** Of the address, which then loses it, of this tab before, or the device's last. */
function token() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    tab.set("token", given);
    device.set("token", given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return given ?? tab.get("token") ?? device.get("token");
}

export const credential = token();
// each link has answers and drafts of its own
export const mine = new Kept(() => localStorage, `assay.annotate.${credential}`);

let ahead = 0; // ms by which the service's clock is ahead of ours

/** What the service's clock says, in ms. */
export const serverTime = () => Date.now() + ahead;

/** What the service answers; raises `Unreachable` or `Refused`. */
export async function ask(method, path, body) {
  let answer, content;
  try {
    answer = await fetch(`v1/annotate/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${credential}`,
        ...(body && { "content-type": "application/json" }),
      },
      body: body && JSON.stringify(body),
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE),
    });
    content = await answer.json();
    ahead = (Date.parse(answer.headers.get("date")) || serverTime()) - Date.now();
  } catch (error) {
    throw new Unreachable(error.message);
  }
  if (answer.ok) return content;
  const error = content.error ?? { code: "", message: answer.statusText };
  if (answer.status >= 500 || [408, 429].includes(answer.status)) {
    throw new Unreachable(error.message);
  }
  throw new Refused(answer.status, error);
}

/** Unfinished answers, by item. */
export const drafts = {
  of: (item) => mine.get("drafts", []).find((draft) => draft.item === item),
  keep(draft) {
    const others = mine.get("drafts", []).filter((other) => other.item !== draft.item);
    mine.set("drafts", [...others, draft].slice(-DRAFTS));
  },
  drop(item) {
    mine.set("drafts", mine.get("drafts", []).filter((draft) => draft.item !== item));
  },
};

/** Votes and skips that the service does not have yet, the oldest first. */
export const outbox = {
  all: () => mine.get("outbox", []),
  add: (entry) => mine.set("outbox", [...outbox.all(), entry]),
  remove(entry) {
    mine.set("outbox", outbox.all().filter((other) => other.body.item !== entry.body.item));
  },

  /** Send all; the service takes a vote that it has already as the same. Calls `lost` with each
   *  that is refused, of which a draft is left. */
  async send(lost) {
    for (const entry of outbox.all()) {
      try {
        await ask("POST", entry.path, entry.body);
        drafts.drop(entry.body.item);
      } catch (error) {
        if (!(error instanceof Refused) || error.locksOut) throw error;
        if (entry.path === "votes") lost(error); // a skip of what one no longer has is done
      }
      outbox.remove(entry);
    }
  },
};
