const level = (name) => `
.${name} {
  --color: var(--_${name});
  --level-bg: var(--monitio-${name}-bg, var(--_bg));
  --level-fg: var(--monitio-${name}-fg, var(--_fg));
  --level-link: var(--monitio-${name}-fg, var(--_link));
}`;

/** The tokens, --_*, come from monitio.css. */
export const BASE = `
${["debug", "info", "success", "warning", "error"].map(level).join("")}
/* Inherit nothing from the page. */
.stack, .panel { all: initial; position: fixed; box-sizing: border-box; color-scheme: inherit; font: var(--_font); color: var(--_fg); }
:not(:popover-open):is(.stack, .panel), [hidden] { display: none !important; }
* { box-sizing: border-box; }
.unseen { position: absolute; inline-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
ol, ul { list-style: none; margin: 0; padding: 0; }
svg { inline-size: 1.25em; block-size: 1.25em; flex: none; fill: currentColor; }
button {
  display: inline-flex;
  align-items: center;
  justify-content: center;
  min-block-size: 1.75rem;
  min-inline-size: 1.75rem;
  padding: .25rem .5rem;
  font: inherit;
  color: inherit;
  background: none;
  border: 1px solid transparent;
  border-radius: calc(var(--_radius) * .6);
  cursor: pointer;
}
button:hover { background: var(--_hover); }
button:disabled { opacity: .55; }
a { color: var(--_link); }
:focus-visible { outline: 2px solid var(--_focus); outline-offset: 2px; }
.item { display: flex; align-items: flex-start; gap: .625rem; }
.item > svg { color: var(--color); margin-block-start: .0625rem; }
.text { flex: 1; min-inline-size: 0; overflow-wrap: anywhere; }
.title { font-weight: 600; }
.body { white-space: pre-line; }
.meta { color: var(--_muted); font-size: .8125em; }
.actions { display: flex; flex-wrap: wrap; align-items: center; gap: 0 .75rem; }
.actions a { padding-block: .25rem; }
progress {
  display: block;
  inline-size: 100%;
  block-size: .5rem;
  margin-block: .4375rem .25rem;
  appearance: none;
  background: none;
  border: 1px solid var(--_muted);
  border-radius: 1rem;
  overflow: hidden;
}
progress::-webkit-progress-bar { background: none; }
progress::-webkit-progress-value { background: var(--color); transition: inline-size .3s; }
progress::-moz-progress-bar { background: var(--color); }
progress:indeterminate {
  background: repeating-linear-gradient(-45deg, var(--color) 0 .375rem, transparent 0 .75rem) 0 0 / 1.0607rem;
  animation: stripes 1s linear infinite;
}
progress:indeterminate::-moz-progress-bar { background: none; }
progress:is(.queued, .retrying) { opacity: .6; animation: none; }
@keyframes stripes { to { background-position: 1.0607rem 0; } }
@media (pointer: coarse) {
  button { min-block-size: 2.75rem; min-inline-size: 2.75rem; }
  .actions a { padding-block: .75rem; }
}
@media (prefers-reduced-motion: reduce) {
  *, ::-webkit-progress-value { animation: none !important; transition: none !important; }
}
@media (forced-colors: active) {
  button { border-color: ButtonText; }
  .debug, .info, .success, .warning, .error { --color: Highlight; }
  .item > svg { color: CanvasText; }
  progress { forced-color-adjust: none; border-color: CanvasText; }
}
`;
