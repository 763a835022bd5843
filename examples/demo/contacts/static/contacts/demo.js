// The page stays open while tasks run. Without this script the forms work as forms do.
import { monitio } from "../monitio/monitio.js";

/** Send a form without leaving the page; pop-ups tell the rest. */
async function send(form, button) {
  button.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(button.getAttribute("formaction") || form.action, {
      method: "POST",
      body: new FormData(form),
      headers: { Accept: "application/json" },
    });
    const { problem, done } = await response.json();
    if (problem) monitio.add({ level: "error", title: problem });
    else if (done) monitio.add({ level: "success", title: done });
    if (response.ok) form.reset();
  } catch {
    // The server is gone, or said something else: let the browser show what it says.
    button.removeAttribute("aria-busy");
    form.toggleAttribute("data-stay", false);
    form.requestSubmit(button);
    return;
  }
  button.removeAttribute("aria-busy");
  refreshImports();
}

/** The table of imports as it is now. */
async function refreshImports() {
  const place = document.getElementById("imports");
  if (!place) return;
  const response = await fetch(place.dataset.url);
  if (response.ok) place.innerHTML = await response.text();
}

document.addEventListener("submit", (event) => {
  if (!event.target.hasAttribute("data-stay")) return;
  event.preventDefault();
  send(event.target, event.submitter ?? event.target.querySelector("button"));
});
document.addEventListener("monitio:task", refreshImports);
