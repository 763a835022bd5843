export const TOASTS = `
.stack {
  --offset: var(--monitio-offset, 1rem);
  inset-block-start: var(--offset);
  inset-inline-end: var(--offset);
  inline-size: calc(min(var(--monitio-width, 24rem), 100vi - 2 * var(--offset)) + 1.5rem);
  max-block-size: min(80dvb, 100dvb - 2rem);
  /* Room for shadows and focus rings inside the scrolling box. */
  margin: -.75rem;
  padding: .75rem;
  overflow: hidden auto;
  overscroll-behavior: contain;
}
.stack.bottom { inset-block: auto var(--offset); }
.stack.start { inset-inline: var(--offset) auto; }
.stack.center { inset-inline: 0; margin-inline: auto; }
ol { display: flex; flex-direction: column; gap: .5rem; }
.toast {
  padding-block: .6875rem;
  padding-inline: .75rem .375rem;
  color: var(--level-fg);
  background: var(--level-bg);
  border: 1px solid var(--_border);
  border-inline-start: .25rem solid var(--color);
  border-radius: var(--_radius);
  box-shadow: var(--_shadow);
  animation: arrive .2s ease-out;
}
.toast a { color: var(--level-link); }
.toast .meta { color: inherit; opacity: .85; }
.toast > button { margin-block-start: -.25rem; }
.title, .body { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 4; overflow: hidden; }
.footer { position: sticky; inset-block-end: 0; display: flex; justify-content: flex-end; gap: .5rem; margin-block-start: .5rem; }
.footer button { background: var(--_bg); border-color: var(--_border); box-shadow: var(--_shadow); }
@keyframes arrive { from { opacity: 0; translate: 0 .5rem; } }
@media (max-width: 30rem) { .stack { inset-inline: .5rem; inline-size: auto; margin-inline: -.5rem; padding-inline: .5rem; } }
`;
