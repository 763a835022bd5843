export const BELL = `
.bell { position: relative; min-block-size: 2.5rem; min-inline-size: 2.5rem; color: var(--monitio-bell, inherit); }
.bell svg { inline-size: 1.5rem; block-size: 1.5rem; }
.badge {
  position: absolute;
  inset-block-start: 0;
  inset-inline-start: 50%;
  min-inline-size: 1.1875rem;
  padding: .125rem .25rem;
  font: 700 .6875rem/1.2 system-ui, sans-serif;
  color: var(--monitio-badge-fg, #fff);
  background: var(--monitio-badge-bg, #c0152a);
  border: 1px solid Canvas;
  border-radius: 1rem;
}
.panel {
  display: flex;
  flex-direction: column;
  inline-size: min(26rem, 100vi - 1rem);
  max-block-size: min(40rem, 100dvb - 5rem);
  background: var(--_bg);
  border: 1px solid var(--_border);
  border-radius: var(--_radius);
  box-shadow: var(--_shadow);
  overflow: hidden;
}
.head, .foot, .row { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: .25rem .5rem; }
.head, .foot { padding: .5rem .75rem; }
.head { border-block-end: 1px solid var(--_border); }
.foot { border-block-start: 1px solid var(--_border); font-size: .875em; }
.row { flex-basis: 100%; }
h2 { flex: 1; margin: 0; font-size: 1.0625rem; }
h2:focus { outline: none; }
[aria-pressed=true] { border-color: currentColor; font-weight: 600; }
.scroll { flex: 1; overflow: auto; overscroll-behavior: contain; }
li { padding: .6875rem .75rem; border-block-end: 1px solid var(--_border); }
li.unread { background: var(--_unread); }
li.unread .title::after {
  content: "";
  display: inline-block;
  inline-size: .5rem;
  block-size: .5rem;
  margin-inline-start: .375rem;
  border-radius: 50%;
  background: var(--_link);
  forced-color-adjust: none;
}
.scroll :focus-visible { outline-offset: -2px; }
ul .actions { margin-inline-start: -.5rem; gap: 0 .25rem; }
ul .actions a { padding-inline: .5rem; }
ul .actions button { font-size: .8125em; color: var(--_muted); text-decoration: underline; }
.scroll > button { inline-size: 100%; min-block-size: 2.5rem; color: var(--_link); }
.note { margin: 0; padding: 1.5rem 1rem; text-align: center; color: var(--_muted); }
label { display: flex; align-items: center; gap: .5rem; min-block-size: 1.75rem; }
@media (max-width: 30rem) {
  .panel { inset: 0 !important; inline-size: auto; block-size: 100dvb; max-block-size: none; border: 0; border-radius: 0; }
  ul .actions a { flex-basis: 100%; padding-block-end: 0; }
}
`;
