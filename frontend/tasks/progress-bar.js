/** @import { Job, Message } from "../types.js" */

import { formatNumber, formatPercent, heading, isRunning, make, setText, t } from "../lib/page-core.js";
import { formatDuration } from "./formats.js";

/** The bar moves at once; the words below it change every so many ms, so that they can be read. */
const CALM = 5000;

/** How far a job has come, as a bar and in words. */
export class ProgressBar {
  #bar = make("progress", { part: "progress", max: 100 });
  #what = make("span", { dir: "auto" });
  #howFar = make("span");
  node = make("div", { class: "progress" }, this.#bar,
    make("div", { class: "meta" }, this.#what, this.#howFar));
  /** @type {Job | null} */
  #job = null;
  #state = "";
  #changed = 0;
  #timer = 0;

  /** @param {Message} message */
  fill(message) {
    const { job } = message;
    this.#job = job;
    this.node.hidden = !isRunning(message);
    if (!job || this.node.hidden) return;
    setBar(this.#bar, message);
    const wait = job.state === this.#state ? this.#changed + CALM - performance.now() : 0;
    if (wait <= 0) this.#write();
    else this.#timer ||= setTimeout(() => this.#write(), wait);
  }

  #write() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#changed = performance.now();
    this.#state = this.#job?.state ?? "";
    setText(this.#what, this.#job ? amount(this.#job) : "");
    setText(this.#howFar, this.#job ? far(this.#job) : "");
  }
}

/**
 * @param {HTMLProgressElement} bar
 * @param {Message} message
 */
export function setBar(bar, message) {
  const { state, percent } = message.job ?? {};
  if (percent == null && state === "started") bar.removeAttribute("value");
  else bar.value = percent ?? 0;
  bar.classList.toggle("waiting", state !== "started");
  bar.ariaLabel = t("progress", { title: heading(message) });
}

/** @param {Job} job */
function amount({ state, text, done, total, rate }) {
  if (text || state !== "started") return text || t(`state_${state}`);
  const n = done == null ? "" : formatNumber(done);
  const speed = rate != null && t("rate", { n: formatNumber(rate, { maximumSignificantDigits: 2 }) });
  const count = n && (total ? t("done_of", { n, total: formatNumber(total) }) : t("done", { n }));
  return [count, speed].filter(Boolean).join(" · ") || t("state_started");
}

/** "40% · 7 sec left" @param {Pick<Job, "state" | "percent" | "eta">} job */
export function far({ state, percent, eta }) {
  if (state !== "started") return "";
  // In steps: a number of seconds that jumps up and down says little.
  const rounded = eta != null && eta > 10 && eta < 60 ? Math.ceil(eta / 5) * 5 : eta;
  return [
    percent != null && formatPercent(percent),
    !!rounded && t("eta", { time: formatDuration(rounded) }),
  ].filter(Boolean).join(" · ");
}
