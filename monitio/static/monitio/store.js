/**
 * What this page knows, by message id. Events may come late, twice or in any order:
 *
 * - a newer `version` wins; in the same version the larger `seq` (a frame of progress);
 * - an id that is gone never comes back;
 * - a snapshot is the truth for every id from its `floor` on.
 *
 * Dispatches `put` {message, previous}, `drop` {message, force}, `unread`, `failed`, `connection`.
 */

import { complete, countsAsUnread, isExpired, isLocal, isRunning } from "./message.js";

const LONGEST_TIMEOUT = 2 ** 31 - 1;

export class Store extends EventTarget {
  messages = new Map();
  unread = 0;
  /** The lowest id the last snapshot spoke for; 0 = it had room for all. */
  floor = 0;
  /** Below this id there are messages that nobody has fetched yet; 0 = none. */
  older = 0;
  #gone = new Set();
  /** Not in the last snapshot: only another snapshot brings them back. */
  #absent = new Set();
  /** What the user just did, by id, until the server has confirmed it. */
  #assumed = new Map();
  #lastLocalId = 0;
  #expiryTimer = 0;

  list() {
    return [...this.messages.values()].sort(
      (a, b) => Date.parse(b.created) - Date.parse(a.created) || b.id - a.id);
  }

  seed(message) {
    const known = this.messages.get(message.id);
    if (this.#isOut(message) || (known && known.version >= message.version)) return;
    this.#put(message);
  }

  receive(message) {
    const known = this.messages.get(message.id);
    if (this.#isOut(message) || (known && isOlder(message, known))) return;
    // Of an unknown one below the floor we only know that it was not unread for nothing.
    const before = known ? countsAsUnread(known) : message.persistent && message.id < this.floor;
    this.setUnread(this.unread - before + countsAsUnread(this.#put(message)));
  }

  replace({ messages, unread, floor }) {
    const present = new Set(messages.map(({ id }) => id));
    for (const known of [...this.messages.values()]) {
      if (isLocal(known) || present.has(known.id)) continue;
      // Every unfinished job is in a snapshot, however old.
      if (known.id < floor && !isRunning(known)) continue;
      this.#absent.add(known.id);
      this.#drop(known);
    }
    this.floor = this.older = floor;
    this.#take(messages);
    this.setUnread(unread);
  }

  /** The page of messages below `before`: what is known there but not in it is no more. */
  addOlder(messages, before, more) {
    const present = new Set(messages.map(({ id }) => id));
    this.older = more ? Math.min(...present) : 0;
    for (const known of [...this.messages.values()])
      if (known.id >= Math.max(this.older, 1) && known.id < before && !present.has(known.id))
        this.#drop(known);
    this.#take(messages);
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

  /**
   * Show at once what the user asked for: changes, or "gone". Returns a function to be told
   * whether the server agreed; if not, all is as before.
   */
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

  /** Somebody else is signed in: nothing of the last user stays. */
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
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #isOut({ id }) {
    return this.#gone.has(id) || this.#absent.has(id);
  }

  /** The word of the database: it also wins over frames of the same version. */
  #take(messages) {
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
