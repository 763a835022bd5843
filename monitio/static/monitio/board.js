/* The admin's board of jobs: live every two seconds while the page is visible. */

const EVERY = 2000;
const form = document.getElementById("jobs-board");
const [board, status, pause, answer] = ["board", "status", "pause", "answer"].map((name) =>
  form.querySelector(`[data-${name}]`));
let busy = false;
let timer = 0;

const isPaused = () => pause.getAttribute("aria-pressed") === "true";

function show(state) {
  status.dataset.state = state;
  const text = status.dataset[`${state}Text`];
  if (status.textContent !== text) status.textContent = text;
}

/**
 * What the board shows now. The browser parses the answer by itself: Trusted Types let no script
 * parse HTML. Rejects what is no board, such as the page to log in.
 */
function load() {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", form.dataset.live);
    request.responseType = "document";
    request.timeout = 30_000;
    request.onload = () => {
      const found = request.response?.querySelector("[data-board]");
      if (request.status === 200 && found) resolve(found);
      else reject(new Error(request.responseURL));
    };
    request.onerror = request.ontimeout = () => reject(new Error("offline"));
    request.send();
  });
}

/** The focus stays on the control with the same key. */
function replace(found) {
  const key = document.activeElement?.dataset.key;
  board.replaceChildren(...found.childNodes);
  if (key) board.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

async function refresh() {
  clearTimeout(timer);
  if (document.hidden || isPaused() || busy) return;
  busy = true;
  const began = performance.now();
  let state = "live";
  try {
    const found = await load();
    // Somebody may have paused it in the meantime.
    if (!isPaused()) replace(found);
  } catch {
    state = "offline";
  }
  if (!isPaused()) show(state);
  busy = false;
  // A slow answer is a busy server.
  timer = setTimeout(refresh, Math.max(EVERY, 5 * (performance.now() - began)));
}

async function act(button) {
  const body = new FormData(form, button);
  button.disabled = true;
  try {
    const response = await fetch(location.href, {
      method: "POST", body, headers: { Accept: "application/json" },
    });
    answer.textContent = (await response.json()).text;
  } catch {
    answer.textContent = status.dataset.offlineText;
  }
  answer.hidden = false;
  button.disabled = false;
  refresh();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  act(event.submitter);
});
pause.addEventListener("click", () => {
  pause.setAttribute("aria-pressed", String(!isPaused()));
  show(isPaused() ? "paused" : "live");
  refresh();
});
document.addEventListener("visibilitychange", refresh);
status.hidden = pause.hidden = false;
show("live");
timer = setTimeout(refresh, EVERY);
