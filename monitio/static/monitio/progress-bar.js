import { make, setText } from "./dom.js";
import { heading, isRunning } from "./message.js";
import { formatNumber, formatPercent, say } from "./strings.js";


/** A native bar and the small line under it. */
export class ProgressBar {
  bar = make("progress", { part: "progress", max: 100 });
  line = make("div", { class: "meta", dir: "auto" });
  node = make("div", { hidden: true }, this.bar, this.line);

  /** Shown while the message's job runs. */
  fill(message) {
    this.node.hidden = !isRunning(message);
    if (this.node.hidden) return;
    const job = message.job;
    if (job.percent == null) this.bar.removeAttribute("value");
    else this.bar.value = job.percent;
    this.bar.className = job.state;
    this.bar.setAttribute("aria-label", say("progress", { title: heading(message) }));
    setText(this.line, [amount(job), job.text].filter(Boolean).join(" · "));
  }
}

/** "42%", "1,200 done", or the state while there is nothing to count. */
function amount(job) {
  if (job.state === "started" && job.percent != null) return formatPercent(job.percent);
  if (job.state === "started" && job.done) return say("done", { n: formatNumber(job.done) });
  return say(`state_${job.state}`);
}
