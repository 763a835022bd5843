const GAP = 8;

/**
 * Below the bell, and within the page.
 * @param {HTMLElement} panel
 * @param {HTMLElement} anchor
 * @param {boolean} rtl
 */
export function place({ style, offsetWidth }, anchor, rtl) {
  const { left, right, bottom } = anchor.getBoundingClientRect();
  const rightmost = document.documentElement.clientWidth - offsetWidth - GAP;
  const wished = rtl ? left : right - offsetWidth;
  style.left = `${Math.max(GAP, Math.min(rightmost, wished))}px`;
  style.top = `${bottom + GAP / 2}px`;
}

/**
 * Act as soon as an end of what scrolls comes near.
 * @param {HTMLElement} scroll
 * @param {(edge: Element) => void} act
 * @param {Element[]} edges
 */
export function watchEdges(scroll, act, edges) {
  const observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) if (isIntersecting) act(target);
  }, { root: scroll, rootMargin: "400px" });
  for (const edge of edges) observer.observe(edge);
}

/**
 * Let rows come or go: what is in sight stays where it is, also in browsers without scroll anchoring
 * (WebKit).
 * @template T
 * @param {HTMLElement} scroll
 * @param {() => T} act
 */
export function holdInPlace(scroll, act) {
  if (!scroll.scrollTop || CSS.supports("overflow-anchor: auto")) return act();
  const top = (/** @type {Element} */ row) => row.getBoundingClientRect().top;
  const row = [...scroll.querySelectorAll(".entry")].find((one) => top(one) >= top(scroll));
  const before = row ? top(row) : 0;
  const result = act();
  if (row?.isConnected) scroll.scrollTop += top(row) - before;
  return result;
}
