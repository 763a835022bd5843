/** @import { Job, Message } from "../types.js" */

import { make, setText } from "../lib/dom.js";
import { heading, isRunning } from "../state/message.js";
import { formatDuration, formatNumber, formatPercent, t } from "../lib/strings.js";

/** How far a job has come, as a bar and in words. */
export class ProgressBar {
  #bar = make("progress", { part: "progress", max: 100 });
  #line = make("div", { class: "meta", dir: "auto" });
  node = make("div", {}, this.#bar, this.#line);

  /** @param {Message} message */
  fill(message) {
    const { job } = message;
    this.node.hidden = !isRunning(message);
    if (!job || this.node.hidden) return;
    if (job.percent == null) this.#bar.removeAttribute("value");
    else this.#bar.value = job.percent;
    this.#bar.className = job.state;
    this.#bar.ariaLabel = t("progress", { title: heading(message) });
    setText(this.#line, [amount(job), ...speed(job), job.text].filter(Boolean).join(" · "));
  }
}

/** @param {Job} job */
const speed = ({ state, eta, rate }) => state === "started" ? [
  eta != null && t("eta", { time: formatDuration(eta) }),
  rate != null && t("rate", { n: formatNumber(rate, { maximumSignificantDigits: 2 }) }),
] : [];

/** @param {Job} job */
function amount({ state, percent, done }) {
  if (state === "started" && percent != null) return formatPercent(percent);
  if (state === "started" && done) return t("done", { n: formatNumber(done) });
  return t(`state_${state}`);
}
