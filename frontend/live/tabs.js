/**
 * The tabs of one browser, for one user: who holds the lock leads, and the others hear what it
 * tells. A leader that closes gives the lock up; from one that sleeps it is taken.
 */

const LOOK = 1300;
const PATIENCE = 3;

/**
 * `refresh`: fetch what it missed before it could hear.
 * @typedef {{
 *   state: unknown,
 *   lead: () => void,
 *   follow: () => void,
 *   hear: (told: any) => void,
 *   refresh: () => void,
 * }} Member
 */

/** Plain HTTP has no locks: there every tab leads itself. @type {any} */
const unlocked = {
  /** @param {string} _name @param {object} _options @param {() => unknown} act */
  request: (_name, _options, act) => act(),
};

export class Tabs {
  leads = false;
  #name;
  #member;
  #channel;
  #timer;
  #silence = 0;
  #joined = false;
  /** @type {AbortController | null} The place in the queue. */
  #place = null;
  /** @type {(value?: any) => void} Gives the lock back. */
  #release = () => {};

  /**
   * @param {string} name
   * @param {Member} member
   */
  constructor(name, member) {
    this.#name = name;
    this.#member = member;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    this.#timer = setInterval(() => this.#look(), LOOK);
    this.#queue();
    this.#ask();
  }

  /**
   * The leader's state, and what it has just heard.
   * @param {string} [event]
   * @param {unknown} [data]
   */
  broadcast(event, data) {
    if (this.leads) this.#channel.postMessage({ state: this.#member.state, event, data });
  }

  #ask() {
    this.#channel.postMessage(null);
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
      await (navigator.locks ?? unlocked).request(this.#name, options, () => this.#lead(place));
    } catch (error) {
      // Where storage is forbidden there are no locks either.
      if (/** @type {Error} */ (error).name === "SecurityError") return this.#lead(place);
    }
    // Refused: the page is being left, and would be refused for ever.
    if (place !== this.#place || !this.leads) return;
    // Another tab took the lock.
    this.leads = false;
    this.#silence = 0;
    this.#member.follow();
    this.#queue();
  }

  /** @param {AbortController} place */
  #lead(place) {
    if (place !== this.#place) return undefined;
    this.leads = true;
    this.#member.lead();
    const { promise, resolve } = Promise.withResolvers();
    this.#release = resolve;
    return promise;
  }

  /** @param {any} what */
  #hear(what) {
    if (!what) return this.broadcast();
    this.#silence = 0;
    // A leader from which the lock was taken may not know yet.
    if (this.leads) return;
    this.#member.hear(what);
    if (!this.#joined) this.#member.refresh();
    this.#joined = true;
  }

  #look() {
    if (this.leads) return;
    if (++this.#silence <= PATIENCE) return this.#ask();
    this.#silence = 0;
    this.#queue(true);
  }
}
