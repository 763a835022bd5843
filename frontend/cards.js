/** What the first pop-up, or a task, needs besides monitio.js: the stack, bars, files and buttons. */

import "./cards/icons.js";
import css from "./cards/cards.css";
import { notify, watchSight } from "./cards/notifications.js";
import { asCard, shareCards } from "./cards/sharing.js";
import { Stack } from "./cards/stack.js";
import { JobView } from "./tasks/job-view.js";
import { TaskGroup } from "./tasks/task-group.js";

export { asCard, css, JobView, notify, shareCards, Stack, TaskGroup, watchSight };
