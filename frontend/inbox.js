/** The second file: what only the panel of the bell, tasks and desktop notifications need. */

import "./inbox/icons.js";
import css from "./inbox/panel.css";
import taskCss from "./tasks/tasks.css";
import { Inbox } from "./inbox/inbox.js";
import { notify, watchSight } from "./inbox/notifications.js";
import { JobView } from "./tasks/job-view.js";
import { TaskGroup } from "./tasks/task-group.js";

export { css, Inbox, JobView, notify, TaskGroup, taskCss, watchSight };
