
const LEVELS = {
  debug: "#57606a, #9aa4ae",
  info: "#0b57c2, #79aefc",
  success: "#1a7f37, #4ac26b",
  warning: "#8a5a00, #e0a83b",
  error: "#c0152a, #ff7b72",
};

const levels = Object.entries(LEVELS).map(([level, colors]) => `
.${level} {
  --color: var(--monitio-${level}, light-dark(${colors}));
  --level-bg: var(--monitio-${level}-bg, var(--bg));
  --level-fg: var(--monitio-${level}-fg, var(--fg));
  --level-link: var(--monitio-${level}-fg, var(--link));
}`).join("");

export const BASE = `
:host {
  --bg: var(--monitio-bg, light-dark(#fff, #1e2227));
  --fg: var(--monitio-fg, light-dark(#1b1f24, #e8eaed));
  --muted: var(--monitio-muted, light-dark(#545d68, #a9b1bb));
  --border: var(--monitio-border, light-dark(#d3d9e0, #434a53));
  --link: var(--monitio-link, light-dark(#0b57c2, #8ab8ff));
  --radius: var(--monitio-radius, .625rem);
  --focus: var(--monitio-focus, var(--link));
  --hover: var(--monitio-hover, light-dark(#eef1f4, #2b3138));
  --shadow: var(--monitio-shadow, 0 1px 2px light-dark(#0002, #0008), 0 .5rem 1.5rem light-dark(#0002, #0009));
  --font: var(--monitio-font, 400 .9375rem/1.4 system-ui, sans-serif);
  color-scheme: var(--monitio-color-scheme, inherit);
}
${levels}
/* Nothing of the page's own style comes in by inheritance. */
.stack, .panel { all: initial; position: fixed; color-scheme: inherit; font: var(--font); color: var(--fg); }
:not(:popover-open):is(.stack, .panel), [hidden] { display: none !important; }
* { box-sizing: border-box; }
.unseen { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
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
  border-radius: calc(var(--radius) * .6);
  cursor: pointer;
}
button:hover { background: var(--hover); }
button:disabled { opacity: .55; cursor: default; background: none; }
a { color: var(--link); }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
.item { display: flex; align-items: flex-start; gap: .625rem; }
.item > svg { color: var(--color); margin-block-start: .0625rem; }
.text { flex: 1; min-inline-size: 0; overflow-wrap: anywhere; }
.title { font-weight: 600; }
.body { white-space: pre-line; }
.meta { color: var(--muted); font-size: .8125em; }
.actions { display: flex; flex-wrap: wrap; align-items: center; gap: 0 .75rem; }
.actions a { padding-block: .25rem; }
progress {
  display: block;
  inline-size: 100%;
  block-size: .5rem;
  margin-block: .4375rem .25rem;
  appearance: none;
  background: none;
  border: 1px solid var(--muted);
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
  progress, ::-webkit-progress-value, ::-moz-progress-bar { forced-color-adjust: none; border-color: CanvasText; }
}
@media print { :host { display: none !important; } }
`;
