/** What monitio-inbox.js has from monitio.js: there is one of each on a page. */

export { batched, button, label, make, Rows, setText, tool } from "./lib/dom.js";
export { addIcons, icon } from "./lib/icons.js";
export { format, formatNumber, formatPercent, t } from "./lib/strings.js";
export { heading, isLocal, isRunning, safeUrl, shortHeading } from "./state/message.js";
export { actions, connection, popups, store } from "./state/page.js";
export { isOn, KEEP_OPEN, pageKey, siteKey, turn } from "./state/preferences.js";
export { MessageView } from "./views/message-view.js";
