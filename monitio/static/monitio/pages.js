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
