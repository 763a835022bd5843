/** The button “Notify me on this device”. The browser asks for permission after a click alone. */

const canPush = () =>
  "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;

class MonitioPush extends HTMLElement {
  /** Whether the server knows this browser as a device of the user. */
  #isOn = false;
  #form = /** @type {HTMLFormElement} */ (this.querySelector("form"));
  #button = /** @type {HTMLButtonElement} */ (this.querySelector("button"));
  #status = /** @type {HTMLElement} */ (this.querySelector("[role=status]"));
  #texts = this.#status?.dataset ?? {};

  connectedCallback() {
    if (!canPush() || !this.#form) return;
    this.#form.onsubmit = (event) => {
      event.preventDefault();
      this.#try(() => (this.#isOn ? this.#stop() : this.#start()));
    };
    this.#show(this.hasAttribute("on") && Notification.permission === "granted");
    this.hidden = false;
    // Not asked again: it is granted. The browser may have lost its subscription, or the site its key.
    if (this.#isOn) this.#renew().catch(() => this.#show(false));
  }

  /** @param {() => Promise<string | undefined>} act what to do; the status that follows */
  async #try(act) {
    this.#button.disabled = true;
    this.#status.textContent = "";
    try {
      this.#status.textContent = (await act()) ?? "";
    } catch {
      this.#status.textContent = this.#texts.failed ?? "";
    }
    this.#button.disabled = false;
    this.#button.focus();
  }

  async #start() {
    if ((await Notification.requestPermission()) !== "granted") return this.#texts.blocked;
    await this.#send(await subscribe(await this.#manager(), this.#key));
    this.#show(true);
    return this.#texts.started;
  }

  async #stop() {
    await this.#send(null);
    this.#show(false);
    await (await (await this.#manager()).getSubscription())?.unsubscribe();
    return this.#texts.stopped;
  }

  async #renew() {
    const manager = await this.#manager();
    const before = await manager.getSubscription();
    const now = await subscribe(manager, this.#key);
    if (before?.endpoint !== now.endpoint) await this.#send(now);
  }

  get #key() {
    return this.getAttribute("key") ?? "";
  }

  /** @param {boolean} on */
  #show(on) {
    this.#isOn = on;
    this.#button.textContent = (on ? this.#button.dataset.stop : this.#button.dataset.start) ?? "";
  }

  /** @param {PushSubscription | null} subscription null: the server shall forget this browser */
  async #send(subscription) {
    const body = new FormData(this.#form);
    if (subscription) body.set("subscription", JSON.stringify(subscription));
    const headers = { Accept: "application/json" };
    const response = await fetch(this.#form.action, { method: "POST", body, headers });
    if (!response.ok) throw new Error(`${response.status}`);
  }

  async #manager() {
    const registration = await navigator.serviceWorker.register(
      trusted(this.getAttribute("worker") ?? ""));
    await activation(registration);
    return registration.pushManager;
  }
}

/**
 * Under a policy of Trusted Types, which has to allow “monitio-push”.
 * @param {string} url
 */
function trusted(url) {
  const types = /** @type {any} */ (window).trustedTypes;
  policy ??= types?.createPolicy("monitio-push", { createScriptURL: (/** @type {string} */ own) => own });
  return policy ? policy.createScriptURL(url) : url;
}
/** @type {any} */
let policy;

/**
 * It has no pages, so that `navigator.serviceWorker.ready` does not wait for it.
 * @param {ServiceWorkerRegistration} registration
 */
async function activation({ installing, waiting, active }) {
  const worker = installing ?? waiting;
  if (active || !worker) return;
  await /** @type {Promise<void>} */ (new Promise((resolve, reject) => {
    worker.onstatechange = () => {
      if (worker.state === "activated") resolve();
      if (worker.state === "redundant") reject(new Error(worker.state));
    };
  }));
}

/**
 * @param {PushManager} manager
 * @param {string} applicationServerKey
 */
async function subscribe(manager, applicationServerKey) {
  const options = { userVisibleOnly: true, applicationServerKey };
  try {
    return await manager.subscribe(options);
  } catch (error) {
    const old = await manager.getSubscription();
    if (!old || /** @type {Error} */ (error).name !== "InvalidStateError") throw error;
    // Subscribed with another key of the site.
    await old.unsubscribe();
    return manager.subscribe(options);
  }
}

if (!customElements.get("monitio-push")) customElements.define("monitio-push", MonitioPush);
