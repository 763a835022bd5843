import { actions, button, isOn, KEEP_OPEN, make, popups, t, tool } from "../lib/page-core.js";
import { canNotify, notifies, setNotifies } from "../cards/notifications.js";

/** What the user chooses for this browser, and the way to what they choose for everywhere. */
export class Settings {
  gear = tool("settings", () => this.#toggle(), t("settings"));
  #keep = make("input", { type: "checkbox", change: () => popups.setKeepOpen(this.#keep.checked) });
  #notify = make("input", { type: "checkbox", change: () => this.#setNotifies() });
  #notifyLabel = make("label", {}, this.#notify, t("notify"));
  #preferences = make("a", { class: "action" }, t("settings"));
  node;

  /** @param {() => void} onDeleteAll */
  constructor(onDeleteAll) {
    this.gear.ariaExpanded = "false";
    this.node = make("div", { class: "options", hidden: true },
      make("label", {}, this.#keep, t("keep_open")), this.#notifyLabel,
      make("div", { class: "actions" }, this.#preferences,
        button("action", onDeleteAll, t("delete_all"))));
  }

  fill() {
    this.#keep.checked = isOn(KEEP_OPEN);
    this.#notifyLabel.hidden = !canNotify();
    this.#notify.checked = canNotify() && notifies();
    this.#preferences.href = `${actions.url}preferences/`;
  }

  #toggle() {
    this.node.hidden = !this.node.hidden;
    this.gear.ariaExpanded = `${!this.node.hidden}`;
  }

  async #setNotifies() {
    this.#notify.checked = await setNotifies(this.#notify.checked);
  }
}
