/**
 * What this page knows, by message id. Events may come in any order, twice or late:
 *
 * - a newer `version` wins; in the same version the larger `seq` (a progress frame);
 * - an id that is gone never comes back;
 * - a snapshot is the truth for every id from its `floor` on.
 *
 * Dispatches: `put` {message, previous}, `drop` {message, force}, `unread`, `failed`.
 */

import { complete, countsAsUnread, isExpired, isLocal, isRunning } from "./message.js";


const LONGEST_TIMEOUT = 2 ** 31 - 1;

export class Store extends EventTarget {
  messages = new Map();
  unread = 0;
  /** Ids below it were not in the last snapshot for want of room; `older` says where to go on. */
  floor = 0;
  older = 0;
  /** Deleted, here or elsewhere: final. */
  #gone = new Set();
  /** Not in the last snapshot: only another snapshot brings them back. */
  #absent = new Set();
  /** What the user just did, until the server has confirmed. */
  #assumed = new Map();
  #lastLocalId = 0;
  #expiryTimer = 0;

  /** Newest first. */
  list() {
    return [...this.messages.values()].sort(
      (a, b) => Date.parse(b.created) - Date.parse(a.created) || b.id - a.id);
  }

  /** One message of the page as the server made it. */
  seed(message) {
    if (this.#gone.has(message.id) || this.#absent.has(message.id)) return;
    if ((this.messages.get(message.id)?.version ?? -1) < message.version) this.#put(message);
  }

  /** One message of the stream. */
  receive(message) {
    if (this.#gone.has(message.id) || this.#absent.has(message.id)) return;
    const known = this.messages.get(message.id);
    if (known && message.version < known.version) return;
    if (known && message.version === known.version && message.seq < known.seq) return;
    const before = known ? countsAsUnread(known) : message.persistent && message.id < this.floor;
    const kept = this.#put(message);
    this.#count(this.unread + Number(countsAsUnread(kept)) - Number(before));
  }

  replace({ messages, unread, floor }) {
    const present = new Set(messages.map((message) => message.id));
    for (const known of [...this.messages.values()]) {
      if (isLocal(known) || present.has(known.id)) continue;
      // Every unfinished job is in a snapshot, however old.
      if (known.id < floor && !isRunning(known)) continue;
      this.#absent.add(known.id);
      this.#drop(known);
    }
    this.floor = this.older = floor;
    this.#take(messages);
    this.#count(unread);
  }

  /** A page of older messages: what is known between it and `before` but not in it is no more. */
  addOlder(messages, before, more) {
    const present = new Set(messages.map((message) => message.id));
    const lowest = more ? Math.min(...present) : 1;
    for (const known of [...this.messages.values()])
      if (known.id >= lowest && known.id < before && !present.has(known.id))
        this.#drop(known);
    this.older = more ? lowest : 0;
    this.#take(messages);
  }

  forget(ids) {
    for (const id of ids) {
      this.#gone.add(id);
      const known = this.messages.get(id);
      if (!known) continue;
      this.#drop(known);
      if (countsAsUnread(known)) this.#count(this.unread - 1);
    }
  }

  /**
   * A message of this page only.
   * Returns its id, below zero
   */
  addLocal(given) {
    const id = --this.#lastLocalId;
    this.#put(complete({ ...given, id }));
    return id;
  }

  change(id, changes) {
    const known = this.messages.get(id);
    if (known) this.#put({ ...known, ...changes, id });
  }

  /** Show at once what the user asked for; the answer tells when the server has agreed or not. */
  assume(ids, changes) {
    const before = ids.flatMap((id) => this.messages.get(id) ?? []);
    const unread = this.unread;
    if (changes === "gone") this.forget(ids);
    else for (const message of before) this.#assume(message, changes);
    return (ok) => {
      for (const id of ids) this.#assumed.delete(id);
      if (ok) return;
      for (const message of before) {
        this.#gone.delete(message.id);
        if ((this.messages.get(message.id)?.version ?? 0) <= message.version) this.#put(message);
      }
      this.#count(unread);
    };
  }

  setUnread(unread) {
    this.#count(unread);
  }

  /** Somebody else is signed in now: nothing of the last user may stay. */
  clear() {
    for (const known of [...this.messages.values()]) this.#drop(known, true);
    this.#gone.clear();
    this.#absent.clear();
    this.floor = this.older = 0;
    this.#count(0);
  }

  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** The database's word: wins over frames of the same version. */
  #take(messages) {
    for (const message of [...messages].reverse()) {
      const known = this.messages.get(message.id);
      this.#absent.delete(message.id);
      if (this.#gone.has(message.id) || (known && message.version < known.version)) continue;
      if (known?.version === message.version && !message.job) continue;
      this.#put(message);
    }
  }

  #assume(message, changes) {
    this.#assumed.set(message.id, changes);
    const unread = Number(countsAsUnread(message));
    const kept = this.#put(message);
    this.#count(this.unread + Number(countsAsUnread(kept)) - unread);
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

  #count(unread) {
    unread = Math.max(0, unread);
    if (unread === this.unread) return;
    this.unread = unread;
    this.tell("unread");
  }

  /** Drop what has expired, and wake again for the next. */
  #expire() {
    clearTimeout(this.#expiryTimer);
    let next = Infinity;
    for (const message of [...this.messages.values()]) {
      if (!isExpired(message)) next = Math.min(next, message.expiresAt ?? Infinity);
      else {
        this.#drop(message, true);
        if (countsAsUnread(message)) this.#count(this.unread - 1);
      }
    }
    if (next < Infinity)
      this.#expiryTimer = setTimeout(
        () => this.#expire(), Math.min(LONGEST_TIMEOUT, next - Date.now() + 1));
  }
}
