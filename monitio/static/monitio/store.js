/**
 * What this page knows, by message id. Events may come late, twice or in any order: a newer
 * `version` wins, then the larger `seq`; gone is final; a snapshot is the truth from `floor` on.
 */

import { dispatch } from "./dom.js";
import { complete, countsAsUnread, isExpired, isLocal, isRunning } from "./message.js";

const LONGEST_TIMEOUT = 2 ** 31 - 1;

export class Store extends EventTarget {
  messages = new Map();
  unread = 0;
  floor = 0;
  older = 0;
  #gone = new Set();
  /** Not in the last snapshot: only another snapshot brings them back. */
  #absent = new Set();
  /** Until the server agrees. */
  #assumed = new Map();
  #lastLocalId = 0;
  #expiryTimer = 0;

  list() {
    return [...this.messages.values()].sort(
      (a, b) => Date.parse(b.created) - Date.parse(a.created) || b.id - a.id);
  }

  /** From the page; without an id it has no other copy. */
  seed(message) {
    if (!message.id) return this.addLocal(message);
    const known = this.messages.get(message.id);
    if (this.#isOut(message) || (known && known.version >= message.version)) return;
    this.#put(message);
  }

  receive(message) {
    const known = this.messages.get(message.id);
    if (this.#isOut(message) || (known && isOlder(message, known))) return;
    // Below the floor it was counted already.
    const before = known ? countsAsUnread(known) : +(message.persistent && message.id < this.floor);
    this.setUnread(this.unread - before + countsAsUnread(this.#put(message)));
  }

  replace({ messages, unread, floor }) {
    this.floor = this.older = floor;
    // Every unfinished job is in a snapshot, however old.
    this.#take(messages, (known) => known.id >= floor || isRunning(known));
    this.setUnread(unread);
  }

  addOlder(messages, before, more) {
    this.older = more ? messages.at(-1).id : 0;
    this.#take(messages, ({ id }) => id >= this.older && id < before);
  }

  forget(ids) {
    for (const id of ids) {
      this.#gone.add(id);
      const known = this.messages.get(id);
      if (known) this.#lose(known);
    }
  }

  addLocal(given) {
    return this.#put({ ...given, id: --this.#lastLocalId }).id;
  }

  change(id, changes) {
    const known = this.messages.get(id);
    if (known) this.#put({ ...known, ...changes, id });
  }

  /** Change now (or "gone"); the answer, called with false, takes it back. */
  assume(ids, changes) {
    const before = ids.map((id) => this.messages.get(id)).filter(Boolean);
    const { unread } = this;
    if (changes === "gone") this.forget(ids);
    else
      for (const known of before) {
        this.#assumed.set(known.id, changes);
        this.setUnread(this.unread - countsAsUnread(known) + countsAsUnread(this.#put(known)));
      }
    return (ok) => {
      for (const id of ids) this.#assumed.delete(id);
      if (ok) return;
      for (const message of before) {
        this.#gone.delete(message.id);
        if (!(this.messages.get(message.id)?.version > message.version)) this.#put(message);
      }
      this.setUnread(unread);
    };
  }

  clear() {
    for (const known of [...this.messages.values()]) this.#drop(known, true);
    this.#gone.clear();
    this.#absent.clear();
    this.floor = this.older = 0;
    this.setUnread(0);
  }

  setUnread(unread) {
    if (unread === this.unread) return;
    this.unread = Math.max(0, unread);
    this.tell("unread");
  }

  tell(type, detail) {
    dispatch(this, type, detail);
  }

  #isOut({ id }) {
    return this.#gone.has(id) || this.#absent.has(id);
  }

  /** What the database said: what it speaks for but does not hold is no more. */
  #take(messages, speaksFor) {
    const present = new Set(messages.map(({ id }) => id));
    for (const known of [...this.messages.values()])
      if (!isLocal(known) && !present.has(known.id) && speaksFor(known)) {
        this.#absent.add(known.id);
        this.#drop(known);
      }
    for (const message of [...messages].reverse()) {
      const { id, version, job } = message;
      const known = this.messages.get(id);
      this.#absent.delete(id);
      if (this.#gone.has(id) || version < known?.version) continue;
      if (version !== known?.version || job) this.#put(message);
    }
  }

  #put(given) {
    const message = complete({ ...given, ...this.#assumed.get(given.id) });
    const previous = this.messages.get(message.id);
    this.messages.set(message.id, message);
    this.tell("put", { message, previous });
    if (message.expiresAt) this.#expire();
    return message;
  }

  #drop(message, force = false) {
    if (this.messages.delete(message.id)) this.tell("drop", { message, force });
  }

  #lose(message, force = false) {
    this.#drop(message, force);
    this.setUnread(this.unread - countsAsUnread(message));
  }

  #expire() {
    clearTimeout(this.#expiryTimer);
    let next = Infinity;
    for (const message of [...this.messages.values()])
      if (isExpired(message)) this.#lose(message, true);
      else next = Math.min(next, message.expiresAt ?? next);
    if (next === Infinity) return;
    const delay = Math.min(LONGEST_TIMEOUT, next - Date.now() + 1);
    this.#expiryTimer = setTimeout(() => this.#expire(), delay);
  }
}

const isOlder = (message, known) =>
  message.version < known.version || (message.version === known.version && message.seq < known.seq);
