import { addIcons } from "../lib/page-core.js";

addIcons({
  cancel: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 1 0 0-17M9.5 9.5h5v5h-5zM11 12h2",
  dismiss: "m6.5 6.5 11 11m0-11-11 11",
  download: "M12 4v11m-4.5-4.5L12 15l4.5-4.5M5 19.5h14",
  retry: "M19.5 12a7.5 7.5 0 1 1-2.3-5.4M19.5 3.5v4.3h-4.3",
  fold: "m8 10 4 4 4-4",
});
