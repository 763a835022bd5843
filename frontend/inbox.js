/** The second file: what only the panel of the bell, tasks and desktop notifications need. */

import "./inbox/icons.js";
import css from "./inbox/panel.css";
import sharedCss from "./inbox/shared.css";
import { Inbox } from "./inbox/inbox.js";
import { notify, watchSight } from "./inbox/notifications.js";
import { UndoBar } from "./inbox/undo-bar.js";
import { JobView } from "./tasks/job-view.js";
import { TaskGroup } from "./tasks/task-group.js";

export { css, Inbox, JobView, notify, sharedCss, TaskGroup, UndoBar, watchSight };
