/** How long an item is looked at, and until when it is this person's. */

import { Unreachable, serverTime } from "../common/requests.js";
import { ask } from "./wire.js";

const SOONEST = 5000; // ms between two extensions of a lease

/** Seconds for which the page was visible. */
export class Stopwatch {
  #before = 0;
  #since = null;

  constructor() {
    document.addEventListener("visibilitychange", () => this.#turn());
  }

  /** Begin at `seconds`. */
  start(seconds) {
    this.#before = 1000 * seconds;
    this.#since = null;
    this.#turn();
  }

  seconds() {
    const running = this.#since === null ? 0 : performance.now() - this.#since;
    return Math.round((this.#before + running) / 100) / 10;
  }

  #turn() {
    this.#before = 1000 * this.seconds();
    this.#since = document.hidden ? null : performance.now();
  }
}

/** Keeps the lease of an item while the page is visible; calls `lost` with the error where the
 *  service refuses. */
export class Leases {
  #item = null;
  #timer = 0;

  constructor(lost) {
    this.lost = lost;
    document.addEventListener("visibilitychange", () => document.hidden || this.#extend());
  }

  /** Keep this item's lease and no other's; null: none. */
  watch(item) {
    clearTimeout(this.#timer);
    this.#item = item;
    if (item) this.#wait(item.lease_until);
  }

  #wait(until) {
    const half = (Date.parse(until) - serverTime()) / 2;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#extend(), Math.max(half, SOONEST));
  }

  async #extend() {
    const item = this.#item;
    if (!item || document.hidden) return; // it goes on when the page is seen again
    try {
      const { lease_until } = await ask("POST", "extend", { item: item.id });
      if (this.#item === item) this.#wait(lease_until);
    } catch (error) {
      if (this.#item !== item) return;
      if (error instanceof Unreachable) this.#wait(new Date(serverTime() + 4 * SOONEST));
      else this.lost(error);
    }
  }
}
