/* Comforts of monitio's own pages, which work without this script. */

const list = document.querySelector(".monitio-list");
const all = list?.querySelector("[data-select-all]");
if (all) {
  const label = list.querySelector("[data-selected]");
  const boxes = [...list.querySelectorAll("[name=ids]")];
  const none = label.textContent;
  const show = () => {
    const count = boxes.filter((box) => box.checked).length;
    label.textContent = count ? label.dataset.selected.replace("{n}", count) : none;
    all.checked = count === boxes.length;
    all.indeterminate = count > 0 && !all.checked;
  };
  all.hidden = false;
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    show();
  });
  list.addEventListener("change", show);
  // A page from the back/forward cache keeps what was selected.
  addEventListener("pageshow", show);
  show();
}

document.addEventListener("click", ({ target }) => {
  for (const menu of document.querySelectorAll(".monitio-menu[open]")) {
    if (!menu.contains(target)) menu.open = false;
  }
});

// Behind a picture are the initials.
for (const picture of document.querySelectorAll(".monitio-tile img")) {
  const fail = () => picture.remove();
  picture.addEventListener("error", fail);
  if (picture.complete && !picture.naturalWidth) fail();
}

/* The keys of the inbox, in the list: off while the user types, and by hotkey="". */
const frame = document.querySelector(".monitio-frame");
if (frame) {
  const REMEMBERED = "monitio row";
  const rows = [...frame.querySelectorAll(".monitio-row")];
  const link = (row) => row?.querySelector(".monitio-title a");
  const go = (row) => {
    link(row)?.focus();
    row?.scrollIntoView({ block: "nearest" });
  };
  const press = (row, action) => {
    const button = row.querySelector(`button[formaction*="/${action}/"]`);
    if (!button) return;
    // The answer is this page again: the focus goes to the same row, or to what took its place.
    sessionStorage[REMEMBERED] = `${row.dataset.id} ${rows.indexOf(row)}`;
    button.click();
  };
  const acts = {
    Enter: (row) => link(row).click(),
    e: (row) => press(row, "mark_read"),
    u: (row) => press(row, "mark_unread"),
    "#": (row) => press(row, "delete"),
  };
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    const typing = target.matches("input:not([type=checkbox]), textarea, select") || target.isContentEditable;
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing) return;
    if (target !== document.body && !frame.contains(target)) return;
    if (document.querySelector('monitio-messages[hotkey=""]')) return;
    const row = target.closest(".monitio-row");
    const by = { j: 1, k: -1, ArrowDown: row && 1, ArrowUp: row && -1 }[key];
    // A link or a button has its own Enter.
    const act = row && !(key === "Enter" && target.matches("a, button")) && acts[key];
    if (by) go(row ? rows[rows.indexOf(row) + by] : rows[0]);
    else if (act) act(row);
    else if (key === "/") frame.querySelector("[type=search]")?.focus();
    else if (key === "?") help.hidden = !help.hidden;
    else return;
    event.preventDefault();
  });
  const help = frame.querySelector("[data-keys]");
  const [id, index] = (sessionStorage[REMEMBERED] ?? "").split(" ");
  delete sessionStorage[REMEMBERED];
  if (id) go(rows.find((row) => row.dataset.id === id) ?? rows[index] ?? rows.at(-1));
}

const offer = document.querySelector("[data-zone]");
const zones = document.querySelector("[name=time_zone]");
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (offer && !zones.value && zone !== offer.dataset.zone) {
  const option = [...zones.options].find(({ value }) => value === zone);
  if (option) {
    const text = offer.querySelector("span");
    text.textContent = text.textContent.replace("{zone}", option.text);
    offer.hidden = false;
    offer.querySelector("button").addEventListener("click", () => {
      zones.value = zone;
      offer.hidden = true;
      zones.focus();
    });
  }
}
