/** Movement of the cards: where one was before, it starts from (FLIP). Off under reduced motion. */

const EASE = "cubic-bezier(.2, .8, .2, 1)";
const MOVE = { duration: 220, easing: EASE };
const LEAVE = { duration: 140, easing: "ease-in" };

export const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/**
 * The places of the cards now; call what it returns when they have changed.
 * @param {HTMLElement} list
 */
export function remember(list) {
  if (isStill()) return () => {};
  const before = new Map([...list.children].map((node) => [node, node.getBoundingClientRect()]));
  return () => {
    const after = [...list.children].map((node) => /** @type {const} */ ([node, node.getBoundingClientRect()]));
    for (const [node, to] of after) {
      const from = before.get(node);
      if (!from) node.animate([{ opacity: 0, translate: "0 12px" }, {}], MOVE);
      else if (from.top !== to.top || from.width !== to.width)
        node.animate([{ translate: `0 ${from.top - to.top}px`, scale: `${from.width / to.width} 1` }, {}],
          { ...MOVE, composite: "replace" });
    }
  };
}

/**
 * Let a card fade where it was, out of the way of the others.
 * @param {HTMLElement} node
 * @param {HTMLElement} ghosts
 */
export async function leave(node, ghosts) {
  if (isStill() || document.hidden) return node.remove();
  const from = node.getBoundingClientRect();
  const within = ghosts.getBoundingClientRect();
  node.inert = true;
  delete node.dataset.id;
  ghosts.append(node);
  node.style.top = `${from.top - within.top}px`;
  await node.animate([{}, { opacity: 0, scale: ".97" }], LEAVE).finished.catch(() => {});
  node.remove();
}

/**
 * A card that a finger pushes to the side closes.
 * @param {HTMLElement} list
 * @param {(card: HTMLElement) => void} close
 */
export function swipe(list, close) {
  /** @type {HTMLElement | null} */
  let card = null;
  let start = 0;
  let moved = 0;
  const end = () => {
    if (card && Math.abs(moved) > card.offsetWidth / 3) close(card);
    else if (card) card.animate([{ translate: `${moved}px` }, {}], MOVE);
    if (card) card.style.translate = "";
    card = null;
  };
  list.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse") return;
    card = /** @type {HTMLElement} */ (event.target).closest("li.toast");
    start = event.clientX;
    moved = 0;
  });
  list.addEventListener("pointermove", (event) => {
    if (!card) return;
    moved = event.clientX - start;
    if (Math.abs(moved) < 8) return;
    list.setPointerCapture(event.pointerId);
    card.style.translate = `${moved}px`;
  });
  list.addEventListener("pointerup", end);
  list.addEventListener("pointercancel", () => {
    moved = 0;
    end();
  });
}
