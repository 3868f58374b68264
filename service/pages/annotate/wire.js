/** What this device keeps until the service has it. */

import { Kept, Refused, send } from "../common/requests.js";

const DRAFTS = 20; // unfinished answers that are kept

const tab = new Kept("assay.annotate", () => sessionStorage);
export const device = new Kept("assay.annotate");

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
export const mine = new Kept(`assay.annotate.${credential}`);

/** What the service answers; raises `Unreachable` or `Refused`. */
export const ask = (method, path, body) =>
  send(method, `annotate/${path}`, body, { authorization: `Bearer ${credential}` });

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
