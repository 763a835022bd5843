/** The panel of the bell. */

import "./inbox/icons.js";
import css from "./inbox/panel.css";
import { Inbox } from "./inbox/inbox.js";

export { css, Inbox };
