import BASE from "./base.css";
import BELL from "./bell.css";
import TOASTS from "./toasts.css";

/**
 * Each level's class carries its tokens, so that a theme can set each of them.
 * @param {string} name
 */
const tokens = (name) => `.${name}{--color:var(--_${name});\
--tile:var(--monitio-${name}-soft,var(--monitio-${name}-bg,var(--_${name}-soft)));\
--level-bg:var(--monitio-${name}-bg,var(--_raised));\
--level-fg:var(--monitio-${name}-fg,var(--_fg));\
--level-muted:var(--monitio-${name}-fg,var(--_muted))}`;

const LEVELS = ["debug", "info", "success", "warning", "error"].map(tokens).join("");

export const styles = { base: BASE + LEVELS, bell: BELL, toasts: TOASTS };
