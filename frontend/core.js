/** What monitio-inbox.js has from monitio.js: there is one of each on a page. */

export { batched, button, label, make, Rows, setText, tool } from "./lib/dom.js";
export { addIcons, icon } from "./lib/icons.js";
export { formatAge, formatDate, formatDay, formatNumber, t } from "./lib/strings.js";
export { heading, isLocal, isRunning, shortHeading } from "./state/message.js";
export { actions, connection, popups, store } from "./state/page.js";
export { isOn, KEEP_OPEN } from "./state/preferences.js";
export { MessageView } from "./views/message-view.js";
export { canNotify, notifies, setNotifies } from "./views/notifications.js";
