/** Requests, and what a browser keeps. */

const PATIENCE = 30_000; // ms until a request counts as lost
const ROOT = new URL("../v1/", import.meta.url);

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
export class Kept {
  #memory = new Map();

  constructor(prefix, storage = () => localStorage) {
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

let ahead = 0; // ms by which the service's clock is ahead of ours

/** What the service's clock says, in ms. */
export const serverTime = () => Date.now() + ahead;

/** What the service answers; raises `Unreachable` or `Refused`. */
export async function send(method, path, body, headers = {}) {
  let answer, content;
  try {
    answer = await fetch(new URL(path, ROOT), {
      method,
      headers: body ? { ...headers, "content-type": "application/json" } : headers,
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
