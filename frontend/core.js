/** What the files that are loaded later have from here: there is one of each on a page. */

import { batched, button, label, make, Rows, setText, tool } from "./lib/dom.js";
import { addIcons, icon } from "./lib/icons.js";
import { format, formatNumber, formatPercent, t } from "./lib/strings.js";
import { heading, isLocal, isRunning, safeUrl, shortHeading } from "./state/message.js";
import { actions, connection, popups, store } from "./state/page.js";
import { rank } from "./state/popup-rules.js";
import { isOn, KEEP_OPEN, pageKey, siteKey, turn } from "./state/preferences.js";
import { MessageView } from "./views/message-view.js";

export const core = {
  actions, addIcons, batched, button, connection, format, formatNumber, formatPercent, heading, icon,
  isLocal, isOn, isRunning, KEEP_OPEN, label, make, MessageView, pageKey, popups, rank, Rows, safeUrl,
  setText, shortHeading, siteKey, store, t, tool, turn,
};
