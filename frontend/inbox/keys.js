/** The keys of the panel; off while the user types, with Ctrl or Alt, and by `hotkey=""`. */

import { make, t } from "../lib/page-core.js";

/** The first three are always in sight, the rest after "?". */
const HELP = [
  ["key_move", "j", "k"], ["key_read", "e"], ["key_delete", "#"],
  ["open", "⏎"], ["mark_unread", "u"], ["search", "/"],
];
const MOVES = new Map([["j", 1], ["ArrowDown", 1], ["k", -1], ["ArrowUp", -1]]);

/**
 * @param {HTMLElement} panel
 * @param {{ move: (by: number) => void } & Record<string, (by?: any) => void>} acts by key
 */
export function watchKeys(panel, acts) {
  panel.addEventListener("keydown", (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.ctrlKey || event.metaKey || event.altKey || target.matches("input, textarea")) return;
    if (document.querySelector('monitio-messages[hotkey=""]')) return;
    const by = MOVES.get(event.key);
    // A button has its own Enter.
    const act = event.key === "Enter" && !target.matches("li") ? undefined : acts[event.key];
    if (!by && !act) return;
    event.preventDefault();
    if (by) acts.move(by);
    else act?.();
  });
}

/** The keys and what they do. */
export const keysHelp = () =>
  make("div", { class: "keys", role: "group", "aria-label": t("keys") },
    ...HELP.map(([text, ...keys]) =>
      make("span", {}, ...keys.map((key) => make("kbd", {}, key)), t(text))));

/**
 * @param {HTMLElement} list
 * @param {HTMLElement | null | undefined} from the entry with the focus
 * @param {number} by
 */
export function moveFocus(list, from, by) {
  /** @type {HTMLElement[]} */
  const entries = [...list.querySelectorAll("li.entry")].map((node) => /** @type {any} */ (node));
  const next = from ? entries[entries.indexOf(from) + by] : entries[0];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}
