/**
 * What this page knows, by message id. Events may come late, twice or in any order: a newer
 * `version` wins, then the larger `seq`; gone is final; a snapshot is the truth from `floor` on.
 */

/** @import { PartialMessage, Message, Snapshot, Which } from "../types.js" */

import { dispatch, later } from "../lib/dom.js";
import {
  complete, countsAsUnread, isExpired, isLocal, isOlder, isRunning, isSince,
} from "./message.js";

export class Store extends EventTarget {
  /** @type {Map<number, Message>} */
  messages = new Map();
  unread = 0;
  /** The server counted no further, so that only a snapshot changes the number. */
  #capped = false;
  /** The lowest id of the last snapshot, and of what was loaded below it. */
  floor = 0;
  older = 0;
  /** @type {Set<number>} */
  #gone = new Set();
  /**
   * Not in the last snapshot: only another snapshot brings them back.
   * @type {Set<number>}
   */
  #absent = new Set();
  /**
   * Until the server agrees.
   * @type {Map<number, PartialMessage>}
   */
  #assumed = new Map();
  #lastLocalId = 0;
  #expiryTimer = 0;

  list() {
    return [...this.messages.values()].sort((a, b) => b.at - a.at || b.id - a.id);
  }

  /**
   * From the page; without an id it has no other copy.
   * @param {PartialMessage} given
   */
  seed(given) {
    const { id = 0, version = 0 } = given;
    const known = this.messages.get(id);
    if (!id) this.addLocal(given);
    else if (!this.#isOut(id) && !(known && known.version >= version)) this.#put(given);
  }

  /**
   * From the stream.
   * @param {Message} message
   */
  receive(message) {
    const known = this.messages.get(message.id);
    if (this.#isOut(message.id) || (known && isOlder(message, known))) return;
    // Below the floor it was counted already.
    const before = known ? countsAsUnread(known) : +(message.persistent && message.id < this.floor);
    const arrived = performance.now();
    this.#count(countsAsUnread(this.#put({ ...message, arrived })) - before);
  }

  /**
   * What came in since the snapshot was `asked` for is newer than what it says.
   * @param {Snapshot} snapshot
   */
  replace({ messages, unread, unread_capped: capped = false, floor }, asked = Infinity) {
    const told = new Set(messages.map(({ id }) => id));
    let since = 0;
    for (const message of messages)
      since += countsAsUnread(this.#current(message, asked)) - countsAsUnread(message);
    for (const known of this.messages.values())
      if (isSince(known, asked) && !told.has(known.id)) since += countsAsUnread(known);
    this.#capped = capped;
    this.floor = this.older = floor;
    // Every unfinished job is in a snapshot, however old.
    this.#take(messages, (known) =>
      !isSince(known, asked) && (known.id >= floor || isRunning(known)));
    this.setUnread(capped ? unread : unread + since);
  }

  /**
   * @param {Message[]} messages
   * @param {number} before
   * @param {boolean} more
   */
  addOlder(messages, before, more) {
    this.older = more ? messages[messages.length - 1].id : 0;
    this.#take(messages, ({ id }) => id >= this.older && id < before);
  }

  /** @param {number[]} ids */
  forget(ids) {
    for (const id of ids) {
      this.#gone.add(id);
      const known = this.messages.get(id);
      if (known) this.#lose(known);
    }
  }

  /** @param {PartialMessage} given */
  addLocal(given) {
    return this.#put({ ...given, id: --this.#lastLocalId }).id;
  }

  /**
   * @param {number} id
   * @param {PartialMessage} changes
   */
  change(id, changes) {
    const known = this.messages.get(id);
    if (known) this.#put({ ...known, ...changes, id });
  }

  /**
   * Change these, or all, now (or "gone"); the answer, called with false, takes it back.
   * @param {Which} which
   * @param {PartialMessage | "gone"} changes
   */
  applyOptimistically(which, changes) {
    const ids = which === "all" ? [...this.messages.keys()] : [which];
    const before = ids.flatMap((id) => this.messages.get(id) ?? []);
    const { unread } = this;
    if (changes === "gone") this.forget(ids);
    else
      for (const known of before) {
        this.#assumed.set(known.id, changes);
        this.#count(countsAsUnread(this.#put(known)) - countsAsUnread(known));
      }
    // Of those that are not loaded, too.
    if (which === "all") this.setUnread(0);
    const taken = unread - this.unread;
    return (/** @type {boolean} */ ok) => {
      for (const id of ids) this.#assumed.delete(id);
      if (ok) return;
      for (const message of before) {
        this.#gone.delete(message.id);
        if (!(Number(this.messages.get(message.id)?.version) > message.version)) this.#put(message);
      }
      this.setUnread(this.unread + taken);
    };
  }

  clear() {
    for (const known of [...this.messages.values()]) this.#drop(known, true);
    this.#gone.clear();
    this.#absent.clear();
    this.floor = this.older = 0;
    this.#capped = false;
    this.setUnread(0);
  }

  /** @param {number} unread */
  setUnread(unread) {
    if (unread === this.unread) return;
    this.unread = Math.max(0, unread);
    this.emit("unread");
  }

  /**
   * @param {string} type
   * @param {unknown} [detail]
   */
  emit(type, detail) {
    dispatch(this, type, detail);
  }

  /**
   * What a snapshot's message has become: deleted, changed by later news or by the user.
   * @param {Message} message
   * @param {number} asked
   */
  #current(message, asked) {
    const { id, version } = message;
    const known = this.messages.get(id);
    if (this.#gone.has(id)) return undefined;
    if (known && isSince(known, asked) && known.version > version) return known;
    return { ...message, ...this.#assumed.get(id) };
  }

  /** @param {number} id */
  #isOut(id) {
    return this.#gone.has(id) || this.#absent.has(id);
  }

  /**
   * What the database said: what it speaks for but does not hold is no more.
   * @param {Message[]} messages
   * @param {(known: Message) => boolean} speaksFor
   */
  #take(messages, speaksFor) {
    const present = new Set(messages.map(({ id }) => id));
    for (const known of [...this.messages.values()])
      if (!isLocal(known) && !present.has(known.id) && speaksFor(known)) {
        this.#absent.add(known.id);
        this.#drop(known);
      }
    for (const message of [...messages].reverse()) {
      const { id, version, job, avatar } = message;
      const known = this.messages.get(id);
      this.#absent.delete(id);
      if (this.#gone.has(id) || (known && version < known.version)) continue;
      // A user's picture is no part of their messages.
      if (version !== known?.version || job || avatar !== known.avatar) this.#put(message);
    }
  }

  /** @param {PartialMessage} given */
  #put(given) {
    const message = complete({ ...given, ...this.#assumed.get(given.id ?? 0) });
    const previous = this.messages.get(message.id);
    this.messages.set(message.id, message);
    this.emit("put", { message, previous });
    if (message.expiresAt) this.#expire();
    return message;
  }

  /** @param {Message} message */
  #drop(message, force = false) {
    if (this.messages.delete(message.id)) this.emit("drop", { message, force });
  }

  /** @param {Message} message */
  #lose(message, force = false) {
    this.#drop(message, force);
    this.#count(-countsAsUnread(message));
  }

  /** @param {number} change */
  #count(change) {
    if (!this.#capped) this.setUnread(this.unread + change);
  }

  #expire() {
    clearTimeout(this.#expiryTimer);
    let next = Infinity;
    for (const message of [...this.messages.values()])
      if (isExpired(message)) this.#lose(message, true);
      else next = Math.min(next, message.expiresAt ?? next);
    if (next === Infinity) return;
    this.#expiryTimer = later(() => this.#expire(), next - Date.now() + 1);
  }
}
