/** The second file, loaded when the bell is about to be opened. */

import "./inbox/icons.js";
import css from "./inbox/panel.css";
import { Inbox } from "./inbox/inbox.js";

export { css, Inbox };
