/**
 * The tabs of one browser, for one user: who holds the lock leads, and the others hear what it
 * tells. A leader that closes gives the lock up; from one that sleeps it is taken.
 */

const LOOK = 1300;
const PATIENCE = 3;
const ASK = "ask";

/**
 * `answer`: what a leader says to a tab that asks; `joined`: there is a leader.
 * @typedef {{
 *   lead: () => void,
 *   follow: () => void,
 *   hear: (told: any) => void,
 *   answer: () => any,
 *   joined: () => void,
 * }} Hooks
 */

export class Tabs {
  leads = false;
  #name;
  #hooks;
  #channel;
  #timer;
  #silence = 0;
  #joined = false;
  /** @type {AbortController | null} The place in the queue. */
  #place = null;
  /** Gives the lock back. */
  #release = () => {};

  /**
   * @param {string} name
   * @param {Hooks} hooks
   */
  constructor(name, hooks) {
    this.#name = name;
    this.#hooks = hooks;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    this.#timer = setInterval(() => this.#look(), LOOK);
    this.#queue();
    this.tell(ASK);
  }

  /** @param {unknown} what */
  tell(what) {
    this.#channel.postMessage(what);
  }

  /** Also before sleep: a frozen page must hold neither the lock nor a place in its queue. */
  close() {
    clearInterval(this.#timer);
    this.#place?.abort();
    this.#place = null;
    this.#release();
    this.#channel.close();
  }

  async #queue(steal = false) {
    this.#place?.abort();
    const place = (this.#place = new AbortController());
    const options = steal ? { steal } : { signal: place.signal };
    try {
      await navigator.locks.request(this.#name, options, () => this.#lead(place));
    } catch (error) {
      // Where storage is forbidden there are no locks either.
      if (/** @type {Error} */ (error).name === "SecurityError") return this.#hooks.lead();
    }
    if (place !== this.#place) return;
    // Another tab took the lock.
    this.leads = false;
    this.#silence = 0;
    this.#hooks.follow();
    this.#queue();
  }

  /** @param {AbortController} place */
  #lead(place) {
    if (place !== this.#place) return undefined;
    this.leads = true;
    this.#hooks.lead();
    return new Promise((resolve) => {
      this.#release = () => resolve(undefined);
    });
  }

  /** @param {any} what */
  #hear(what) {
    if (what === ASK) {
      if (this.leads) this.tell(this.#hooks.answer());
      return;
    }
    this.#silence = 0;
    // A leader from which the lock was taken may not know yet.
    if (this.leads) return;
    this.#hooks.hear(what);
    if (!this.#joined) this.#hooks.joined();
    this.#joined = true;
  }

  #look() {
    if (this.leads) return;
    if (++this.#silence <= PATIENCE) return this.tell(ASK);
    this.#silence = 0;
    this.#queue(true);
  }
}

/** Without locks, which plain HTTP has not: every tab in sight has its own. */
export class Alone {
  leads = true;
  #look;

  /**
   * @param {string} _name
   * @param {Hooks} hooks
   */
  constructor(_name, hooks) {
    this.#look = () => (document.hidden ? hooks.follow() : hooks.lead());
    document.addEventListener("visibilitychange", this.#look);
    this.#look();
  }

  tell() {}

  close() {
    document.removeEventListener("visibilitychange", this.#look);
  }
}
