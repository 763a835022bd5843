export const BELL = `
:host { display: inline-block; }
.bell {
  position: relative;
  min-block-size: 2.5rem;
  min-inline-size: 2.5rem;
  color: var(--monitio-bell, inherit);
}
.bell svg { inline-size: 1.5rem; block-size: 1.5rem; }
.badge {
  position: absolute;
  inset-block-start: 0;
  inset-inline-start: 50%;
  min-inline-size: 1.1875rem;
  padding: .125rem .25rem;
  font-size: .6875rem;
  font-weight: 700;
  line-height: 1.2;
  text-align: center;
  color: var(--monitio-badge-fg, #fff);
  background: var(--monitio-badge-bg, #c0152a);
  border: 1px solid Canvas;
  border-radius: 1rem;
}
.panel {
  position: fixed;
  inset: auto;
  margin: 0;
  padding: 0;
  inline-size: min(26rem, 100vi - 1rem);
  max-block-size: min(40rem, 100dvb - 5rem);
  flex-direction: column;
  background: var(--bg);
  border: 1px solid var(--border);
  border-radius: var(--radius);
  box-shadow: var(--shadow);
  overflow: hidden;
}
.panel:popover-open { display: flex; }
.head, .foot, .row, .tabs { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem .5rem; }
.head, .foot { padding: .5rem .75rem; justify-content: space-between; }
.head { border-block-end: 1px solid var(--border); }
.foot { border-block-start: 1px solid var(--border); font-size: .875em; }
.row { flex-basis: 100%; justify-content: space-between; }
h2 { flex: 1; margin: 0; font-size: 1.0625rem; outline-offset: 4px; }
h2:focus { outline: none; }
[aria-pressed=true] { border-color: currentColor; font-weight: 600; }
.scroll { flex: 1; overflow: auto; overscroll-behavior: contain; }
li { display: flex; gap: .625rem; padding: .6875rem .75rem; border-block-end: 1px solid var(--border); }
li.unread { background: var(--monitio-unread-bg, light-dark(#eef4ff, #232b38)); }
li.unread .title::after {
  content: "";
  display: inline-block;
  inline-size: .5rem;
  block-size: .5rem;
  margin-inline-start: .375rem;
  border-radius: 50%;
  background: var(--monitio-info, light-dark(#0b57c2, #79aefc));
  forced-color-adjust: none;
}
ul:focus-visible, .scroll button:focus-visible { outline-offset: -2px; }
ul .actions { margin-inline-start: -.5rem; gap: 0 .25rem; }
ul .actions a { padding-inline: .5rem; }
ul .actions button { font-size: .8125em; color: var(--muted); text-decoration: underline; }
ul .actions button:hover { color: var(--fg); }
.scroll > button { display: flex; inline-size: 100%; border-radius: 0; color: var(--link); min-block-size: 2.5rem; }
.note { margin: 0; padding: 2rem 1rem; text-align: center; color: var(--muted); }
[part=offline] { padding: .5rem; border-block-end: 1px solid var(--border); }
label { display: flex; align-items: center; gap: .5rem; min-block-size: 1.75rem; }
@media (max-width: 30rem) {
  .panel {
    inset: 0 !important;
    inline-size: auto;
    block-size: 100dvb;
    max-block-size: none;
    border: 0;
    border-radius: 0;
  }
}
`;
