/** @param {HTMLElement} stack */
export function placeBelowBell(stack) {
  const bell = document.querySelector("monitio-bell")?.getBoundingClientRect();
  const below = bell && bell.bottom > 0 && !stack.classList.contains("bottom");
  stack.style.insetBlockStart = below ? `${bell.bottom + 8}px` : "";
}

/**
 * What has the focus is never to be covered (WCAG 2.4.11).
 * @param {HTMLElement} stack
 * @param {Element} focused
 */
export function avoid(stack, focused) {
  const a = focused.getBoundingClientRect();
  const b = stack.getBoundingClientRect();
  if (!a.width || a.right <= b.left || a.left >= b.right || a.bottom <= b.top || a.top >= b.bottom) return;
  stack.classList.toggle("bottom");
  placeBelowBell(stack);
}
